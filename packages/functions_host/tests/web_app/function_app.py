"""Functions for the tests of the HTTP edge."""

from __future__ import annotations

import os
import time
from pathlib import Path

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("hello")
def hello(req: func.HttpRequest) -> func.HttpResponse:
    """How long the body is, and a header."""
    return func.HttpResponse(f"hello {len(req.get_body())}", headers={"X-Own": "app"})


@app.route("slow")
def slow(req: func.HttpRequest) -> str:
    """Says in files that it has begun and is done, and waits for one in between."""
    folder = Path(os.environ["TEST_FOLDER"])
    (folder / "began").touch()
    deadline = time.monotonic() + 30
    while not (folder / "finish").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    (folder / "done").touch()
    return "done"
