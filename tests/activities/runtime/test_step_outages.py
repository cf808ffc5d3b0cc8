"""Time in which Azure or storage does not answer is none of a step's: it uses up no deadline and no attempts."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from azure.core.exceptions import ServiceRequestError

from activities.runtime import transitions
from activities.runtime.step import StepAtWork, run_step
from domain.operation import step_lists
from domain.operation.outcomes import Again, Done, Outcome
from domain.operation.record import JournalEntry, Operation, StepRecord
from domain.times import to_text
from gateways import clock
from gateways.azure.arm import TOO_MUCH, ArmError
from gateways.storage import records
from tests.activities.runtime.stepping import STEPS, answering, call, stored
from tests.conftest import Tables
from tests.making import NOW, make_operation

OUT = ArmError(503, "ServerBusy", "busy", 20.0)


@pytest.fixture(autouse=True)
def recorded(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> Operation:
    monkeypatch.setattr(step_lists, "PRESENT", {"attach": STEPS})
    return records.insert(make_operation(), [JournalEntry("operation", "accepted", NOW)])


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock: the seconds since now, which a test moves on."""
    seconds, begun = [0.0], clock.now()
    monkeypatch.setattr(clock, "now", lambda: begun + timedelta(seconds=seconds[0]))
    return seconds


def first() -> StepRecord:
    step = stored().step("first")
    assert step is not None
    return step


@pytest.mark.parametrize("name", ["first", "ready"])
@pytest.mark.parametrize(
    "error", [OUT, ArmError(429, "TooManyRequests", "", 60.0), ArmError(0, "ServiceRequestError", "no answer")]
)
def test_three_hours_of_outage_end_no_step_of_ten_minutes(later: list[float], error: ArmError, name: str) -> None:
    if name == "ready":
        run_step(answering(Done())[0], call())
    for minute in range(0, 181, 30):
        later[0] = minute * 60.0
        answer = run_step(answering(error)[0], call(name))
        assert answer["kind"] == "again"
        assert answer["after"] >= (error.retry_after or 1.0)
    # What is left of its time it gets afterwards: a look beyond the deadline ends it, and none before that does.
    step = stored().step(name)
    assert step is not None
    bound = step.bound_seconds
    assert bound is not None
    later[0] = 3 * 3600 + bound - 60
    assert run_step(answering(Again(None, "not yet"))[0], call(name))["kind"] == "again"
    lost = stored().step(name)
    assert lost is not None
    assert lost.outage_since is None
    assert lost.outage_seconds == pytest.approx(3 * 3600 + bound - 60, abs=1)
    later[0] += bound + 60
    told = run_step(answering(Again(None, "not yet"))[0], call(name))
    assert told["problem"]["code"] == "DeadlineExceeded"


def test_the_deadline_of_the_record_moves_with_an_outage(later: list[float]) -> None:
    run_step(answering(Again(None, "not yet"))[0], call())
    before = first().deadline
    run_step(answering(OUT)[0], call())
    later[0] = 3600.0
    run_step(answering(Done())[0], call())
    assert before is not None
    assert first().deadline == before + timedelta(hours=1)


def test_a_deadline_ends_a_step_only_after_a_successful_look_beyond_it(later: list[float]) -> None:
    run_step(answering(Again(None, "not yet"))[0], call())
    later[0] = 601.0
    assert run_step(answering(OUT)[0], call())["kind"] == "again"
    assert run_step(answering(Again(None, "not yet"))[0], call())["problem"]["code"] == "DeadlineExceeded"


def test_a_list_without_an_end_is_no_outage(later: list[float]) -> None:
    endless = ArmError(0, TOO_MUCH, "the lists have more than 1000 pages")
    assert run_step(answering(endless)[0], call())["kind"] == "again"
    later[0] = 601.0
    assert run_step(answering(endless)[0], call())["problem"]["code"] == "DeadlineExceeded"


def test_what_azure_fails_over_is_no_outage(later: list[float]) -> None:
    """A service answers 500 for as long as it is asked the same."""
    failing = ArmError(500, "InternalServerError", "no")
    assert run_step(answering(failing)[0], call())["kind"] == "again"
    later[0] = 601.0
    assert run_step(answering(failing)[0], call())["problem"]["code"] == "DeadlineExceeded"


def test_a_cluster_that_does_not_answer_is_no_outage_of_azure(later: list[float]) -> None:
    silent = ArmError(0, "Unreachable", "no answer", by_cluster=True)
    run_step(answering(silent)[0], call())
    later[0] = 601.0
    assert run_step(answering(silent)[0], call())["problem"]["code"] == "DeadlineExceeded"


@pytest.mark.parametrize("name", ["first", "ready"])
def test_an_outage_of_storage_uses_up_no_deadline(
    later: list[float], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if name == "ready":
        run_step(answering(Done())[0], call())
    run_step(answering(Again(None, "not yet"))[0], call(name))
    read = records.read

    def silent(_: str) -> None:
        raise ServiceRequestError("no route")

    later[0] = 60.0
    since = to_text(clock.now())
    monkeypatch.setattr(records, "read", silent)
    assert run_step(answering()[0], call(name)) == {"kind": "again", "after": 15.0, "unwritten": True}
    monkeypatch.setattr(records, "read", read)
    later[0] = 3 * 3600.0
    answer = run_step(answering(Again(None, "not yet"))[0], call(name, unwrittenSince=since))
    assert answer["kind"] == "again"
    step = stored().step(name)
    assert step is not None
    assert step.outage_seconds == pytest.approx(3 * 3600 - 60, abs=2)


def test_nobody_stretches_a_deadline_by_what_they_say_of_a_time_in_which_the_record_was_written(
    later: list[float],
) -> None:
    run_step(answering(Again(None, "not yet"))[0], call())
    later[0] = 590.0
    run_step(answering(Again(None, "not yet"))[0], call())
    later[0] = 650.0
    long_ago = to_text(clock.now() - timedelta(days=30))
    run_step(answering(Again(None, "not yet"))[0], call(unwrittenSince=long_ago))
    assert first().outage_seconds == pytest.approx(60.0, abs=1)


def test_the_wait_of_many_that_were_told_the_same_spreads(later: list[float]) -> None:
    run_step(answering(OUT)[0], call())
    later[0] = 600.0
    pauses = {run_step(answering(OUT)[0], call())["after"] for _ in range(5)}
    assert len(pauses) == 5
    assert all(20.0 <= pause <= 50.0 for pause in pauses)


def test_a_run_that_went_back_waits_no_shorter_for_an_outage_before(later: list[float]) -> None:
    """A drain counts from its first beginning: time lost then is not counted either."""
    begun = datetime.fromisoformat("2026-11-20T12:00:00+00:00")
    step = StepRecord("drain", "until", "Waiting", 1, started=begun, outage_seconds=3600.0)
    assert step.begun_again().first_started == begun + timedelta(hours=1)


@pytest.mark.parametrize("name", ["first", "ready"])
def test_an_outage_uses_up_no_attempt_and_a_new_beginning_has_all_of_them(later: list[float], name: str) -> None:
    tries: list[int] = []

    def work(step: StepAtWork) -> Outcome:
        tries.append(step.tries)
        raise OUT if len(tries) <= 20 else ArmError(500, "InternalServerError", "no")

    if name == "ready":
        run_step(answering(Done())[0], call("first"))
    for _ in range(23):
        later[0] += 30.0
        run_step(work, call(name))
    # A poll that finds the same is not counted.
    assert tries == [1] * 21 + [2, 3 if name == "first" else 2]
    step = stored().step(name)
    assert step is not None
    assert step.begun_again().attempts == step.begun_again().uncounted


def test_what_waits_for_long_tells_the_journal_of_changes_only(later: list[float]) -> None:
    """Three hours of outage, then another one: a do writes that it was called, and no line for each call."""
    for error in (OUT, ArmError(429, "TooManyRequests", "slow down", 60.0)):
        for _ in range(180):
            later[0] += 60.0
            run_step(answering(error)[0], call())
    lines = [(e.event, e.attempt) for e in records.journal("op", 1, 1000)]
    begun = [("started", 1), *(("retried", n) for n in range(2, 6))]
    assert lines[:10] == [line for event, n in begun for line in ((event, n), ("waiting", n))]
    assert lines[10:] == [("waiting", 181)]
    assert first().attempts == 360


def test_a_step_that_begins_again_says_so_however_often_it_was_called(later: list[float]) -> None:
    for _ in range(8):
        later[0] += 60.0
        run_step(answering(OUT)[0], call())
    records.change("op", None, lambda o: records.Change(o.with_step(first().begun_again())), clock.now())
    run_step(answering(Done())[0], call())
    lines = [(e.event, e.attempt) for e in records.journal("op", 11, 1000)]
    assert lines == [("retried", 9), ("succeeded", 9)]


def test_work_sees_how_long_it_could_not_look(later: list[float]) -> None:
    seen: list[float] = []

    def work(step: StepAtWork) -> Outcome:
        seen.append(step.in_outage)
        raise OUT

    for moment in (0.0, 100.0, 300.0):
        later[0] = moment
        run_step(work, call())
    assert seen == pytest.approx([0.0, 100.0, 300.0], abs=1)
    assert transitions.outage_since(stored(), first(), transitions.Call("op", 1, "first", 0.0, clock.now())) is not None
