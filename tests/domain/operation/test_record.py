from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.operation.outcomes import Created, Done, Finding
from domain.operation.record import (
    Intent,
    Operation,
    RequestedBy,
    StepRecord,
    operation_to_json,
    steps_from_stored,
    steps_to_stored,
)
from domain.problems import AzureAnswer, Problem, problem_from_json, problem_to_json
from domain.times import to_text
from gateways.azure.arm import ArmAnswer

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
)


def operation(**fields: Any) -> Operation:
    base = Operation("op", "attach", "Running", {"namespace": "default"}, "f", RequestedBy("http"), NOW, NOW)
    return replace(base, **fields)


def test_a_step_of_the_first_releases_had_one_intent() -> None:
    old = {k: v for k, v in steps_to_stored((StepRecord("s", "do"),))[0].items() if k != "intents"}
    told = {"action": "create", "resourceId": "/id", "time": to_text(NOW)}
    assert steps_from_stored([{**old, "intent": told}])[0].intents == (Intent("create", "/id", NOW),)
    assert steps_from_stored([{**old, "intent": None}])[0].intents == ()


def test_steps_are_kept_whole() -> None:
    assert steps_from_stored(steps_to_stored([STEP])) == (STEP,)


def test_what_is_internal_is_not_shown() -> None:
    shown = operation_to_json(operation(steps=(STEP,), operation_urls={STEP.name: "https://x/y?s=kept-inside"}))
    assert {"value", "intents", "intent"} & {*shown["steps"][0]} == set()
    assert "kept-inside" not in str(shown)


def test_a_signed_url_is_in_no_text_that_an_error_may_show() -> None:
    url = "https://x/y?s=signature"
    holders = (operation(operation_urls={"s": url}), Done(operation_url=url), ArmAnswer(202, {}, url))
    assert "signature" not in repr(holders)


def test_a_step_has_the_operation_that_it_began_last() -> None:
    began = operation().with_operation_url("attach_compute", "u1").with_operation_url("install_extension", "v")
    again = began.with_operation_url("attach_compute", "u2")
    assert again.operation_urls == {"install_extension": "v", "attach_compute": "u2"}
    assert again.operation_url("attach_compute") == "u2"
    assert again.with_operation_url("attach_compute", None).operation_urls == {"install_extension": "v"}


def test_problems_are_kept_and_shown_without_empty_fields() -> None:
    assert problem_to_json(PROBLEM) == {
        "code": "AttachFailed",
        "message": "no",
        "step": "attach_compute",
        "azure": {"code": "C", "status": 409},
    }
    assert problem_from_json(problem_to_json(PROBLEM)) == PROBLEM
    assert problem_to_json(replace(PROBLEM, transient=True))["transient"] is True


def test_progress_tells_the_step_under_way() -> None:
    done = StepRecord("claim", "do", "Succeeded", 1, 60.0, started=NOW, finished=NOW)
    skipped = StepRecord("resolve", "do", "Skipped", 1, 60.0)
    later = StepRecord("notify", "do", bound_seconds=60.0)
    waiting = replace(STEP, status="Waiting", detail="Azure ML attaches the cluster")
    shown = operation_to_json(operation(steps=(done, skipped, waiting, later), counts={"jobs": 3}))["progress"]
    assert shown == {
        "currentStep": "attach_compute",
        "completedSteps": 2,
        "totalSteps": 4,
        "detail": "Azure ML attaches the cluster",
        "counts": {"jobs": 3},
    }


def test_a_finished_operation_has_no_step_under_way() -> None:
    shown = operation_to_json(operation(status="Failed", steps=(STEP,), problem=PROBLEM))
    assert shown["progress"]["currentStep"] is None
    assert shown["error"]["code"] == "AttachFailed"


def test_what_was_made_and_found_is_shown() -> None:
    shown = operation_to_json(operation(created=(Created("t", "/id"),), findings=(Finding("c", "pass", "m"),)))
    assert shown["created"] == [{"type": "t", "id": "/id", "undone": False}]
    assert shown["findings"] == [{"check": "c", "outcome": "pass", "message": "m"}]


def test_with_step_puts_a_step_in_its_place() -> None:
    first = operation(steps=(STEP, replace(STEP, name="notify")))
    changed = first.with_step(replace(STEP, status="Succeeded"))
    assert [s.status for s in changed.steps] == ["Succeeded", "Running"]
    assert [s.name for s in changed.with_step(replace(STEP, name="new")).steps][-1] == "new"


def test_a_step_has_a_deadline_once_it_has_begun() -> None:
    assert STEP.deadline == NOW + timedelta(seconds=60)
    assert replace(STEP, started=None).deadline is None
