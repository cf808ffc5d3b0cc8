"""The app behind the HTTP conformance checks: the recorded routes, and a function that returns the recorded results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import azure.functions as func

RECORDED = Path(__file__).resolve().parents[2] / "recorded" / "host" / "http.jsonl"
RECORDS = [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").split("\n") if line.strip()]
RESULTS = [record for record in RECORDS if record["kind"] == "result"]

app = func.FunctionApp()


def http_function(name: str, call: Any, route: str | None, methods: list[str] | None) -> None:
    """Register it as recorded: the decorator for routes would refuse some of them, or complete them."""
    given: dict[str, Any] = {} if methods is None else {"methods": methods}
    returning = app.generic_output_binding("$return", "http")(call)
    triggered = app.generic_trigger("req", "httpTrigger", authLevel="ANONYMOUS", route=route, **given)(returning)
    app.function_name(name)(triggered)


def telling(name: str) -> Any:
    """A function that tells its name, the route's values and the address it was given."""

    async def call(req: func.HttpRequest) -> func.HttpResponse:
        seen = {"function": name, "route_values": dict(req.route_params), "url_seen": req.url}
        return func.HttpResponse(json.dumps(seen))

    return call


def result(req: func.HttpRequest):  # type: ignore[no-untyped-def]  # noqa: ANN201 - the worker checks the annotation
    """Return what the query's Python expression, one of the records', gives."""
    return eval(RESULTS[int(req.params["record"])]["python"], {"HttpResponse": func.HttpResponse})


for spec in next(record for record in RECORDS if record["kind"] == "routes")["routes"]:
    http_function(spec["name"], telling(spec["name"]), spec["route"], spec["methods"])
http_function("result", result, "result", None)
