"""What an answer means: the walk of its actions, without a store or an SDK."""

from typing import Any

import pytest

from packages.functions_host.durable.decisions import (
    Complete,
    CreateChild,
    CreateTimer,
    ScheduleActivity,
)
from packages.functions_host.durable.protocol import history, reply
from packages.functions_host.durable.protocol.history import Event
from packages.functions_host.durable.protocol.reply import Reply
from packages.functions_host.durable.replay import Names, Outcome, Replay
from packages.functions_host.workers.errors import WorkerError

NOW = "2026-11-20T22:08:18Z"
LATER = "2026-11-20T23:08:18Z"
NAMES = Names(("echo", "work"), ("parent", "child"))
CALL = {"actionType": 0, "functionName": "echo", "input": "1"}
WAIT = {"actionType": 6, "externalEventName": "go", "reason": "ExternalEvent"}
TIMER = {"actionType": 5, "fireAt": LATER, "isCanceled": False}
CHILD = {"actionType": 2, "functionName": "child", "input": "null", "instanceId": None, "version": None}


def start(*, parent: str | None = None) -> list[Event]:
    above = None if parent is None else history.parent_instance("parent", parent, "e0", 0, None)
    begun = history.execution_started(
        instance_id="me", execution_id="e1", name="parent", input_text=None, generation=0, timestamp=NOW, parent=above
    )
    return [history.orchestrator_started(NOW), begun]


def run(actions: list[dict[str, Any]], *events: Event, parent: str | None = None, **state: Any) -> Outcome:
    answer = Reply(actions=tuple(actions), **state)
    events_of_start = start(parent=parent)
    walk = Replay(start=events_of_start[1], parent_instance_id=parent, reply=answer, names=NAMES)
    return walk.run([*events_of_start, *events])


def test_what_the_history_does_not_know_is_new() -> None:
    assert run([CALL]).decisions == [ScheduleActivity(0, "echo", "1")]
    scheduled = history.task_scheduled(0, "echo", NOW)
    assert run([CALL, CALL], scheduled).decisions == []
    done = history.task_completed(0, "1", NOW)
    assert run([CALL, CALL], scheduled, done).decisions == [ScheduleActivity(1, "echo", "1")]


def test_numbers_run_over_activities_timers_and_children_alike() -> None:
    everything = {"actionType": 12, "compoundActions": [CALL, WAIT, TIMER, CHILD]}
    assert run([everything]).decisions == [
        ScheduleActivity(0, "echo", "1"),
        CreateTimer(1, LATER),
        CreateChild(2, "child", "e1:2", '"null"', None),
    ]


def test_any_goes_on_with_the_first_and_all_with_the_last() -> None:
    events = [history.task_scheduled(0, "echo", NOW), history.task_scheduled(1, "echo", NOW)]
    one = history.task_completed(1, "1", NOW)
    for kind, following in ((11, [ScheduleActivity(2, "echo", "1")]), (12, [])):
        both = {"actionType": kind, "compoundActions": [CALL, CALL]}
        assert run([both, CALL], *events, one).decisions == following


def test_nothing_ends_while_a_task_is_open() -> None:
    scheduled = history.timer_created(0, LATER, NOW)
    either = {"actionType": 11, "compoundActions": [WAIT, TIMER]}
    event = history.event_raised("go", "1", NOW)
    assert run([either], scheduled, event, is_done=True, output=1).decisions == []
    cancelled = {"actionType": 11, "compoundActions": [WAIT, {**TIMER, "isCanceled": True}]}
    outcome = run([cancelled], scheduled, event, is_done=True, output=1)
    assert outcome.decisions == [Complete("Completed", "1", None, 1)]


def test_an_error_of_the_sdk_fails_the_instance_and_keeps_its_actions() -> None:
    outcome = run([CALL], error="nope")
    assert outcome.decisions == [ScheduleActivity(0, "echo", "1")]
    done = [history.task_scheduled(0, "echo", NOW), history.task_completed(0, "1", NOW)]
    (ending,) = run([CALL], *done, error="nope").decisions
    assert isinstance(ending, Complete)
    assert (ending.status, ending.result) == ("Failed", "Orchestrator function 'parent' failed: nope")
    assert (ending.details or "").startswith("Message: nope, StackTrace:    at ")


def test_events_that_come_after_continue_as_new_are_carried_over() -> None:
    first, second = history.event_raised("go", "1", NOW), history.event_raised("GO", "2", NOW)
    again = {"actionType": 4, "input": "{}"}
    outcome = run([WAIT, again], first, second, is_done=True)
    assert outcome.decisions == [Complete("ContinuedAsNew", '"{}"', None, 0)]
    assert outcome.carried_events == [second]


def test_the_latest_wait_gets_the_event() -> None:
    race = {"actionType": 11, "compoundActions": [WAIT, CALL]}
    events = [history.task_scheduled(0, "echo", NOW), history.task_completed(0, "1", NOW)]
    # The wait of the race is abandoned; the event goes to the second wait, so the walk comes through.
    outcome = run([race, WAIT], *events, history.event_raised("go", "1", NOW), is_done=True)
    assert outcome.decisions == [Complete("Completed", None, None, 1)]


def test_while_suspended_nothing_is_scheduled_until_resumed() -> None:
    events = [
        history.task_scheduled(0, "echo", NOW),
        history.execution_suspended("hold", NOW),
        history.task_completed(0, "1", NOW),
    ]
    assert run([CALL, CALL], *events).decisions == []
    events.append(history.execution_resumed(None, NOW))
    assert run([CALL, CALL], *events).decisions == [ScheduleActivity(1, "echo", "1")]


def test_what_was_about_to_be_scheduled_when_suspended_is_held() -> None:
    events = [history.execution_suspended("hold", NOW)]
    assert run([CALL], *events).decisions == []
    events.append(history.execution_resumed(None, NOW))
    assert run([CALL], *events).decisions == [ScheduleActivity(0, "echo", "1")]


def test_terminate_ends_whatever_the_reply_says() -> None:
    outcome = run([WAIT], history.execution_terminated("enough", NOW))
    assert outcome.decisions == [Complete("Terminated", "enough", None, 0)]


@pytest.mark.parametrize(
    ("action", "event", "text"),
    [
        (WAIT, history.task_scheduled(0, "echo", NOW), "scheduled an activity task with sequence ID 0 and name 'echo'"),
        (TIMER, history.task_scheduled(0, "echo", NOW), "instead produced a CreateTimerOrchestratorAction action"),
        (CALL, history.task_scheduled(0, "work", NOW), "instead scheduled an activity task named 'echo'"),
        (WAIT, history.timer_created(0, LATER, NOW), "scheduled a timer task with sequence number 0 but"),
        (CALL, history.timer_created(0, LATER, NOW), "instead produced a ScheduleTaskOrchestratorAction action"),
        (WAIT, history.child_created(0, "child", "x", None, NOW), "sub-orchestration task with sequence ID 0"),
        (CALL, history.child_created(0, "child", "x", None, NOW), "produced a ScheduleTaskOrchestratorAction action"),
        (
            CHILD,
            history.child_created(0, "other", "x", None, NOW),
            "scheduled a sub-orchestration task with name child",
        ),
    ],
)
def test_a_history_that_does_not_fit_fails_the_instance(action: dict[str, Any], event: Event, text: str) -> None:
    ending = run([action], event).decisions[-1]
    assert isinstance(ending, Complete)
    assert ending.status == "Failed"
    assert (ending.result or "").startswith("Non-Deterministic workflow detected: A previous execution of this")
    assert text in (ending.result or "")


@pytest.mark.parametrize(
    "action",
    [
        {"actionType": 0, "functionName": "nobody", "input": "1"},
        {"actionType": 2, "functionName": "nobody", "input": "1", "instanceId": None},
        {**CHILD, "instanceId": "ME"},
        {**CHILD, "instanceId": "Above"},
        {**CHILD, "instanceId": "@entity@key"},
        {"actionType": 7, "instanceId": "@a@b", "operation": "add"},
    ],
)
def test_what_hangs_the_real_engine_hangs_with_a_warning(action: dict[str, Any]) -> None:
    outcome = run([action], parent="above")
    assert outcome.decisions == []
    assert len(outcome.warnings) == 1


def test_an_action_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ValueError, match="unexpected action type"):
        run([{"actionType": 99}])


def test_names_are_looked_up_in_any_case() -> None:
    assert run([{**CALL, "functionName": "ECHO"}]).decisions == [ScheduleActivity(0, "ECHO", "1")]
    assert NAMES.activity("Echo") == "echo"
    assert NAMES.orchestrator("nobody") is None


def test_a_raised_state_is_found_behind_its_label() -> None:
    text = 'nope\n\n$OutOfProcData$:{"isDone": false, "schemaVersion": 2, "actions": [[]], "error": "nope"}'
    assert reply.from_error(WorkerError("Exception", text, "  File x")) == Reply(error="nope")
    plain = reply.from_error(WorkerError("ValueError", "nope", "  File x"))
    assert plain.fatal == "One or more errors occurred. (Result: Failure\nException: ValueError: nope\nStack:   File x)"


def test_replies_that_are_no_states_fail_the_instance() -> None:
    assert reply.from_text("nonsense").fatal == "Out of proc orchestrators must return a valid JSON schema"
    several = reply.from_text('{"isDone": true, "schemaVersion": 2, "actions": [[], []]}')
    assert "expected actions array to be of length 1 in outer layer but got size: 2" in (several.fatal or "")
