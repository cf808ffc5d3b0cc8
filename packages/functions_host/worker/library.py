"""Calls of Microsoft's worker library: index an app, invoke a function, and nothing of our own in between."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure_functions_runtime as runtime

from packages.functions_host.wire.frames import (
    Failure,
    Indexed,
    Invocation,
    Refused,
    Result,
)
from packages.functions_host.wire.typed_data import (
    Cookie,
    HttpRequestData,
    HttpResponseData,
    TypedData,
)
from packages.functions_host.worker import protos
from packages.functions_host.worker.protos import Message

# What the library offers to HTTP functions that stream: it listens on a port and expects the host as a proxy there.
_HTTP_STREAMING = "HttpUri"
_NOTHING_TO_TRACE = SimpleNamespace(trace_parent="", trace_state="", attributes={})
# The host's retry policies are not served, so every call is the first.
_NO_RETRY = SimpleNamespace(retry_count=0, max_retry_count=0, exception=None)


async def index(app_dir: Path) -> Indexed | Refused:
    """Have the library import and index the app; what it refuses, it refuses in its own words."""
    init = SimpleNamespace(capabilities={}, function_app_directory=str(app_dir))
    answer = await runtime.worker_init_request(protos.request(worker_init_request=init))
    if answer.result.status != protos.StatusResult.Success:
        return Refused(answer.result.exception.message, answer.result.exception.stack_trace)
    if _HTTP_STREAMING in answer.capabilities:
        return Refused("HTTP streaming (azurefunctions-extensions-http-fastapi) is not served by this host.", "")
    if not _has_script(app_dir):
        return Refused(f"{app_dir} has no function_app.py: no app of the v2 programming model.", "")
    described = await runtime.functions_metadata_request(protos.request())
    functions = described.function_metadata_results or []
    for function in functions:
        load = SimpleNamespace(function_id=function.function_id)
        await runtime.function_load_request(protos.request(function_load_request=load))
    runtime.start_threadpool_executor()
    worker = vars(answer.worker_metadata)
    return Indexed(
        tuple(
            {
                "name": function.name,
                "function_id": function.function_id,
                "directory": str(function.directory),
                "bindings": list(function.raw_bindings),
            }
            for function in functions
        ),
        {name: str(worker[name]) for name in ("runtime_version", "worker_version")},
    )


def _has_script(app_dir: Path) -> bool:
    """Without one the library answers that there are no functions; the host would serve nothing and say nothing."""
    return (app_dir / os.environ.get("PYTHON_SCRIPT_FILE_NAME", "function_app.py")).is_file()


async def invoke(invocation: Invocation) -> Result | Failure:
    """Have the library run one call. Only what ends the process (SystemExit) is raised."""
    asked = SimpleNamespace(
        invocation_id=invocation.invocation_id,
        function_id=invocation.function_id,
        input_data=[protos.ParameterBinding(name=name, data=_given(v)) for name, v in invocation.inputs.items()],
        trigger_metadata={name: _given(value) for name, value in invocation.trigger_metadata.items()},
        trace_context=_NOTHING_TO_TRACE,
        retry_context=_NO_RETRY,
    )
    runtime.invocation_id_cv.set(invocation.invocation_id)
    answer = await runtime.invocation_request(protos.request(invocation_request=asked))
    if answer.result.status != protos.StatusResult.Success:
        raised = answer.result.exception
        return Failure(invocation.invocation_id, raised.message, raised.stack_trace)
    return Result(invocation.invocation_id, None if answer.return_value is None else _returned(answer.return_value))


def _given(data: TypedData) -> Message:
    if isinstance(data.value, HttpRequestData):
        members = {**vars(data.value), "body": protos.TypedData(bytes=data.value.body)}
        return protos.TypedData(http=protos.PROTOS.RpcHttp(**members))
    return protos.TypedData(**{data.kind: data.value})


def _returned(data: Message) -> TypedData | None:
    kind = data.WhichOneof("data")
    if kind is None:
        return None
    value = getattr(data, kind)
    if kind != "http":
        return TypedData(value, kind)
    body = getattr(value.body, "bytes", b"") if value.body is not None else b""
    cookies = tuple(_cookie(cookie) for cookie in value.cookies or ())
    return TypedData(HttpResponseData(str(value.status_code), value.headers, cookies, bytes(body)), kind)


def _cookie(cookie: Any) -> Cookie:
    def value_of(member: Any) -> Any:
        return None if member is None else member.value

    expires = value_of(cookie.expires)
    return Cookie(
        name=cookie.name,
        value=cookie.value,
        domain=value_of(cookie.domain),
        path=value_of(cookie.path),
        expires=None if expires is None else expires.seconds,
        secure=bool(value_of(cookie.secure)),
        http_only=bool(value_of(cookie.http_only)),
        same_site=cookie.same_site,
        max_age=value_of(cookie.max_age),
    )
