"""A small app that has one function of every kind the local host serves."""

# mypy: disallow-untyped-decorators=false
from __future__ import annotations

import json
import logging
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import azure.functions as func
from azure.durable_functions import DurableOrchestrationClient
from azure.functions.timer import TimerRequest

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
blueprint = df.Blueprint()


def note(kind: str, **values: Any) -> None:
    """Append one line to the file that the tests read."""
    path = os.environ.get("TEST_APP_NOTES")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, **values}) + "\n")


@app.route("echo/{name?}", methods=["GET", "POST", "HEAD"])
def echo(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """What the worker sees of a request."""
    content = {
        "method": req.method,
        "url": req.url,
        "params": dict(req.params),
        "route": dict(req.route_params),
        "headers": dict(req.headers),
        "body": req.get_body().decode(),
        "function": context.function_name,
        "invocation": context.invocation_id,
    }
    return func.HttpResponse(json.dumps(content), mimetype="application/json", headers={"X-Test": "1"})


@app.route("open", auth_level=func.AuthLevel.ANONYMOUS)
async def open_to_all(req: func.HttpRequest) -> str:
    """Anonymous, async, a str result."""
    logging.getLogger("app").info("open was called")
    print("printed by the app")
    return "hello"


@app.route("administration", auth_level=func.AuthLevel.ADMIN)
def refused_route(req: func.HttpRequest) -> str:
    """Refused by the host: its route begins with admin."""
    return "never"


@app.route("master", auth_level=func.AuthLevel.ADMIN)
def master_only(req: func.HttpRequest) -> str:
    """Needs the master key."""
    return "master"


@app.route("boom")
def boom(req: func.HttpRequest) -> str:
    """Raises."""
    raise ValueError("boom text")


@app.route("slow")
def slow(req: func.HttpRequest) -> str:
    """Blocks its thread."""
    time.sleep(float(req.params.get("seconds", "1")))
    return "slept"


@app.route("off")
def switched_off(req: func.HttpRequest) -> str:
    """Disabled by setting in some tests."""
    return "on"


@app.event_grid_trigger("event")
def on_event(event: func.EventGridEvent) -> None:
    """Notes the event."""
    if isinstance(event, func.CloudEvent):
        note("cloud-event", id=event.id, type=event.type, time=str(event.time), data=event.get_json())
    else:
        note("event", id=event.id, type=event.event_type, time=str(event.event_time), data=event.get_json())
    if event.get_json() == "fail":
        raise RuntimeError("asked to fail")


@app.timer_trigger("timer", schedule="%TIMER_SCHEDULE%")
def on_timer(timer: TimerRequest) -> None:
    """Notes the payload."""
    note("timer", past_due=timer.past_due, status=timer.schedule_status, schedule=timer.schedule)


@blueprint.route("start/{greeting}")
@blueprint.durable_client_input("client")
async def start(req: func.HttpRequest, client: DurableOrchestrationClient) -> func.HttpResponse:
    """Start the orchestration through the rich client."""
    instance = await client.start_new("greet", None, {"greeting": req.route_params["greeting"]})
    response: func.HttpResponse = client.create_check_status_response(req, instance)
    return response


@blueprint.orchestration_trigger("context")
def greet(context: df.DurableOrchestrationContext) -> Any:
    """Two activities with a wait between them."""
    greeting = (context.get_input() or {})["greeting"]
    first = yield context.call_activity("shout", greeting)
    yield context.create_timer(context.current_utc_datetime + timedelta(minutes=1))
    second = yield context.call_activity("shout", first)
    return [first, second]


@blueprint.activity_trigger("text")
def shout(text: str) -> str:
    """The activity."""
    note("shout", text=text)
    return text.upper() + "!"


app.register_functions(blueprint)
