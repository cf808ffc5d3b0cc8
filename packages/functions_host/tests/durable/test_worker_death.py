"""A worker that ends during an orchestrator's call ends the instance, in the words that Microsoft's extension has.

``worker-death.jsonl`` was recorded with the published extension 3.19.0: it takes the death for a failure without
state, and where the history holds tasks already it finds that the failure did not schedule them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from packages.functions_host.durable.api.status_json import Shown, status_body
from packages.functions_host.tests.durable.harness import Running, echo
from packages.functions_host.workers.errors import WorkerDiedError

RECORDED = Path(__file__).resolve().parents[1] / "conformance" / "recorded" / "durable" / "worker-death.jsonl"
LINES = [json.loads(line) for line in RECORDED.read_text().splitlines()]
STATUSES: dict[str, dict[str, Any]] = {line["instanceId"]: line["status"] for line in LINES if line["kind"] == "http"}


def par(context: Any) -> Any:
    for number in range(3):
        yield context.call_activity("a", number)
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=1))
    yield context.call_sub_orchestrator("child", {"n": 0}, f"{context.instance_id}:c")


def child(context: Any) -> Any:
    yield context.call_activity("a", context.get_input()["n"])


def deaths() -> dict[str, int]:
    """At which call of its orchestrator each recorded instance lost its worker."""
    calls: dict[str, int] = {}
    died: dict[str, int] = {}
    for line in (line for line in LINES if line["kind"] == "orchestrator"):
        instance_id = line["instanceId"]
        calls[instance_id] = calls.get(instance_id, 0) + 1
        if "died" in line:
            died[instance_id] = calls[instance_id]
    return died


def test_what_was_recorded() -> None:
    assert deaths() == {"p0": 1, "p1": 2, "p2:c": 1}
    assert {status["runtimeStatus"] for status in STATUSES.values()} == {"Failed"}


@pytest.mark.parametrize("instance_id", list(STATUSES))
async def test_the_instance_ends_as_recorded(tmp_path: Path, instance_id: str) -> None:
    async with Running(tmp_path, {"par": par, "child": child}, {"a": echo}) as app:
        real, calls, left = app.engine._invoke_orchestrator, dict[str, int](), deaths()

        async def invoke(name: str, context: str) -> str:
            called: str = json.loads(context)["instanceId"]
            calls[called] = calls.get(called, 0) + 1
            if left.get(called) == calls[called]:
                raise WorkerDiedError("python exited with code 137 (0x89)")
            return await real(name, context)

        app.engine._invoke_orchestrator = invoke
        row = await app.finished(app.start("par", instance_id=instance_id))
        shown = Shown(history=True)
        found = status_body(row, app.client.history(instance_id), shown)
        recorded = STATUSES[instance_id]
        assert found["runtimeStatus"] == recorded["runtimeStatus"]
        # What follows in a parent are .NET frames of the program that was recorded.
        assert found["output"].partition(" \n ")[0] == recorded["output"].partition(" \n ")[0]
        assert kinds(found) == kinds(recorded)
        for dead, call in deaths().items():
            assert calls.get(dead, call) == call, "Python is not asked again"


def kinds(status: Mapping[str, Any]) -> list[str]:
    return [event["EventType"] for event in status["historyEvents"]]
