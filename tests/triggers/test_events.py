"""Which events are noted, and of which cluster."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import azure.functions as func
import pytest

from domain.operation.record import RequestedBy
from gateways.settings import read_settings
from gateways.storage import called_for, cluster_events, records
from gateways.storage.records import Change
from local.subscription import OPERATIONS
from tests.conftest import Tables
from tests.making import CLUSTER_ID, NOW, SUB, WORKSPACE_ID
from tests.triggers.http.http_app import Engine
from triggers import events

ARC_ID = f"/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.Kubernetes/connectedClusters/edge"
TAGS = "/providers/Microsoft.Resources/tags/default"
TAGGED = "Microsoft.Resources/tags/write"
WRITE = "Microsoft.Resources.ResourceWriteSuccess"


@pytest.fixture(autouse=True)
def settings(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOOR_EVENT_WORKSPACES", WORKSPACE_ID)
    read_settings()


def noted(subject: str | None, action: Any = TAGGED, kind: str = WRITE, **data: Any) -> str | None:
    reaction = events._note(kind, subject, {"operationName": action, **data}, NOW)
    return None if reaction is None else reaction.cluster_id


@pytest.mark.parametrize("cluster", [CLUSTER_ID, ARC_ID])
@pytest.mark.parametrize("below", ["", TAGS, TAGS.upper(), f"{TAGS}/", "/"])
@pytest.mark.parametrize("action", [TAGGED, TAGGED.upper()])
def test_a_tag_written_by_the_tags_api_is_noted_in_both_spellings(cluster: str, below: str, action: str) -> None:
    assert noted(cluster + below, action) == cluster.lower()
    assert noted(cluster.replace("resourceGroups", "resourcegroups") + below, action) == cluster.lower()
    row = cluster_events.read(cluster)
    assert row is not None
    assert (row.seen, row.deleted, row.written_time) == (2, False, None)


def test_without_a_subject_the_resource_s_uri_tells() -> None:
    assert noted(None, resourceUri=CLUSTER_ID + TAGS) == CLUSTER_ID.lower()
    assert noted("", resourceUri=CLUSTER_ID) == CLUSTER_ID.lower()


@pytest.mark.parametrize(
    "subject",
    [
        "",
        TAGS,
        "/",
        f"/subscriptions/{SUB}{TAGS}",
        f"/subscriptions/{SUB}/resourceGroups/rg{TAGS}",
        f"{CLUSTER_ID}{TAGS}{TAGS}",
        f"{CLUSTER_ID}/providers/Microsoft.Resources/tags/other",
        f"{CLUSTER_ID}/providers/Microsoft.Resources/tags",
        f"{CLUSTER_ID}/agentPools/one{TAGS}",
        f"{CLUSTER_ID}x/../y{TAGS}",
        WORKSPACE_ID + TAGS,
        f"{CLUSTER_ID.replace(SUB, 'nobody')}{TAGS}",
    ],
)
def test_tags_of_something_else_and_spellings_nobody_knows_are_taken_and_do_nothing(
    tables: Tables, subject: str
) -> None:
    assert noted(subject) is None
    assert "reactions" not in tables.names() or tables.rows("reactions") == []


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("Microsoft.Resources.ResourceWriteFailure", TAGGED),
        ("Microsoft.Resources.ResourceDeleteSuccess", "Microsoft.Resources/tags/delete"),
        (WRITE, None),
        (WRITE, 17),
        (WRITE, {"a": "b"}),
    ],
)
def test_other_events_about_tags_call_for_nothing(kind: str, action: Any) -> None:
    assert noted(CLUSTER_ID, action, kind) is None


def test_only_a_tag_event_may_have_the_tags_below_its_subject() -> None:
    assert noted(CLUSTER_ID + TAGS, "Microsoft.ContainerService/managedClusters/write") is None


@pytest.mark.parametrize(
    ("action", "deleted", "written"),
    [
        ("Microsoft.ContainerService/managedClusters/write", False, True),
        ("Microsoft.ContainerService/managedClusters/delete", True, False),
        ("Microsoft.ContainerService/managedClusters/start/action", False, False),
    ],
)
def test_what_happened_is_kept_with_its_time(action: str, deleted: bool, written: bool) -> None:
    assert noted(CLUSTER_ID, action) == CLUSTER_ID.lower()
    row = cluster_events.read(CLUSTER_ID)
    assert row is not None
    assert row.deleted is deleted
    assert (row.deleted_time, row.written_time) == (NOW if deleted else None, NOW if written else None)


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (
            func.EventGridEvent(
                id="1", data={}, topic="t", subject="s", event_type="e", event_time=NOW, data_version="1"
            ),
            NOW,
        ),
        (
            func.EventGridEvent(
                id="1", data={}, topic="t", subject="s", event_type="e", event_time=None, data_version="1"
            ),
            None,
        ),
        (type("Cloud", (), {"time": datetime(2026, 11, 20, 12)})(), NOW),
        (type("Cloud", (), {"time": "2026-11-20T12:00:00.0000000Z"})(), NOW),
        (type("Cloud", (), {"time": "soon"})(), None),
    ],
)
def test_when_it_happened_is_read_in_both_schemas(event: Any, told: datetime | None) -> None:
    assert events._happened(event) == told
    assert told is None or told.tzinfo == UTC


def test_the_stack_subscribes_to_what_the_app_acts_on() -> None:
    assert {each.lower() for each in OPERATIONS} == events.CALLS_FOR_A_LOOK


def asked(operation_id: str = "an-id", **changes: Any) -> dict[str, Any]:
    """A request as a look at a cluster answers it."""
    body = {"workspaceId": WORKSPACE_ID, "clusterId": CLUSTER_ID, "computeName": "gpu", "reason": "a tag", **changes}
    return {"id": operation_id, "kind": "attach", "request": body}


async def start(engine: Engine, *requests: dict[str, Any]) -> dict[str, Any]:
    # The SDK makes the client from text of the binding around the function: this is the function itself.
    inner: Any = events.start_operations._function.get_user_function().__wrapped__
    called_for.put(CLUSTER_ID, requests)
    answer: dict[str, Any] = await inner({"cluster": CLUSTER_ID}, client=engine)
    return answer


async def test_requests_that_no_look_called_for_are_not_accepted() -> None:
    engine = Engine()
    inner: Any = events.start_operations._function.get_user_function().__wrapped__
    forged = {"cluster": CLUSTER_ID, "requests": [asked("forged")]}
    assert await inner(forged, client=engine) == {"kind": "done", "operations": []}
    assert await start(engine, asked("called-for")) == {"kind": "done", "operations": ["called-for"]}
    assert await inner(forged, client=engine) == {"kind": "done", "operations": ["called-for"]}
    assert records.read("forged") is None


async def test_what_a_look_calls_for_is_accepted_and_started() -> None:
    engine = Engine()
    assert await start(engine, asked()) == {"kind": "done", "operations": ["an-id"]}
    assert [instance for _, instance, *_ in engine.started] == ["an-id-1"]
    stored = records.read("an-id")
    assert stored is not None
    assert (stored.operation.kind, stored.operation.cluster_id) == ("attach", CLUSTER_ID)
    assert stored.operation.requested_by == RequestedBy("event", reason="a tag")


async def test_what_a_look_calls_for_waits_while_starts_are_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped, not done: the cluster's events stay unhandled, and the watch timer has it looked at again."""
    engine = Engine()
    monkeypatch.setenv("MOOR_PAUSED", "starts")
    assert await start(engine, asked()) == {"kind": "stop"}
    assert (engine.started, records.read("an-id")) == ([], None)
    monkeypatch.delenv("MOOR_PAUSED")
    assert await start(engine, asked()) == {"kind": "done", "operations": ["an-id"]}


async def test_asked_again_it_is_the_same_operation_whatever_has_become_of_it() -> None:
    engine = Engine()
    await start(engine, asked())
    assert await start(engine, asked()) == {"kind": "done", "operations": ["an-id"]}
    records.change("an-id", None, lambda o: Change(replace(o, status="Failed")), NOW)
    assert await start(engine, asked()) == {"kind": "done", "operations": ["an-id"]}
    # The second call did not know whether the first had started it; the third knows.
    assert [instance for _, instance, *_ in engine.started] == ["an-id-1", "an-id-1"]


async def test_a_compute_that_another_operation_has_is_left_to_it() -> None:
    engine = Engine()
    await start(engine, asked("first"))
    records.change("first", None, lambda o: Change(replace(o, status="Running")), NOW)
    answer = await start(engine, asked("second", namespace="other"), asked("third", computeName="cpu"))
    assert answer == {"kind": "done", "operations": ["third"]}
    assert records.read("second") is None
    assert [instance for _, instance, *_ in engine.started] == ["first-1", "third-1"]


async def test_an_engine_that_does_not_take_it_is_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine(failing=True)
    assert await start(engine, asked()) == {"kind": "raised"}
    assert "event: start_operations raised" in caplog.text
    assert records.read("an-id") is not None
