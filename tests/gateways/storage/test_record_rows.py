"""Rows of this release, of the one before, of ones to come, and rows that nobody should have written.

``rows_0.2.0`` holds rows that release 0.2.0 wrote on the local stack, and what its API answered of them: attaches,
detaches and reattaches that have ended, some under way, a journal, its index, claims and a cluster's events.
``rows_1`` holds a row of the present schema: it changes only together with the schema's number.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.operation.codec import CodecError
from domain.operation.outcomes import Created, Finding
from domain.operation.record import (
    Intent,
    JournalEntry,
    Operation,
    Question,
    RequestedBy,
    StepRecord,
)
from domain.operation.results import (
    ComputeLeaving,
    ExtensionSent,
    HalfReattached,
    Resolved,
    SmokeTestStarted,
    Snapshot,
    Surveyed,
)
from domain.problems import AzureAnswer, Problem
from domain.times import from_text
from gateways.storage.record_rows import entry_from_row, head_row, index_keys, journal_row, operation_from_row
from tests.making import NOW, make_operation
from triggers.http.answers import entry_to_json, operation_to_json

OLD, PRESENT = (Path(__file__).parent / name for name in ("rows_0.2.0", "rows_1"))
Row = dict[str, Any]
# Fields of a step that came after the schema.
LATER: Row = {"pause_seconds": 900.0, "calls": 5, "waits": True}


def kept(name: str, folder: Path = OLD) -> Any:
    return json.loads((folder / f"{name}.json").read_text())


ENDED: list[Row] = kept("ended")
ANSWERS: dict[str, Row] = kept("answers")
BY_ID = {answer["operation"]["id"]: answer for answer in ANSWERS.values()}


def old(name: str) -> Operation:
    """An operation of release 0.2.0, by what it was about."""
    (row,) = [row for row in ENDED if row["id"] == ANSWERS[name]["operation"]["id"]]
    return operation_from_row(row)


def under_way(when: str) -> Operation:
    (row,) = [each["row"] for each in kept("under_way") if each["when"] == when]
    return operation_from_row(row)


def everything() -> Operation:
    """An operation in which every field has a value."""
    azure = AzureAnswer("Conflict", "é", 409, "r", "c")
    problem = Problem("C", "m", "attach_compute", "remedy", "az", "https://x", True, azure)
    step = StepRecord("attach_compute", "until", "Failed", 3, 60.0, NOW, NOW, "d", problem)
    step = replace(step, intents=(Intent("create", "/id", NOW),), value={"a": "b"}, progress={"state": "Creating"})
    who = RequestedBy("http", "ada", "why", "parent", "Ada")
    return make_operation(
        status="Failed",
        requested_by=who,
        run=2,
        steps=(replace(step, failed_before=True, version="3.0", backs=1, since=NOW, errors=2, **LATER),),
        operation_urls={"attach_compute": "https://management.azure.com/subscriptions/s/x?s=3"},
        created=(Created("t", "/id", True),),
        findings=(Finding("c", "warning", "m", "r", "x"),),
        result=HalfReattached({"computeName": "gpu"}, "/compute"),
        problem=problem,
        counts={"jobs": 2},
        started_time=NOW,
        finished_time=NOW,
        journal_length=4,
        pick_ups=2,
        pick_up_mark=1,
        cancel=who,
        plan_only=True,
        questions=(Question("approval", "sure?", NOW, NOW, True, "approve", NOW, who, "q1"),),
        version="3.0",
        held_up="it waits",
        left_out=("smoke_test",),
        retried_by=("t:o",),
    )


@pytest.mark.parametrize("operation", [everything(), make_operation()], ids=["full", "fresh"])
def test_an_operation_is_kept_whole(operation: Operation) -> None:
    assert operation_from_row(head_row(operation)) == operation


def test_the_row_of_this_schema_is_the_one_that_was_recorded() -> None:
    """A stored name that changes fails this: then the schema does, and rows of before are brought in line.

    A field that is added with a default is no such change: it is recorded here, and the schema stays.
    """
    assert head_row(everything()) == kept("operation", PRESENT)
    entry = JournalEntry("attach_compute", "intended", NOW, 2, "m", {"action": "create"}, 7)
    assert journal_row(entry) == kept("journal", PRESENT)


def test_what_is_stored_has_none_of_the_names_of_the_api() -> None:
    """Names of more than one word are spelt differently there; ``request`` is the caller's own."""
    shown = json.dumps({**operation_to_json(everything()), "request": {}})
    of_the_api = {word for word in shown.split('"') if word.isalpha() and not word.islower() and word[0].islower()}
    assert {"workspaceId", "startedDateTime", "parentId", "requestId"} <= of_the_api
    row = head_row(everything())
    assert not {name for name in of_the_api if name in row or f'"{name}"' in json.dumps(row)}


@pytest.mark.parametrize("row", ENDED, ids=[f"{row['kind']}-{row['status']}-{n}" for n, row in enumerate(ENDED)])
def test_rows_of_release_0_2_0_are_shown_as_it_showed_them(row: Row) -> None:
    operation = operation_from_row(row)
    shown = operation_to_json(operation)
    later = {name: shown.pop(name) for name in ("questions", "undo")}  # It showed neither.
    assert json.dumps(shown) == json.dumps(BY_ID[operation.id]["operation"])
    assert [question["id"] for question in later["questions"]] == [question.step for question in operation.questions]


@pytest.mark.parametrize("row", ENDED, ids=[f"{row['kind']}-{row['status']}-{n}" for n, row in enumerate(ENDED)])
def test_rows_of_release_0_2_0_are_written_as_those_of_this_one(row: Row) -> None:
    operation = operation_from_row(row)
    assert head_row(operation)["schema"] == 1
    assert operation_from_row(head_row(operation)) == operation


def test_the_journal_and_the_index_of_release_0_2_0_are_read() -> None:
    rows = sorted(kept("journal"), key=lambda row: str(row["RowKey"]))
    answers = {key: answer["journal"] for key, answer in BY_ID.items() if "journal" in answer}
    for operation_id, shown in answers.items():
        own = [row for row in rows if f";{operation_id};" in row["RowKey"]]
        assert json.dumps([entry_to_json(entry_from_row(row)) for row in own]) == json.dumps(shown)
    assert len(answers) == 2
    for row in ENDED:
        if row["id"] in answers:
            keys = {each["RowKey"] for each in kept("index") if each["operation"] == row["id"]}
            assert keys == set(index_keys(operation_from_row(row)))


def test_what_steps_of_release_0_2_0_left_is_read_by_its_types() -> None:
    attach, detach, reattach = old("attach"), old("detach-forced"), old("reattach")
    assert attach.resolved.cluster is not None
    assert attach.resolved.cluster.node_count == 3
    sent, job = attach.result_of(ExtensionSent), attach.result_of(SmokeTestStarted)
    assert sent is not None
    assert sent.extension_id.endswith("/extensions/azureml")
    assert job is not None
    assert "/jobs/" in job.job_id
    survey, snapshot = detach.result_of(Surveyed), detach.result_of(Snapshot)
    assert survey is not None
    assert [use.name for use in survey.workloads] == ["train-1"]
    assert snapshot is not None
    assert snapshot.attach_request["computeName"] == "recorded"
    assert reattach.resolved.attach_request is not None
    assert reattach.resolved.kept_instance_types
    assert old("attach-without-cluster").resolved == Resolved()


def test_an_operation_of_release_0_2_0_that_is_under_way_goes_on() -> None:
    asking, leaving, attaching = (under_way(when) for when in ("asking", "leaving", "attaching"))
    assert [(q.step, q.answer) for q in asking.questions] == [("approval", None)]
    assert asking.current_step is not None
    assert asking.current_step.name == "approval"
    gone = leaving.step("compute_gone")
    assert gone is not None
    assert (gone.status, gone.value) == ("Waiting", {})
    assert leaving.questions[0].answered_by == RequestedBy("http", reason="fine")
    url = attaching.operation_url("attach_compute")
    assert url is not None
    assert "/computeOperationsStatus/" in url
    assert "operation_url" not in str([step.value for step in attaching.steps])


def changed_step(**fields: Any) -> Operation:
    """An operation of release 0.2.0 of which one step, ``compute_gone``, was like this."""
    (row,) = [each["row"] for each in kept("under_way") if each["when"] == "leaving"]
    steps = [{**step, **fields} if step["name"] == "compute_gone" else step for step in json.loads(row["steps"])]
    return operation_from_row({**row, "steps": json.dumps(steps)})


def test_what_a_step_of_release_0_2_0_had_seen_is_its_progress() -> None:
    value: Row = {"goneSince": "2026-11-30T16:14:33.810Z", "state": "Deleting", "failedBefore": True}
    gone = changed_step(value=value).step("compute_gone")
    assert gone is not None
    assert (gone.failed_before, gone.value) == (True, {})
    assert gone.progress_of(ComputeLeaving) == ComputeLeaving(from_text(value["goneSince"]))


def test_a_step_of_the_first_release_had_one_intent_and_no_version() -> None:
    told = {"action": "create", "resourceId": "/id", "time": "2026-11-20T12:00:00.000Z"}
    row = {key: value for key, value in ENDED[0].items() if key not in ("planOnly", "questions")}
    for intent, read in ((told, (Intent("create", "/id", NOW),)), (None, ())):
        steps = [
            {**{k: v for k, v in step.items() if k not in ("intents", "version")}, "intent": intent}
            for step in json.loads(row["steps"])
        ]
        operation = operation_from_row({**row, "steps": json.dumps(steps)})
        assert {step.intents for step in operation.steps} == {read}
        assert (operation.plan_only, operation.questions) == (False, ())


def test_a_row_with_more_columns_is_read() -> None:
    row = head_row(everything())
    steps = [{**step, "added": {"a": 1}} for step in json.loads(row["steps"])]
    more = {**row, "schema": 2, "added": "text", "also": 5, "steps": json.dumps(steps)}
    assert operation_from_row(more) == everything()


def test_a_row_with_fewer_columns_is_read() -> None:
    needed = {
        "schema",
        "id",
        "kind",
        "status",
        "request",
        "fingerprint",
        "requested_by",
        "created_time",
        "updated_time",
    }
    full = head_row(everything())
    fewer = operation_from_row({name: full[name] for name in needed})
    assert fewer == Operation(
        id="op",
        kind="attach",
        status="Failed",
        request={"namespace": "default"},
        fingerprint="f",
        requested_by=everything().requested_by,
        created_time=NOW,
        updated_time=NOW,
    )
    for name in needed - {"schema"}:
        with pytest.raises(CodecError, match=f"Operation: {name}"):
            operation_from_row({key: full[key] for key in needed - {name}})


@pytest.mark.parametrize(
    ("column", "stored"),
    [
        *(("steps", text) for text in ("", "{", "null", "5", '"x"', "[5]", "[{}]", '[{"name": 1}]')),
        *(("request", text) for text in ("[]", "not json", "null")),
        *(("run", each) for each in ("1", 1.5, None)),
        *(("created_time", each) for each in ("yesterday", 5, None)),
        ("requested_by", "{}"),
        ("operation_urls", '{"a": 1}'),
        ("questions", '[{"step": "s"}]'),
        ("problem", '{"code": "C"}'),
    ],
)
def test_a_row_that_cannot_be_understood_is_one_error(column: str, stored: Any) -> None:
    with pytest.raises(CodecError):
        operation_from_row({**head_row(everything()), column: stored})


@pytest.mark.parametrize(
    ("column", "stored"),
    [
        *(("steps", text) for text in ("", "{", "null", "5", '["x"]', "[{}]", '[{"name": 1, "value": 5}]')),
        *(("requestedBy", text) for text in ("5", "[]", "x")),
        *(("made", text) for text in ("5", '[{"id": 1}]')),
        ("createdTime", "yesterday"),
        ("problem", '"text"'),
        ("questions", "[5]"),
        ("operationUrls", "[5]"),
    ],
)
def test_so_is_one_of_release_0_2_0(column: str, stored: Any) -> None:
    with pytest.raises(CodecError):
        operation_from_row({**ENDED[0], column: stored})
    missing = {name: value for name, value in ENDED[0].items() if name != "steps"}
    with pytest.raises(CodecError):
        operation_from_row(missing)
