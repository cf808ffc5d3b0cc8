"""For each recorded history the SDK gives the same answer: the recordings fit the installed azure-functions-durable."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from packages.functions_host.tests.conformance.checks import Check, Tally
from packages.functions_host.tests.conformance.durable.driven_app import DrivenApp
from packages.functions_host.tests.conformance.durable.recordings import (
    SCENARIOS,
    Call,
    app_of,
    as_call,
    load,
)
from packages.functions_host.workers.errors import WorkerError


async def check(file: str) -> Tally:
    tally = Tally()
    app = DrivenApp(app_of(file))
    with tempfile.TemporaryDirectory() as folder:
        before, tempfile.tempdir = tempfile.tempdir, folder
        try:
            for number, record in enumerate(load(file)):
                if record["kind"] == "orchestrator":
                    call = as_call(number, record)
                    _set_up(call, Path(folder))
                    _compare(tally, app, call)
        finally:
            tempfile.tempdir = before
    return tally


def _compare(tally: Tally, app: DrivenApp, call: Call) -> None:
    what = f"line {call.number + 1}: {call.function} {call.instance_id}"
    try:
        ours = app.answer(call.function, call.sent)
    except WorkerError as error:
        tally.compare(what, None if call.raised is None else call.raised["message"], error.message)
    else:
        tally.compare(what, call.returned, ours)


def _set_up(call: Call, folder: Path) -> None:
    """The non-determinism scenario changes its code through files; the answer tells which code was in force."""
    if not call.function.startswith("o_nondet"):
        return
    names = [action.get("functionName") for action in json.loads(call.returned or "{}").get("actions", [[]])[0]]
    inputs = [action.get("input") for action in json.loads(call.returned or "{}").get("actions", [[]])[0]]
    (folder / "nondet").write_text(names[0] or "work")
    for name, present in (("nondet-skip", "echo" not in names), ("nondet-extra", "0" in inputs)):
        (folder / name).unlink(missing_ok=True)
        if present:
            (folder / name).touch()


def _make(file: str) -> Check:
    async def run() -> Tally:
        return await check(file)

    return Check(file, "sdk", run)


CHECKS = [_make(file) for file in SCENARIOS]
