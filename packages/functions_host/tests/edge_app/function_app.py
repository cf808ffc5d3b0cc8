"""An app that tells what reaches it, and answers with the headers it is asked for."""

# mypy: disallow-untyped-decorators=false
from __future__ import annotations

import json

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("query")
def query(req: func.HttpRequest) -> func.HttpResponse:
    """The query's values."""
    return func.HttpResponse(json.dumps(dict(req.params)))


@app.route("body")
def body(req: func.HttpRequest) -> func.HttpResponse:
    """The body as it came, and the coding it claims."""
    return func.HttpResponse(req.get_body(), headers={"X-Coding": req.headers.get("content-encoding", "")})


@app.route("coded")
def coded(req: func.HttpRequest) -> func.HttpResponse:
    """One letter under a Transfer-Encoding of the app's own."""
    headers = {"transfer-encoding": req.params["coding"]}
    return func.HttpResponse("x", headers=headers, status_code=int(req.params["status"]))


@app.event_grid_trigger("event")
def on_event(event: func.EventGridEvent) -> None:
    """Takes any event."""
