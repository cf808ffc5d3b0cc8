"""Functions that note their process and wait for a file, so that a test can end their worker in the middle."""

# mypy: disallow-untyped-decorators=false
from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import azure.functions as func
from azure.durable_functions import DurableOrchestrationClient
from azure.functions.timer import TimerRequest

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


def note(kind: str, **values: Any) -> None:
    """Append one line to the file that the tests read."""
    with Path(os.environ["TEST_APP_NOTES"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"kind": kind, "pid": os.getpid(), **values}) + "\n")


def wait_for_file(name: str) -> None:
    """Block until the test has made that file."""
    deadline = time.monotonic() + 60
    while not (Path(os.environ["TEST_APP_NOTES"]).parent / name).exists() and time.monotonic() < deadline:
        time.sleep(0.01)


@app.route("start/{orchestrator}")
@app.durable_client_input("client")
async def start(req: func.HttpRequest, client: DurableOrchestrationClient) -> func.HttpResponse:
    """Start an orchestration."""
    return func.HttpResponse(await client.start_new(req.route_params["orchestrator"]))


@app.route("pid")
def pid(req: func.HttpRequest) -> str:
    """The process, as a text that no JSON reader rewrites."""
    logging.getLogger("app").warning("asked for its pid")
    print(json.dumps({"printed": "by the app"}), flush=True)
    os.write(1, b'{"written": "past Python"}\n')
    return f"pid {os.getpid()}"


@app.route("hold")
def hold_request(req: func.HttpRequest) -> str:
    """Wait for a file."""
    note("request")
    wait_for_file("request")
    return "held"


@app.route("threads")
def threads(req: func.HttpRequest) -> str:
    """The thread count that the worker was given."""
    return f"threads {os.environ.get('PYTHON_THREADPOOL_THREAD_COUNT')} {logging.getLogger().level}"


@app.route("exit")
def leave(req: func.HttpRequest) -> str:
    """Ends the process, as on Azure."""
    sys.exit(3)


@app.timer_trigger("timer", schedule="*/30 * * * * *")
def tick(timer: TimerRequest) -> None:
    """Notes that timers run."""
    note("tick")


@app.orchestration_trigger("context")
def witness(context: df.DurableOrchestrationContext) -> Any:
    """Tells how its activity failed, and calls it again."""
    failures = []
    for attempt in range(3):
        try:
            result = yield context.call_activity("hold", attempt)
        except Exception as error:
            failures.append(str(error))
        else:
            return {"failures": failures, "result": result}
    return {"failures": failures}


@app.activity_trigger("attempt")
def hold(attempt: int) -> int:
    """Wait for a file."""
    note("hold", attempt=attempt)
    wait_for_file("hold")
    return attempt


@app.orchestration_trigger("context")
def thinker(context: df.DurableOrchestrationContext) -> Any:
    """Waits in the middle of its own call, so that a test can end the worker there."""
    first = yield context.call_activity("echo", "first")
    note("think")
    wait_for_file("think")
    second = yield context.call_activity("echo", "second")
    return [first, second]


@app.activity_trigger("text")
def echo(text: str) -> str:
    """Gives back what it got."""
    return text
