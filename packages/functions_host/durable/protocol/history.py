"""History events as the wire carries them: plain dictionaries whose key order is the wire order.

Source: the recorded contexts of extension 3.19.0; every event has all of its fields, null included. ``IsPlayed`` is
stored with the event: false for what an episode writes itself, true for what a finished episode has consumed.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

Event = dict[str, Any]


class EventType(IntEnum):
    """The numbers of DurableTask.Core's event types."""

    EXECUTION_STARTED = 0
    EXECUTION_COMPLETED = 1
    EXECUTION_TERMINATED = 3
    TASK_SCHEDULED = 4
    TASK_COMPLETED = 5
    TASK_FAILED = 6
    SUB_ORCHESTRATION_CREATED = 7
    SUB_ORCHESTRATION_COMPLETED = 8
    SUB_ORCHESTRATION_FAILED = 9
    TIMER_CREATED = 10
    TIMER_FIRED = 11
    ORCHESTRATOR_STARTED = 12
    ORCHESTRATOR_COMPLETED = 13
    EVENT_RAISED = 15
    GENERIC = 17
    EXECUTION_SUSPENDED = 19
    EXECUTION_RESUMED = 20


STATUS_NAMES = {
    0: "ExecutionStarted",
    1: "ExecutionCompleted",
    3: "ExecutionTerminated",
    4: "TaskScheduled",
    5: "TaskCompleted",
    6: "TaskFailed",
    7: "SubOrchestrationInstanceCreated",
    8: "SubOrchestrationInstanceCompleted",
    9: "SubOrchestrationInstanceFailed",
    10: "TimerCreated",
    11: "TimerFired",
    15: "EventRaised",
    17: "GenericEvent",
    19: "ExecutionSuspended",
    20: "ExecutionResumed",
}

# Results of tasks and the field that says which task.
RESULT_KEYS = {5: "TaskScheduledId", 6: "TaskScheduledId", 8: "TaskScheduledId", 9: "TaskScheduledId", 11: "TimerId"}


def _tail(timestamp: str, event_id: int = -1) -> Event:
    return {"EventId": event_id, "IsPlayed": False, "Timestamp": timestamp}


def execution_started(
    *,
    instance_id: str,
    execution_id: str,
    name: str,
    input_text: str | None,
    generation: int | None,
    timestamp: str,
    parent: Event | None = None,
    version: str | None = None,
    tags: dict[str, str] | None = None,
) -> Event:
    """The start of a generation; ``parent`` is the ParentInstance object of a child."""
    return {
        "OrchestrationInstance": {"InstanceId": instance_id, "ExecutionId": execution_id},
        "EventType": 0,
        "ParentInstance": parent,
        "Name": name,
        "Version": version,
        "Input": input_text,
        "Tags": tags,
        "Correlation": None,
        "ParentTraceContext": None,
        "ScheduledStartTime": None,
        "Generation": generation,
        "GenerateNewTrace": False,
        **_tail(timestamp),
    }


def parent_instance(name: str, instance_id: str, execution_id: str, task_id: int, version: str | None) -> Event:
    """The ParentInstance object of a child's start."""
    return {
        "Name": name,
        "OrchestrationInstance": {"InstanceId": instance_id, "ExecutionId": execution_id},
        "TaskScheduleId": task_id,
        "Version": version,
    }


def failure_details(kind: str, text: str) -> Event:
    """The FailureDetails of a failure that is the engine's own (extension 3.19.0)."""
    return {
        "ErrorType": kind,
        "ErrorMessage": text,
        "StackTrace": None,
        "InnerFailure": None,
        "IsNonRetriable": True,
        "Properties": None,
    }


def execution_completed(
    event_id: int, status: str, result: str | None, timestamp: str, failure: Event | None = None
) -> Event:
    """The end of a generation; never sent to Python, shown in the status with history."""
    return {
        "EventType": 1,
        "OrchestrationStatus": status,
        "Result": result,
        "FailureDetails": failure,
        **_tail(timestamp, event_id),
    }


def execution_terminated(reason: str | None, timestamp: str) -> Event:
    """A terminate request."""
    return {"EventType": 3, "Input": reason, **_tail(timestamp)}


def task_scheduled(event_id: int, name: str, timestamp: str) -> Event:
    """An activity was scheduled."""
    return {
        "EventType": 4,
        "Name": name,
        "Version": "",
        "Input": None,
        "ParentTraceContext": None,
        "Tags": None,
        **_tail(timestamp, event_id),
    }


def task_completed(task_id: int, result: str | None, timestamp: str) -> Event:
    """An activity returned."""
    return {"EventType": 5, "TaskScheduledId": task_id, "Result": result, **_tail(timestamp)}


def task_failed(task_id: int, reason: str, details: str | None, timestamp: str) -> Event:
    """An activity raised."""
    return {
        "EventType": 6,
        "TaskScheduledId": task_id,
        "Reason": reason,
        "Details": details,
        "FailureDetails": None,
        **_tail(timestamp),
    }


def child_created(event_id: int, name: str, instance_id: str, version: str | None, timestamp: str) -> Event:
    """A sub-orchestration was scheduled."""
    return {
        "EventType": 7,
        "Name": name,
        "Version": version,
        "InstanceId": instance_id,
        "Input": None,
        "ClientSpanId": None,
        "Tags": None,
        **_tail(timestamp, event_id),
    }


def child_completed(task_id: int, result: str | None, timestamp: str) -> Event:
    """A sub-orchestration completed."""
    return {"EventType": 8, "TaskScheduledId": task_id, "Result": result, **_tail(timestamp)}


def child_failed(
    task_id: int, reason: str | None, details: str | None, timestamp: str, failure: Event | None = None
) -> Event:
    """A sub-orchestration failed or was terminated."""
    return {
        "EventType": 9,
        "TaskScheduledId": task_id,
        "Reason": reason,
        "Details": details,
        "FailureDetails": failure,
        **_tail(timestamp),
    }


def timer_created(event_id: int, fire_at: str, timestamp: str) -> Event:
    """A timer was created."""
    return {"EventType": 10, "FireAt": fire_at, **_tail(timestamp, event_id)}


def timer_fired(timer_id: int, fire_at: str, created: str) -> Event:
    """A timer is due; its time stamp is that of its creation (recorded)."""
    return {"EventType": 11, "TimerId": timer_id, "FireAt": fire_at, **_tail(created)}


def orchestrator_started(timestamp: str) -> Event:
    """An episode begins."""
    return {"EventType": 12, **_tail(timestamp)}


def orchestrator_completed(timestamp: str) -> Event:
    """An episode ends."""
    return {"EventType": 13, **_tail(timestamp)}


def event_raised(name: str, input_text: str, timestamp: str) -> Event:
    """An external event; ``input_text`` is JSON."""
    return {"EventType": 15, "Name": name, "Input": input_text, "ParentTraceContext": None, **_tail(timestamp)}


def generic(data: str | None, timestamp: str, event_id: int = -1, played: bool = False) -> Event:
    """What a rewind leaves in place of a failure, and the rewind itself."""
    return {"Data": data, "EventType": 17, "EventId": event_id, "IsPlayed": played, "Timestamp": timestamp}


def execution_suspended(reason: str | None, timestamp: str) -> Event:
    """A suspend request."""
    return {"EventType": 19, "Reason": reason, **_tail(timestamp)}


def execution_resumed(reason: str | None, timestamp: str) -> Event:
    """A resume request."""
    return {"EventType": 20, "Reason": reason, **_tail(timestamp)}


def played(event: Event) -> Event:
    """The event as it is stored once an episode has consumed it; starts of episodes stay unplayed (recorded)."""
    return event if event["EventType"] == 12 else {**event, "IsPlayed": True}


def start_event(events: list[Event]) -> Event | None:
    """The ExecutionStarted of a history, None when there is none."""
    return next((event for event in events if event["EventType"] == 0), None)
