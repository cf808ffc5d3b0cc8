"""Answers of the management API in the extension's form."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from packages.functions_host.dotnet import durable_json

# The extension puts its own .NET stack here; nothing of ours would be truer than the frame every such stack ends with.
_STACK = (
    "   at Microsoft.Azure.WebJobs.Extensions.DurableTask.HttpApiHandler.HandleRequestAsync("
    "HttpRequestMessage request, CancellationToken cancellationToken)"
)


def empty(status: int) -> web.Response:
    """An answer without a body and without a content type."""
    return web.Response(status=status)


def answer(status: int, body: Any, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    response = web.Response(
        status=status, body=durable_json.compact(body).encode(), content_type="application/json", charset="utf-8"
    )
    response.headers.update(headers or {})
    return response


def error(status: int, message: str) -> web.Response:
    """An error that has only a message."""
    return answer(status, {"Message": message})


def exception(status: int, message: str, exception_message: str, exception_type: str) -> web.Response:
    """An error that stems from a .NET exception."""
    return answer(
        status,
        {
            "Message": message,
            "ExceptionMessage": exception_message,
            "ExceptionType": exception_type,
            "StackTrace": _STACK,
        },
    )


def bad_argument(text: str) -> web.Response:
    """What the extension makes of an ArgumentException."""
    return exception(400, "One or more of the arguments submitted is incorrect", text, "System.ArgumentException")


def went_wrong(text: str) -> web.Response:
    """What the extension makes of an InvalidOperationException."""
    return exception(
        500, "Something went wrong while processing your request", text, "System.InvalidOperationException"
    )


def invalid_json(problem: durable_json.InvalidJson) -> web.Response:
    """What the extension makes of a body that is not JSON."""
    return exception(400, "Invalid JSON content", problem.message, "Newtonsoft.Json.JsonReaderException")
