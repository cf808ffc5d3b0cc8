"""How an operation ends in its record, and what subscribers are told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError

from activities.lifecycle import ending
from activities.lifecycle.ending import notify, publish, read_by_sdk, record
from activities.lifecycle.whereabouts import GOES, OPEN, STAYS
from activities.runtime.step import StepAtWork
from activities.runtime.transitions import CANCELED_CODE, Call
from domain.arm_ids import COMPUTE
from domain.catalogue.entry import ATTACH
from domain.catalogue.explain import explain
from domain.operation.codec import encode
from domain.operation.facts import facts_of
from domain.operation.outcomes import Created, Done
from domain.operation.record import Intent, Operation, StepRecord
from domain.operation.results import HalfReattached, Resolved
from domain.problems import AzureAnswer, Problem
from gateways.azure import event_topic, machine_learning
from gateways.azure.arm import ArmError
from tests.making import CLUSTER_ID, NOW, WORKSPACE_ID, make_operation

TOPIC = "https://topic.westeurope-1.eventgrid.azure.net/api/events"
COMPUTE_ID = f"{WORKSPACE_ID}/computes/gpu"
FIRST = Problem("ComputeFailed", "The first one.")


def at(name: str, operation: Operation) -> StepAtWork:
    step = StepRecord(name, "do", "Running", started=NOW)
    call = Call(operation.id, 1, name, 900.0, NOW, "do", always=True)
    return StepAtWork(call, operation.with_step(step))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    monkeypatch.setenv("MOOR_EVENTS_TOPIC_ENDPOINT", TOPIC)
    events: list[tuple[Any, ...]] = []
    monkeypatch.setattr(event_topic, "send", lambda *event: events.append(event))
    return events


@pytest.mark.parametrize("kind", ["attach", "detach", "reattach"])
def test_the_first_problem_is_the_end(kind: str) -> None:
    told = record(at("record", make_operation(kind=kind, problem=FIRST)))
    assert isinstance(told, Done)
    assert told.ending is not None
    assert (told.ending.status, told.ending.problem) == ("Failed", FIRST)


@pytest.mark.parametrize(
    "error",
    [
        ServiceRequestError("no route"),
        AttributeError("properties"),
        TypeError("?"),
        RecursionError(),
        ArmError(429, "c", "m"),
    ],
)
def test_what_the_sdk_raises_fails_no_attach(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: str) -> str:
        raise error

    monkeypatch.setattr(machine_learning, "compute_state", fail)
    told = read_by_sdk(at("read_by_sdk", make_operation()))
    assert isinstance(told, Done)
    assert [(f.check, f.outcome) for f in told.findings] == [("computeReadBySdk", "unknown")]


def test_what_the_sdk_reads_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_learning, "compute_state", lambda *_: "Succeeded")
    told = read_by_sdk(at("read_by_sdk", make_operation()))
    assert isinstance(told, Done)
    assert [f.message for f in told.findings] == ["azure-ai-ml reads the compute as Succeeded."]


SENT = (Intent("detach", "/c", NOW),)


@pytest.mark.parametrize(
    ("status", "intents", "seen", "between"),
    [
        # Azure was asked, and the run went back: a job had come, and at the drain's deadline it ended.
        ("NotStarted", SENT, STAYS, False),
        ("NotStarted", SENT, OPEN, True),
        ("Succeeded", SENT, GOES, True),
        ("Succeeded", SENT, STAYS, False),  # Azure took the detach, and has not done it.
        ("Failed", SENT, ArmError(503, "Busy", "later"), True),
        ("NotStarted", (), GOES, False),  # Another has detached it: this operation has left nothing in between.
    ],
)
def test_a_reattach_that_ends_is_half_done_only_where_the_compute_has_gone(
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    intents: tuple[Intent, ...],
    seen: str | ArmError,
    between: bool,
) -> None:
    def where(_: Operation) -> str:
        if isinstance(seen, ArmError):
            raise seen
        return seen

    monkeypatch.setattr(ending, "whereabouts", where)
    request = {"workspaceId": WORKSPACE_ID, "clusterId": CLUSTER_ID, "computeName": "gpu", "namespace": "default"}
    steps = (
        StepRecord("resolve", "do", "Succeeded", value=encode(Resolved(attach_request=request))),
        # What cancelled jobs is no request to detach.
        StepRecord("cancel_jobs", "do", "Succeeded", intents=(Intent("cancel", "/job", NOW),)),
        StepRecord("drain", "until", "Failed"),
        StepRecord("detach_compute", "do", status, intents=intents),
    )
    told = record(at("record", make_operation(kind="reattach", problem=FIRST, steps=steps)))
    assert isinstance(told, Done)
    assert told.ending is not None
    assert isinstance(told.ending.result, HalfReattached) is between


def test_what_was_canceled_has_not_failed() -> None:
    told = record(at("record", make_operation(problem=Problem(CANCELED_CODE, "Somebody asked."))))
    assert isinstance(told, Done)
    assert told.ending is not None
    assert told.ending.status == "Canceled"


def test_without_a_topic_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOOR_EVENTS_TOPIC_ENDPOINT", raising=False)
    told = notify(at("notify", make_operation(status="Succeeded")))
    assert isinstance(told, Done)
    assert told.skipped
    assert publish(make_operation(), "Started") == ()


def test_subscribers_are_told_the_end_once_for_each_run(sent: list[tuple[Any, ...]]) -> None:
    operation = make_operation(status="Failed", problem=FIRST)
    for _ in range(2):
        told = notify(at("notify", operation))
        assert isinstance(told, Done)
        assert told.findings == ()
    first, second = sent
    assert first == second, "the id tells a subscriber that it is the same event"
    endpoint, event_id, kind, subject, data = first
    assert (endpoint, event_id, kind, subject) == (TOPIC, "op-1-failed", "Moor.OperationFailed", "operations/op")
    assert (data["operationId"], data["status"]) == ("op", "Failed")
    assert data["error"] == {"code": "ComputeFailed"}, "Azure's words go to nobody whom Moor does not know"


def test_of_a_plan_nobody_is_told(sent: list[tuple[Any, ...]]) -> None:
    assert publish(make_operation(plan_only=True), "Started") == ()
    assert sent == []


@pytest.mark.parametrize(("what", "check"), [("Started", "startPublished"), ("Succeeded", "endPublished")])
def test_a_topic_that_does_not_answer_is_a_warning(monkeypatch: pytest.MonkeyPatch, what: str, check: str) -> None:
    def send(*event: Any) -> None:
        raise ServiceRequestError("no such host")

    monkeypatch.setenv("MOOR_EVENTS_TOPIC_ENDPOINT", TOPIC)
    monkeypatch.setattr(event_topic, "send", send)
    (finding,) = publish(make_operation(status="Succeeded"), what)
    assert (finding.check, finding.outcome) == (check, "warning")


def test_an_event_says_where_its_operation_is_read(
    sent: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MOOR_PUBLIC_URL", raising=False)
    publish(make_operation(), "Started")
    monkeypatch.setenv("MOOR_PUBLIC_URL", "https://moor.example.net/api")
    publish(make_operation(), "Started")
    without, with_url = (event[4] for event in sent)
    assert "operationLocation" not in without
    assert with_url["operationLocation"] == "https://moor.example.net/api/operations/op"


@pytest.mark.parametrize(
    ("undone", "remedy"),
    [
        (True, "Remove the cause, then start the attach again."),
        (False, "Detach the failed compute, remove the cause, then attach again."),
    ],
)
def test_r18_the_remedy_is_for_what_is_left(undone: bool, remedy: str) -> None:
    given = make_operation(created=(Created(COMPUTE, COMPUTE_ID, undone),))
    problem = explain(ATTACH, [AzureAnswer("X", "odd")], facts_of(given))
    told = record(at("record", replace(given, problem=problem)))
    assert isinstance(told, Done)
    assert told.ending is not None
    assert told.ending.problem is not None
    assert told.ending.problem.remedy == remedy
    assert str(told.ending.problem.command).startswith("az ml compute list" if undone else "az ml compute show")
