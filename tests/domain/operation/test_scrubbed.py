"""What people read of a record is scrubbed; what steps work with is not."""

from __future__ import annotations

from domain.operation.outcomes import Created, Finding
from domain.operation.record import JournalEntry, Operation, Question, StepRecord
from domain.operation.results import Attached, HalfReattached
from domain.operation.scrubbed import scrubbed, scrubbed_entry
from domain.problems import AzureAnswer, Problem
from tests.making import CLUSTER_ID, NOW, make_operation

SAID = "refused: SharedAccessKey=c2VjcmV0LWNhbmFyeQ=="
KEPT = "refused: SharedAccessKey=REDACTED"
CANARY = "c2VjcmV0LWNhbmFyeQ"


def hostile() -> Operation:
    problem = Problem("Code", SAID, None, SAID, SAID, SAID, azure=AzureAnswer(SAID, SAID, 400))
    return make_operation(
        steps=(
            StepRecord("install_extension", "do", detail=SAID, problem=problem, value={"settings": {"a": SAID}}),
            StepRecord("drain", "until", progress={"seen": SAID}),
        ),
        questions=(Question("approval", SAID, NOW, NOW),),
        findings=(Finding("check", "fail", SAID, SAID, SAID),),
        problem=problem,
        held_up=SAID,
        created=(Created("namespace", CLUSTER_ID),),
        result=Attached(CLUSTER_ID, SAID, SAID, SAID, SAID),
        operation_urls={"install_extension": "https://management.azure.com/x?s=signature"},
    )


def test_everything_that_people_read_is_without_secrets() -> None:
    after = scrubbed(hostile())
    shown = (after.questions, after.findings, after.problem, after.held_up, after.result)
    steps = [(step.detail, step.problem) for step in after.steps]
    assert CANARY not in f"{shown} {steps}"
    assert (after.steps[0].detail, after.held_up, after.findings[0].message) == (KEPT, KEPT, KEPT)
    half = scrubbed(make_operation(result=HalfReattached({"reason": SAID}, CLUSTER_ID))).result
    assert half == HalfReattached({"reason": KEPT}, CLUSTER_ID)


def test_what_steps_work_with_stays_as_it_is() -> None:
    before = hostile()
    after = scrubbed(before)
    assert [(step.value, step.progress) for step in after.steps] == [(s.value, s.progress) for s in before.steps]
    assert (after.request, after.created, after.operation_urls) == (
        before.request,
        before.created,
        before.operation_urls,
    )


def test_without_secrets_it_is_the_same() -> None:
    operation = make_operation(
        steps=(StepRecord("resolve", "do", detail="seen"),), findings=(Finding("a", "pass", "b"),)
    )
    assert scrubbed(operation) == operation


def test_a_line_of_the_journal_is_scrubbed() -> None:
    entry = scrubbed_entry(JournalEntry("drain", "polled", NOW, 1, SAID, {"code": SAID, "created": [{"id": SAID}]}))
    assert (entry.message, entry.data) == (KEPT, {"code": KEPT, "created": [{"id": KEPT}]})
