from __future__ import annotations

from dataclasses import replace

import pytest

from domain.operation.outcomes import Created
from domain.operation.record import Operation, Question, StepRecord
from domain.problems import Problem
from gateways.storage import records
from gateways.storage.records import Change
from tests.conftest import Tables
from tests.entra import ADA, GRACE, TENANT
from tests.making import NOW
from tests.triggers.http.http_app import App, attach_body


async def operation_that(app: App, status: str) -> Operation:
    made = (await app.post("/attach", attach_body())).json
    app.engine.started.clear()
    steps = (StepRecord("claim", "do", "Failed" if status == "Failed" else "Succeeded", 1, 60.0),)
    return records.change(made["id"], None, lambda o: Change(replace(o, status=status, steps=steps)), NOW).operation


async def test_a_failed_operation_goes_on_as_a_new_run(app: App) -> None:
    before = await operation_that(app, "Failed")
    answer = await app.post(f"/operations/{before.id}/retry", {"reason": "the quota was raised"})
    assert answer.status == 202
    assert answer.json["status"] == "Running"
    assert app.engine.started == [("attach", f"{before.id}-2", {"operation": before.id, "run": 2})]
    assert app.engine.terminated == []
    assert records.journal(before.id, 0, 10)[-1].data["reason"] == "the quota was raised"


async def test_a_live_run_is_shut_out_and_stopped(app: App) -> None:
    before = await operation_that(app, "Waiting")
    assert (await app.post(f"/operations/{before.id}/retry", None)).status == 202
    assert app.engine.terminated == [f"{before.id}-1"]
    assert [started[1] for started in app.engine.started] == [f"{before.id}-2"]


async def test_a_retry_waits_in_a_pause_of_all(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await operation_that(app, "Failed")
    monkeypatch.setenv("MOOR_PAUSED", "all")
    for mode in ("", "?mode=undo"):
        answer = await app.post(f"/operations/{before.id}/retry{mode}", None)
        assert (answer.status, answer.error["code"]) == (503, "Paused")
    assert app.engine.started == []
    monkeypatch.setenv("MOOR_PAUSED", "starts")
    assert (await app.post(f"/operations/{before.id}/retry", None)).status == 202


async def test_a_cancel_goes_on_in_a_pause(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await operation_that(app, "Waiting")
    monkeypatch.setenv("MOOR_PAUSED", "all")
    assert (await app.post(f"/operations/{before.id}/cancel", None)).status == 202


async def test_an_engine_that_does_not_answer_loses_nothing(app: App) -> None:
    before = await operation_that(app, "Failed")
    app.engine.failing = True
    assert (await app.post(f"/operations/{before.id}/retry", None)).status == 202
    stored = records.read(before.id)
    assert stored is not None
    assert stored.operation.run == 2


async def test_what_succeeded_is_not_retried(app: App) -> None:
    before = await operation_that(app, "Succeeded")
    answer = await app.post(f"/operations/{before.id}/retry", {})
    assert (answer.status, answer.error["code"]) == (409, "NothingToRetry")
    assert app.engine.started == []


async def test_a_live_operation_is_told_to_cancel_and_its_waiter_is_woken(app: App) -> None:
    before = await operation_that(app, "Waiting")
    waiting = StepRecord("compute_ready", "until", "Waiting", 2, 60.0)
    records.change(before.id, None, lambda o: Change(o.with_step(waiting)), NOW)
    answer = await app.post(f"/operations/{before.id}/cancel", {"reason": "wrong cluster"})
    assert (answer.status, answer.json["status"]) == (202, "Canceling")
    assert app.engine.woken == [f"{before.id}-1:compute_ready"]
    assert records.journal(before.id, 0, 10)[-1].data["reason"] == "wrong cluster"


@pytest.mark.parametrize("status", ["Succeeded", "Failed"])
async def test_what_has_ended_is_not_cancelled(app: App, status: str) -> None:
    before = await operation_that(app, status)
    answer = await app.post(f"/operations/{before.id}/cancel", {})
    assert (answer.status, answer.error["code"]) == (409, "OperationEnded")


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/operations/unknown/retry", {}, 404, "OperationNotFound"),
        ("/operations/{id}/retry", {"why": "x"}, 400, "InvalidRequest"),
        ("/operations/{id}/retry", [], 400, "InvalidRequest"),
        ("/operations/{id}/retry", {"reason": "x" * 513}, 400, "InvalidRequest"),
        ("/operations/{id}/retry?force=true", {}, 400, "InvalidRequest"),
        ("/operations/{id}/retry", b"{", 415, "UnsupportedMediaType"),
    ],
)
async def test_a_bad_decision_changes_nothing(
    app: App, tables: Tables, path: str, body: object, status: int, code: str
) -> None:
    before = await operation_that(app, "Failed")
    rows = tables.rows()
    answer = await app.post(path.replace("{id}", before.id), body)
    assert (answer.status, answer.error["code"]) == (status, code)
    assert tables.rows() == rows
    assert app.engine.started == []


async def asking(app: App) -> Operation:
    before = await operation_that(app, "NeedsApproval")
    question = Question("approval", "Sure?", NOW, NOW.replace(year=2100), told=True, id="q1")
    steps = (StepRecord("approval", "ask", "Waiting"), StepRecord("later", "until", "Waiting"))
    asked = replace(before, questions=(question,), steps=steps)
    return records.change(before.id, None, lambda o: Change(asked), NOW).operation


async def test_an_answer_names_its_question_and_wakes_the_step_that_asks(app: App) -> None:
    before = await asking(app)
    shown = (await app.get(f"/operations/{before.id}")).json["questions"]
    assert [(q["id"], q["step"], q["answer"], q["answeredBy"]) for q in shown] == [("q1", "approval", None, None)]
    answer = await app.post(f"/operations/{before.id}/approve", {"questionId": "q1", "reason": "looked"})
    assert (answer.status, answer.json["questions"][0]["answer"]) == (202, "approve")
    assert answer.json["questions"][0]["reason"] == "looked"
    assert app.engine.woken == [f"{before.id}-1:approval"]
    again = await app.post(f"/operations/{before.id}/approve", {"questionId": "q1"})
    assert (again.status, again.error["code"]) == (409, "AlreadyDecided")


@pytest.mark.parametrize(
    ("verb", "status", "body", "shown"),
    [
        ("cancel", "Waiting", {}, ADA),
        ("retry", "Failed", {}, ADA),
        ("retry?mode=continue", "Failed", {}, ADA),
        ("approve", "NeedsApproval", {"questionId": "q1"}, GRACE),
        ("reject", "NeedsApproval", {"questionId": "q1"}, GRACE),
    ],
)
async def test_operation_and_journal_name_who_began_and_who_decided(
    app: App, verb: str, status: str, body: dict[str, str], shown: str
) -> None:
    """By tenant and object id; what the request says of itself, in headers or in its body, is no part of it."""
    forged = {"x-ms-client-principal-id": GRACE, "x-ms-client-principal": "e30="}
    before = await asking(app) if body else await operation_that(app, status)
    answer = await app.post(f"/operations/{before.id}/{verb}", {**body, "reason": "for X"}, forged)
    assert answer.status == 202
    assert answer.json["requestedBy"]["principal"] == f"{TENANT}:{ADA}"
    assert [q["answeredBy"] for q in answer.json["questions"]] == ([f"{TENANT}:{GRACE}"] if body else [])
    journal = (await app.get(f"/operations/{before.id}/journal")).json["value"]
    assert journal[0]["data"]["principal"] == f"{TENANT}:{ADA}"
    (decided,) = [line for line in journal if line["event"] == "decided"]
    assert (decided["message"], decided["data"]["principal"]) == (verb.partition("?")[0], f"{TENANT}:{shown}")
    assert decided["data"]["reason"] == "for X"


@pytest.mark.parametrize("verb", ["approve", "reject"])
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "InvalidRequest"),
        ({"reason": "x"}, 400, "InvalidRequest"),
        ({"questionId": 1}, 400, "InvalidRequest"),
        ({"questionId": None}, 400, "InvalidRequest"),
        ({"questionId": ""}, 409, "NotWaitingForApproval"),
        ({"questionId": "q2"}, 409, "NotWaitingForApproval"),
    ],
)
async def test_an_answer_to_no_question_changes_nothing(
    app: App, tables: Tables, verb: str, body: object, status: int, code: str
) -> None:
    before = await asking(app)
    rows = tables.rows()
    answer = await app.post(f"/operations/{before.id}/{verb}", body)
    assert (answer.status, answer.error["code"]) == (status, code)
    assert (tables.rows(), app.engine.woken) == (rows, [])


@pytest.mark.parametrize("mode", ["", "Undo", "redo", "undo,continue"])
async def test_an_unknown_mode_of_retry_is_refused(app: App, mode: str) -> None:
    before = await operation_that(app, "Failed")
    answer = await app.post(f"/operations/{before.id}/retry?mode={mode}", {})
    assert (answer.status, answer.error["code"]) == (400, "InvalidRequest")
    assert app.engine.started == []


async def test_an_undo_that_was_cut_short_is_shown_and_finished(app: App) -> None:
    before = await operation_that(app, "Failed")
    made = (Created("Microsoft.MachineLearningServices/workspaces/computes", before.compute_id),)
    problem = Problem("RunTerminated", "terminated")
    records.change(before.id, None, lambda o: Change(replace(o, created=made, problem=problem)), NOW)
    undo = (await app.get(f"/operations/{before.id}")).json["undo"]
    assert (undo["status"], [left["id"] for left in undo["left"]]) == ("Incomplete", [before.compute_id])
    assert undo["left"][0]["command"].startswith("az ml compute detach --name gpu ")
    answer = await app.post(f"/operations/{before.id}/retry?mode=undo", {"reason": "tidy up"})
    assert (answer.status, answer.json["status"], answer.json["undo"]["status"]) == (202, "Undoing", "Running")
    assert app.engine.started == [("attach", f"{before.id}-2", {"operation": before.id, "run": 2})]


@pytest.mark.parametrize("status", ["Failed", "Succeeded", "Waiting"])
async def test_where_nothing_is_to_be_undone_it_says_so(app: App, status: str) -> None:
    before = await operation_that(app, status)
    answer = await app.post(f"/operations/{before.id}/retry?mode=undo", {})
    assert (answer.status, answer.error["code"]) == (409, "NothingToUndo")
    assert app.engine.started == []


@pytest.mark.parametrize("verb", ["cancel", "retry", "approve", "reject"])
async def test_all_that_is_wrong_with_query_and_body_is_said_at_once(app: App, verb: str) -> None:
    named = {"questionId": 7} if verb in ("approve", "reject") else {}
    answer = await app.post(f"/operations/x/{verb}?plan=true&mode=&x", {"reason": 7, "more": 1, **named})
    assert answer.status == 400
    targets = {"/reason", "/more", "plan", "mode", "x", *(f"/{name}" for name in named)}
    assert {*answer.targets()} == targets
