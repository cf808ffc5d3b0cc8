"""How an operation and its journal are shown: the names of the contract, and nothing that is internal."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import azure.functions as func
import pytest

from domain.operation.outcomes import Created, Finding
from domain.operation.plan import Plan, PlannedChange
from domain.operation.record import Intent, JournalEntry, StepRecord
from domain.operation.results import Attached, Detached, EndResult, HalfReattached, Snapshot
from domain.problems import AzureAnswer, Problem
from domain.workloads.uses import Workload
from tests.making import make_operation
from triggers.http.answers import answered, entry_to_json, operation_to_json

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PROBLEM = Problem("AttachFailed", "no", "attach_compute", azure=AzureAnswer("C", None, 409))
STEP = StepRecord(
    "attach_compute",
    "do",
    "Running",
    2,
    60.0,
    started=NOW,
    problem=PROBLEM,
    intents=(Intent("create", "/id", NOW),),
    value={"protected": {"a": "kept-inside"}},
    progress={"state": "kept-inside"},
)


def test_what_is_internal_is_not_shown() -> None:
    shown = operation_to_json(make_operation(steps=(STEP,), operation_urls={STEP.name: "https://x/y?s=kept-inside"}))
    assert {"value", "progress", "intents", "failed_before"} & {*shown["steps"][0]} == set()
    assert "kept-inside" not in str(shown)


def test_progress_tells_the_step_under_way() -> None:
    done = StepRecord("claim", "do", "Succeeded", 1, 60.0, started=NOW, finished=NOW)
    skipped = StepRecord("resolve", "do", "Skipped", 1, 60.0)
    later = StepRecord("notify", "do", bound_seconds=60.0)
    waiting = replace(STEP, status="Waiting", detail="Azure ML attaches the cluster")
    shown = operation_to_json(make_operation(steps=(done, skipped, waiting, later), counts={"jobs": 3}))["progress"]
    assert shown == {
        "currentStep": "attach_compute",
        "completedSteps": 2,
        "totalSteps": 4,
        "detail": "Azure ML attaches the cluster",
        "counts": {"jobs": 3},
    }


def test_a_finished_operation_has_no_step_under_way() -> None:
    shown = operation_to_json(make_operation(status="Failed", steps=(STEP,), problem=PROBLEM))
    assert shown["progress"]["currentStep"] is None
    assert shown["error"]["code"] == "AttachFailed"


def test_what_was_made_and_found_is_shown() -> None:
    shown = operation_to_json(make_operation(created=(Created("t", "/id"),), findings=(Finding("c", "pass", "m"),)))
    assert shown["created"] == [{"type": "t", "id": "/id", "undone": False}]
    assert shown["findings"] == [{"check": "c", "outcome": "pass", "message": "m"}]


def test_a_journal_entry_shows_what_it_has() -> None:
    entry = JournalEntry("operation", "accepted", NOW, data={"source": "http"}, sequence=1)
    assert entry_to_json(entry) == {
        "sequence": 1,
        "time": "2026-11-20T12:00:00.000Z",
        "step": "operation",
        "event": "accepted",
        "data": {"source": "http"},
    }
    assert entry_to_json(replace(entry, attempt=2, message="m", data={})) == {
        "sequence": 1,
        "time": "2026-11-20T12:00:00.000Z",
        "step": "operation",
        "event": "accepted",
        "attempt": 2,
        "message": "m",
    }


def test_who_asked_is_shown_by_the_names_of_the_contract() -> None:
    shown = operation_to_json(make_operation())["requestedBy"]
    assert shown == {"source": "http", "principal": None, "reason": None, "parentId": None}


JOB = {"type": "job", "name": "train-1", "status": "Running"}


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        (
            Attached("/c", "Succeeded", "ml", None, "10.0.0.1", (Workload(**JOB),)),
            {
                "computeId": "/c",
                "provisioningState": "Succeeded",
                "namespace": "ml",
                "principalId": None,
                "routerAddress": "10.0.0.1",
                "orphaned": [JOB],
            },
        ),
        (
            Attached("/c", "Succeeded", "ml", "p"),
            {"computeId": "/c", "provisioningState": "Succeeded", "namespace": "ml", "principalId": "p"},
        ),
        (Detached("/c", already_gone=True), {"computeId": "/c", "detached": True, "alreadyGone": True}),
        (
            Detached("/c", orphaned=(Workload(**JOB),), snapshot=Snapshot({"computeName": "gpu"}, ("/r",))),
            {
                "computeId": "/c",
                "detached": True,
                "alreadyGone": False,
                "orphaned": [JOB],
                "snapshot": {"attachRequest": {"computeName": "gpu"}, "roleAssignments": ["/r"]},
            },
        ),
        (
            HalfReattached({"computeName": "gpu"}, "/c"),
            {"computeId": "/c", "attached": False, "attachRequest": {"computeName": "gpu"}},
        ),
        (HalfReattached({}), {"attached": False, "attachRequest": {}}),
        (
            Plan(
                "detach",
                "warnings",
                (Finding("c", "warning", "m"),),
                (PlannedChange("drain", "stop", "/j", "d"), PlannedChange("detach_compute", "detach", "/c")),
                (Workload(**JOB),),
            ),
            {
                "kind": "detach",
                "verdict": "warnings",
                "findings": [{"check": "c", "outcome": "warning", "message": "m"}],
                "changes": [
                    {"step": "drain", "action": "stop", "resourceId": "/j", "detail": "d"},
                    {"step": "detach_compute", "action": "detach", "resourceId": "/c"},
                ],
                "workloads": [JOB],
            },
        ),
        (Plan("attach", "ok"), {"kind": "attach", "verdict": "ok", "findings": [], "changes": []}),
    ],
)
def test_results_are_shown_by_the_names_of_the_contract_in_its_order(
    result: EndResult, shown: dict[str, object]
) -> None:
    assert json.dumps(operation_to_json(make_operation(result=result))["result"]) == json.dumps(shown)


async def test_what_nobody_foresaw_is_answered_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> func.HttpResponse:
        raise KeyError("words of storage: AccountKey=c2VjcmV0")

    answer = await answered(work())
    body = json.loads(answer.get_body())
    assert (answer.status_code, body["error"]["code"]) == (500, "InternalError")
    assert "words" not in str(body)
    assert "words of storage: AccountKey=REDACTED" in caplog.text
