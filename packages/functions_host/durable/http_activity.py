"""``call_http``: an HTTP call that the extension makes itself, as the activity ``BuiltIn::HttpActivity``.

Source: recordings s15: a header is a string, or a list when it has several parts; content headers are missing;
answers of any status are results; 202 is not polled.
"""

from __future__ import annotations

from typing import Any

import aiohttp

from packages.functions_host.dotnet import durable_json
from packages.functions_host.workers.errors import WorkerError

# .NET keeps these apart, in HttpContent.Headers.
_CONTENT_HEADERS = {
    "allow",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    "expires",
    "last-modified",
}
# Headers whose blank-separated products .NET parses into several values.
_PRODUCT_HEADERS = {"server", "user-agent"}
# DurableHttpRequest's default timeout is the HttpClient's.
_TIMEOUT_SECONDS = 100


async def call(input_text: str | None) -> str:
    """Make the call that ``input_text`` describes; the result as compact JSON.

    Raises WorkerError when there was no answer.
    """
    request: dict[str, Any] = durable_json.loads(input_text or "{}")
    headers = {key: str(value) for key, value in (request.get("headers") or {}).items()}
    content = request.get("content")
    if content is not None and "content-type" not in {key.lower() for key in headers}:
        headers["Content-Type"] = "application/json"
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(
                str(request.get("method")), str(request.get("uri")), data=content, headers=headers
            ) as answer,
        ):
            body = await answer.text()
            return durable_json.compact({"statusCode": answer.status, "headers": _headers(answer), "content": body})
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise WorkerError("System.Net.Http.HttpRequestException", str(error)) from error


def _headers(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    found: dict[str, list[str]] = {}
    for key, value in answer.headers.items():
        if key.lower() not in _CONTENT_HEADERS:
            parts = value.split(" ") if key.lower() in _PRODUCT_HEADERS else [value]
            found.setdefault(key, []).extend(parts)
    return {key: values[0] if len(values) == 1 else values for key, values in found.items()}
