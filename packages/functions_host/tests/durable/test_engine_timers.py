"""Timers of the engine: in simulated time, cancelled, left alone, long."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from packages.functions_host.tests.durable.harness import Running

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


async def test_a_timer_that_nobody_cancelled_keeps_the_instance_running(tmp_path: Path) -> None:
    def leaves(context: Any) -> Any:
        event = context.wait_for_external_event("go")
        timer = context.create_timer(context.current_utc_datetime + dt.timedelta(hours=1))
        won = yield context.task_any([event, timer])
        if context.get_input()["cancel"]:
            timer.cancel()
        return "event" if won is event else "timer"

    async with Running(tmp_path, {"leaves": leaves}) as app:
        kept, cancelled = app.start("leaves", {"cancel": False}), app.start("leaves", {"cancel": True})
        for instance_id in (kept, cancelled):
            await app.reached(instance_id, "Running")
            app.client.raise_event(instance_id, "go", "1")
        await app.finished(cancelled)
        await app.settled()
        row = app.client.get(kept)
        assert row is not None
        assert row.status == "Running"
        assert [timer.instance_id for timer in app.engine.store.timers()] == [kept]


async def test_a_cancelled_timer_still_arrives_when_it_is_due_and_changes_nothing(tmp_path: Path) -> None:
    def goes_on(context: Any) -> Any:
        event = context.wait_for_external_event("go")
        timer = context.create_timer(context.current_utc_datetime + dt.timedelta(seconds=200))  # Two real ones.
        won = yield context.task_any([event, timer])
        timer.cancel()
        last = yield context.wait_for_external_event("end")
        return [won is event, last]

    async with Running(tmp_path, {"goes_on": goes_on}) as app:
        instance_id = app.start("goes_on")
        await app.reached(instance_id, "Running")
        app.client.raise_event(instance_id, "go", "1")
        assert await app.engine.wait_for(lambda: len(app.history(instance_id, 11)) == 1, 60)
        await app.settled()
        app.client.raise_event(instance_id, "end", "2")
        row = await app.finished(instance_id)
        assert json.loads(row.output or "") == [True, 2]


async def test_timers_are_in_simulated_time(tmp_path: Path) -> None:
    def naps(context: Any) -> Any:
        began = context.current_utc_datetime
        yield context.create_timer(began + dt.timedelta(hours=9))
        return (context.current_utc_datetime - began).total_seconds()

    async with Running(tmp_path, {"naps": naps}, factor=200_000.0) as app:
        row = await app.finished(app.start("naps"))
        assert float(row.output or 0) >= 9 * 3600


async def test_a_timer_of_ten_days_comes_in_pieces_of_three(tmp_path: Path) -> None:
    def long(context: Any) -> Any:
        yield context.create_timer(context.current_utc_datetime + dt.timedelta(days=10))
        return "long"

    async with Running(tmp_path, {"long": long}, factor=1_000_000.0) as app:
        row = await app.finished(app.start("long"))
        assert json.loads(row.output or "") == "long"
        began, *_ = (moment(event["Timestamp"]) for event in app.history(row.instance_id, 12))
        pieces = app.history(row.instance_id, 10)
        assert moment(pieces[0]["FireAt"]) - began == dt.timedelta(days=3)
        # Here a tenth of a second is a day: a piece that comes late leaves less for the others.
        assert len(pieces) <= 3
        for piece in pieces:
            assert moment(piece["FireAt"]) - moment(piece["Timestamp"]) <= dt.timedelta(days=6)
        assert moment(app.history(row.instance_id, 1)[-1]["Timestamp"]) - began >= dt.timedelta(days=10)


def moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)
