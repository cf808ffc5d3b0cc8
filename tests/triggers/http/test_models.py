"""The shapes of answers: they know what the record knows, and hold an answer to it."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from domain.operation import steps
from domain.operation.outcomes import Created, Finding
from domain.operation.record import (
    CANCELED,
    FAILED,
    NOT_STARTED,
    RUNNING,
    SKIPPED,
    STATUSES,
    SUCCEEDED,
    WAITING,
    StepRecord,
)
from domain.problems import AzureAnswer, Problem
from domain.requests.parsing import MODELS as REQUESTS
from tests.making import NOW, make_operation
from triggers.http import models
from triggers.http.answers import operation_to_json
from triggers.http.models import MODELS, ErrorResponse, JournalEntry, Operation, Step

PROBLEM = Problem("C", "no", step="first", remedy="r", azure=AzureAnswer("Bad", "no", 400))
ENTRY = {"sequence": 1, "time": "2026-11-20T12:00:00Z", "step": "claim", "event": "started"}


def literals(model: type[BaseModel], name: str) -> set[str]:
    return {*get_args(model.model_fields[name].annotation)}


def shown(**fields: Any) -> dict[str, Any]:
    return operation_to_json(make_operation(**fields))


def test_they_name_every_status_and_kind_that_there_is() -> None:
    assert {*get_args(models.Status)} == {*STATUSES}
    assert {*get_args(models.Kind)} == {*REQUESTS}
    assert literals(Step, "kind") == {step.kind for step in steps.BY_NAME.values()}
    of_a_step = {NOT_STARTED, RUNNING, WAITING, SUCCEEDED, SKIPPED, FAILED, CANCELED}
    assert literals(Step, "status") == {*of_a_step, "Undone"}


def test_an_operation_with_all_that_it_can_show_fits() -> None:
    failed = StepRecord("first", "do", "Failed", 2, started=NOW, finished=NOW, detail="d", problem=PROBLEM)
    told = shown(
        status="Failed",
        steps=(failed, StepRecord("last", "do")),
        created=(Created("t", "/id", undone=True),),
        findings=(Finding("c", "fail", "m", "r", "az x"),),
        problem=PROBLEM,
        counts={"jobs": 1},
        started_time=NOW,
        finished_time=NOW,
        plan_only=True,
    )
    read = Operation.model_validate(told)
    assert (read.status, read.planOnly, read.createdDateTime) == ("Failed", True, NOW)
    assert [(step.name, step.status) for step in read.steps] == [("first", "Failed"), ("last", "NotStarted")]
    assert read.error is not None
    assert read.error.azure.status == 400
    # Nothing of it is unknown to its shape.
    assert read.model_extra == {}
    assert [part.model_extra for part in (*read.steps, *read.created, *read.findings, read.progress, read.error)] == (
        [{}] * 6
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "Nope"),
        ("kind", "fleetAttach"),
        ("createdDateTime", "2026-11-20T12:00:00"),
        ("steps", None),
        ("created", None),
        ("findings", [{"check": "c", "outcome": "maybe", "message": "m"}]),
        ("requestedBy", {"source": "somebody"}),
    ],
)
def test_what_does_not_fit_is_refused(name: str, value: Any) -> None:
    Operation.model_validate(shown())
    with pytest.raises(ValidationError):
        Operation.model_validate({**shown(), name: value})


@pytest.mark.parametrize("name", ["id", "kind", "status", "request", "requestedBy", "createdDateTime", "steps"])
def test_what_every_operation_has_is_required(name: str) -> None:
    told = shown()
    del told[name]
    with pytest.raises(ValidationError, match=name):
        Operation.model_validate(told)


def test_what_is_left_out_is_never_null_and_what_may_be_null_may_be_left_out() -> None:
    assert JournalEntry.model_validate(ENTRY).model_dump(exclude_unset=True).keys() == ENTRY.keys()
    with pytest.raises(ValidationError):
        JournalEntry.model_validate({**ENTRY, "message": None})
    error = {"code": "C", "message": "no"}
    assert ErrorResponse.model_validate({"error": error}).error.code == "C"
    with pytest.raises(ValidationError):
        ErrorResponse.model_validate({"error": {**error, "target": None}})
    assert Operation.model_validate({**shown(), "result": None}).result is None


def test_an_answer_may_hold_more_than_its_shape_knows() -> None:
    read = JournalEntry.model_validate({**ENTRY, "later": 1})
    assert read.model_extra == {"later": 1}


def test_the_document_has_each_of_them_once() -> None:
    names = [model.__name__ for model in MODELS]
    assert len(names) > 2
    assert len(names) == len({*names})
    for model in MODELS:
        schema = model.model_json_schema(mode="serialization")
        assert schema["type"] == "object"
        # None of them refuses what it does not know: a caller may be older than the app.
        assert schema.get("additionalProperties", True) is True
