"""Orchestration versioning: which instances a host runs, and what becomes of the others."""

import asyncio
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from packages.functions_host.durable.api.status_json import Shown, status_body
from packages.functions_host.durable.versions import (
    FailureStrategy,
    MatchStrategy,
    Versions,
    compare,
)
from packages.functions_host.tests.durable.harness import Running

OLDER_TOO, STRICT, ANY = MatchStrategy.CURRENT_OR_OLDER, MatchStrategy.STRICT, MatchStrategy.NONE


@pytest.mark.parametrize(
    ("one", "other", "order"),
    [
        ("1.0", "1.0", 0),
        ("1.9", "1.10", -1),
        ("2.0", "1.10", 1),
        ("1.0.0", "1.0", 1),  # the third number is not there, which is less than 0
        ("b", "A", 1),
        ("1.0", "beta", -1),
        (None, "1.0", -1),
        ("1.0", "", 1),
        (None, " ", 0),
    ],
)
def test_versions_are_compared_as_dotnet_does(one: str | None, other: str | None, order: int) -> None:
    assert compare(one, other) == order
    assert compare(other, one) == -order


@pytest.mark.parametrize(
    ("own", "match", "runs"),
    [
        ("2.0", OLDER_TOO, [None, "1.0", "2.0"]),
        ("2.0", STRICT, ["2.0"]),
        ("2.0", ANY, [None, "1.0", "2.0", "3.0"]),
        (None, OLDER_TOO, [None]),
        (None, ANY, [None, "1.0", "2.0", "3.0"]),
    ],
)
def test_which_instances_a_host_runs(own: str | None, match: MatchStrategy, runs: list[str | None]) -> None:
    versions = Versions(own, match)
    assert [version for version in (None, "1.0", "2.0", "3.0") if versions.match_instance(version)] == runs


def tells(context: Any) -> Any:
    """Its version, twice, with an event between."""
    first = context.version
    yield context.wait_for_external_event("go")
    return [first, context.version]


def calls(context: Any) -> Any:
    try:
        yield context.call_sub_orchestrator("tells", None, version="9.0")
    except Exception as error:
        return str(error)


async def test_a_newer_instance_waits_with_its_own_version_until_a_newer_host_comes(tmp_path: Path) -> None:
    async with Running(tmp_path, {"tells": tells}, versions=Versions("2.0")) as app:
        instance_id = app.start("tells")
        await app.reached(instance_id, "Running")

    async with Running(tmp_path, {"tells": tells}, versions=Versions("1.0"), factor=1000) as app:
        app.client.raise_event(instance_id, "go", "1")
        await asyncio.sleep(0.1)
        row = app.client.get(instance_id)
        assert row is not None
        assert (row.status, row.version) == ("Running", "2.0")
        (message,) = app.engine.store.messages(instance_id)
        assert message.fetches > 3, "it is handed back again and again"
        late = app.client.start("tells", None, "null", "2.0")
        own = app.start("tells")
        await app.reached(own, "Running")
        waiting = app.client.get(late)
        assert waiting is not None
        assert waiting.status == "Pending"

    async with Running(tmp_path, {"tells": tells}, versions=Versions("2.0"), factor=1000) as app:
        row = await app.finished(instance_id)
        assert json.loads(row.output or "") == ["2.0", "2.0"]
        await app.reached(late, "Running")
        app.client.raise_event(own, "go", "1")
        row = await app.finished(own)
        assert json.loads(row.output or "") == ["1.0", "1.0"]


async def test_delays_grow_from_two_seconds_to_ten_minutes(tmp_path: Path) -> None:
    async with Running(tmp_path, {"tells": tells}, versions=Versions("1.0"), factor=3000) as app:
        instance_id = app.client.start("tells", None, "null", "2.0")
        began = app.engine.now()
        seen: dict[int, float] = {}
        while len(seen) < 8:
            (message,) = app.engine.store.messages(instance_id)
            if message.visible_from:
                seen[message.fetches] = (message.visible_from - began) / 1e7
            await asyncio.sleep(0)
    ends = [seen[number] for number in sorted(seen)]
    # Each end is the fetch and its delay; a busy machine fetches late, never early.
    assert all(later - earlier >= 2.0 ** (number + 2) for number, (earlier, later) in enumerate(pairwise(ends))), ends


async def test_fail_ends_the_instance_as_the_extension_does(tmp_path: Path) -> None:
    fails = Versions("1.0", OLDER_TOO, FailureStrategy.FAIL)
    async with Running(tmp_path, {"tells": tells, "calls": calls}, versions=fails) as app:
        row = await app.finished(app.client.start("tells", None, "{}", "2.0"))
        assert row.status == "Failed"
        body = status_body(row, app.client.history(row.instance_id), Shown(history=True, history_output=True))
        assert body["output"] == "VersionMismatch: Orchestration version did not comply with Worker Versioning"
        started, ended = body["historyEvents"]
        assert started["EventType"] == "ExecutionStarted"
        assert ended.pop("Timestamp")
        assert ended == {
            "EventType": "ExecutionCompleted",
            "OrchestrationStatus": "Failed",
            "Result": None,
            "FailureDetails": {
                "ErrorType": "VersionMismatch",
                "ErrorMessage": "Orchestration version did not comply with Worker Versioning",
                "StackTrace": None,
                "InnerFailure": None,
                "IsNonRetriable": True,
                "Properties": None,
            },
        }
        parent = await app.finished(app.start("calls"))
        assert parent.status == "Completed"
        (failed,) = app.history(parent.instance_id, 9)
        assert failed["FailureDetails"]["ErrorType"] == "VersionMismatch"
