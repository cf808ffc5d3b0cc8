"""What an orchestrator can decide, and the check that a replayed decision fits the one in its history."""

from __future__ import annotations

from dataclasses import dataclass

from packages.functions_host.durable.protocol.history import Event


@dataclass(frozen=True)
class ScheduleActivity:
    """Call an activity; ``input_text`` reaches the function as it is."""

    task_id: int
    name: str
    input_text: str | None


@dataclass(frozen=True)
class CreateTimer:
    """Wake the orchestrator at ``fire_at`` (a time stamp as text)."""

    task_id: int
    fire_at: str


@dataclass(frozen=True)
class CreateChild:
    """Start a sub-orchestration; ``input_text`` is JSON, the action's own JSON text encoded once more."""

    task_id: int
    name: str
    instance_id: str
    input_text: str
    version: str | None


@dataclass(frozen=True)
class Complete:
    """End the generation: Completed, Failed, Terminated or ContinuedAsNew (``result`` is then the next input).

    ``failure`` are the FailureDetails of a failure that is the engine's own.
    """

    status: str
    result: str | None
    details: str | None
    task_id: int = -1
    failure: Event | None = None


Decision = ScheduleActivity | CreateTimer | CreateChild | Complete

# The extension names its own classes in these texts.
_ACTION_CLASS = {
    ScheduleActivity: "ScheduleTaskOrchestratorAction",
    CreateTimer: "CreateTimerOrchestratorAction",
    CreateChild: "CreateSubOrchestrationAction",
    Complete: "OrchestrationCompleteOrchestratorAction",
}


class NonDeterministic(Exception):
    """The history holds something that the code no longer schedules at this number."""


def check_scheduled(event: Event, decision: Decision | None) -> None:
    """Compare a scheduling event with the decision of the same number: kind and name, not inputs.

    Raises NonDeterministic worded as DurableTask.Core words it (recorded in s16; the other texts are from its source).
    """
    number, kind = event["EventId"], event["EventType"]
    asked = "Was a change made to the orchestrator code after this instance had already started running?"
    if kind == 4:
        start = "A previous execution of this orchestration scheduled an activity task with sequence"
        name = event["Name"]
        if decision is None:
            raise NonDeterministic(
                f"{start} ID {number} and name '{name}' (version '{event['Version']}'), but the current replay "
                f"execution hasn't (yet?) scheduled this task. {asked}"
            )
        if not isinstance(decision, ScheduleActivity):
            raise NonDeterministic(
                f"{start} number {number} named '{name}', but the current orchestration replay instead produced a "
                f"{_ACTION_CLASS[type(decision)]} action with this sequence number. {asked}"
            )
        if decision.name.lower() != name.lower():
            raise NonDeterministic(
                f"{start} number {number} named '{name}', but the current orchestration replay instead scheduled an "
                f"activity task named '{decision.name}' with this sequence number.  {asked}"
            )
    elif kind == 10:
        start = f"A previous execution of this orchestration scheduled a timer task with sequence number {number}"
        if decision is None:
            raise NonDeterministic(
                f"{start} but the current replay execution hasn't (yet?) scheduled this task. {asked}"
            )
        if not isinstance(decision, CreateTimer):
            raise NonDeterministic(
                f"{start} named but the current orchestration replay instead produced a "
                f"{_ACTION_CLASS[type(decision)]} action with this sequence number. {asked}"
            )
    else:
        start = (
            f"A previous execution of this orchestration scheduled a sub-orchestration task with sequence ID {number} "
            f"and name '{event['Name']}' (version '{event['Version'] or ''}', instance ID '{event['InstanceId']}'), "
            "but the current"
        )
        if decision is None:
            raise NonDeterministic(f"{start} replay execution hasn't (yet?) scheduled this task. {asked}")
        if not isinstance(decision, CreateChild):
            raise NonDeterministic(
                f"{start} orchestration replay instead produced a {_ACTION_CLASS[type(decision)]} action at this "
                f"sequence number. {asked}"
            )
        if decision.name.lower() != event["Name"].lower():
            raise NonDeterministic(
                f"{start} orchestration replay instead scheduled a sub-orchestration task with name {decision.name} at "
                f"this sequence number. {asked}"
            )
