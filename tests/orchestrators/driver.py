"""Drives an orchestrator's generator by hand: what it schedules is listed, what it gets is scripted."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrators.run import wait_until

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@dataclass
class Scheduled:
    """Something the orchestrator asked the engine for."""

    kind: str
    name: str = ""
    input: Any = None
    instance_id: str = ""
    fire_at: datetime | None = None
    members: tuple[Scheduled, ...] = ()
    canceled: bool = False

    def cancel(self) -> None:
        self.canceled = True


@dataclass
class FakeContext:
    """The part of DurableOrchestrationContext that orchestrators use. Timers move its clock."""

    input: Any
    instance_id: str = "op-1"
    current_utc_datetime: datetime = START
    scheduled: list[Scheduled] = field(default_factory=list)
    continued_with: Any = None
    version: str | None = None

    def get_input(self) -> Any:
        return self.input

    def call_activity(self, name: str, input_: Any) -> Scheduled:
        return self._add(Scheduled("activity", name, input_))

    def call_sub_orchestrator(self, name: str, input_: Any, instance_id: str) -> Scheduled:
        return self._add(Scheduled("child", name, input_, instance_id))

    def create_timer(self, fire_at: datetime) -> Scheduled:
        return self._add(Scheduled("timer", fire_at=fire_at))

    def wait_for_external_event(self, name: str) -> Scheduled:
        return self._add(Scheduled("event", name))

    def task_any(self, members: list[Scheduled]) -> Scheduled:
        return self._add(Scheduled("any", members=tuple(members)))

    def continue_as_new(self, input_: Any) -> None:
        self.continued_with = input_

    def _add(self, item: Scheduled) -> Scheduled:
        self.scheduled.append(item)
        return item


Answer = Callable[[Scheduled], Any]


def drive(orchestrator: Callable[[Any], Generator[Any, Any, Any]], context: FakeContext, answer: Answer) -> Any:
    """Run to the end; ``answer`` gives the result of each awaited thing, or raises what the engine would raise."""
    generator = orchestrator(context)
    send: Callable[[], Any] = lambda: next(generator)  # noqa: E731
    while True:
        try:
            awaited = send()
        except StopIteration as end:
            return end.value
        if awaited.kind == "timer":
            assert awaited.fire_at > context.current_utc_datetime
            context.current_utc_datetime = awaited.fire_at
        try:
            result = answer(awaited)
        except Exception as error:
            send = _thrower(generator, error)
        else:
            send = _sender(generator, result)


def generations(child: Scheduled, contexts: list[FakeContext], answer: Answer) -> Any:
    """What an until comes to that continues as new, and waits its timers out; its contexts join the others."""
    fields, now = child.input, contexts[-1].current_utc_datetime
    while True:
        context = FakeContext(fields, child.instance_id, now)
        contexts.append(context)
        end = drive(wait_until, context, answer)
        if end is not None:
            return end
        fields = context.continued_with
        now = next(s.fire_at for s in context.scheduled if s.kind == "timer") or now


def _sender(generator: Generator[Any, Any, Any], value: Any) -> Callable[[], Any]:
    return lambda: generator.send(value)


def _thrower(generator: Generator[Any, Any, Any], error: Exception) -> Callable[[], Any]:
    return lambda: generator.throw(error)


def seconds_after_start(moment: datetime | None) -> float:
    """Distance from the start of the fake clock."""
    assert moment is not None
    return (moment - START) / timedelta(seconds=1)
