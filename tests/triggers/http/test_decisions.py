from __future__ import annotations

from dataclasses import replace

import pytest

from domain.operation.record import Operation, StepRecord
from gateways.storage import records
from gateways.storage.records import Change
from tests.conftest import Tables
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
