"""The host's admin API: status, ping, functions, keys (read only). All but ping need the master key."""

from __future__ import annotations

import json
import time
from typing import Any

from packages.functions_host.function_info import HTTP, FunctionInfo
from packages.functions_host.host import FunctionsHost
from packages.functions_host.http.requests import IncomingRequest
from packages.functions_host.http.results import (
    CHALLENGE,
    FORBIDDEN,
    NOT_FOUND,
    HttpAnswer,
)
from packages.functions_host.http.routes import resolve_path, split_path
from packages.functions_host.keys import Level

VERSION = "4.0.0.0"


async def answer(host: FunctionsHost, incoming: IncomingRequest, level: Level) -> HttpAnswer:
    """Answer a request below ``/admin``."""
    parts = [part.lower() for part in split_path(resolve_path(incoming.raw_path))[1:]]
    method = incoming.method
    if parts == ["host", "ping"] and method in ("GET", "POST"):
        return HttpAnswer(200)
    if level is not Level.ADMIN:
        # A key that is valid elsewhere is forbidden here rather than unknown (measured).
        return CHALLENGE if level is Level.ANONYMOUS else FORBIDDEN
    if parts == ["host", "status"] and method in ("GET", "POST"):
        return _json(200, _status(host))
    if parts == ["functions"] and method == "GET":
        return _json(200, [_describe(host, function) for function in host.functions.values()])
    if len(parts) in (2, 3) and parts[0] == "functions":
        if method == "POST" and len(parts) == 2 and _posted_input(incoming.body) is None:
            return HttpAnswer(400)
        function = next((item for name, item in host.functions.items() if name.lower() == parts[1]), None)
        if function is None:
            return NOT_FOUND
        return await _function(host, function, method, parts[2:], incoming.body)
    if method == "GET" and parts in (["host", "keys"], ["host", "systemkeys"]):
        return _keys(dict(host.keys.system if parts[1] == "systemkeys" else host.keys.host))
    return NOT_FOUND


async def _function(
    host: FunctionsHost, function: FunctionInfo, method: str, rest: list[str], body: bytes
) -> HttpAnswer:
    if not rest and method == "GET":
        return _json(200, _describe(host, function))
    if rest == ["status"] and method == "GET":
        error = host.served.errors.get(function.name)
        return _json(200, {"errors": [error]} if error else {})
    if rest == ["keys"] and method == "GET":
        return _keys(dict(host.keys.functions.get(function.name.lower(), {})))
    if rest or method != "POST":
        return NOT_FOUND
    content = _posted_input(body)
    if content is None or function.name in host.served.errors:
        return NOT_FOUND
    given = next((value for name, value in content.items() if name.lower() == "input"), None)
    host.run_manually(function, given if isinstance(given, str) or given is None else json.dumps(given))
    return HttpAnswer(202)


def _posted_input(body: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(body)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _status(host: FunctionsHost) -> dict[str, Any]:
    return {
        "id": "local-functions-host",
        "state": "Error" if host.start_error else "Running" if host.ready else "Starting",
        "version": VERSION,
        "versionDetails": "local stand-in",
        "processUptime": int((time.monotonic() - host.started) * 1000),
        "instanceId": host.instance_id,
        "workerPid": host.worker.pid,
        "extensionBundle": host.host_json.content.get("extensionBundle"),
        "errors": [*([host.start_error] if host.start_error else []), *_function_errors(host)],
    }


def _function_errors(host: FunctionsHost) -> list[str]:
    return [f"{name}: {error}" for name, error in host.served.errors.items()]


def _describe(host: FunctionsHost, function: FunctionInfo) -> dict[str, Any]:
    base = host.options.base_url
    route = next((route for route in host.served.routes if route.function == function.name), None)
    return {
        "name": function.name,
        "href": f"{base}/admin/functions/{function.name}",
        "invoke_url_template": f"{base}/{route.template}" if route and function.trigger_type == HTTP else None,
        "language": "python",
        "config": {
            "name": function.name,
            "scriptFile": "function_app.py",
            "language": "python",
            "functionDirectory": str(function.directory),
            "bindings": list(function.bindings),
        },
        "isDisabled": function.name in host.served.disabled,
    }


def _keys(keys: dict[str, str]) -> HttpAnswer:
    return _json(200, {"keys": [{"name": name, "value": value} for name, value in keys.items()]})


def _json(status: int, content: Any) -> HttpAnswer:
    body = json.dumps(content).encode()
    headers = (("Content-Type", "application/json; charset=utf-8"), ("Content-Length", str(len(body))))
    return HttpAnswer(status, headers, body)
