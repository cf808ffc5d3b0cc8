"""What every step of an operation has in common: fence, record, deadline and back-off around one activity's work.

The outcome of a finished step is kept in the record. A step that is asked again - a message delivered twice, a run
resumed from the record - answers from there and does nothing.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from domain.azure_errors import outcome_of_error
from domain.catalogue.explain import make_problem
from domain.catalogue.facts import facts_of, situation_of
from domain.operations import (
    FAILED,
    NOT_STARTED,
    RUNNING,
    SKIPPED,
    SUCCEEDED,
    WAITING,
    Intent,
    JournalEntry,
    Operation,
    StepRecord,
)
from domain.outcomes import DONE, SUPERSEDED, Again, Done, Outcome, Stop, again, stop
from domain.times import from_text, in_words
from gateways import clock, records
from gateways.arm import ArmError
from gateways.records import Change, Superseded

logger = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 60.0


@dataclass(frozen=True)
class Call:
    """What the orchestrator says: whose step this is, and the time of its decision."""

    operation: str
    run: int
    step: str
    bound: float
    now: datetime
    always: bool = False
    plan: tuple[StepRecord, ...] = ()
    problem: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class StepAtWork:
    """What a step's work sees: the call, and its operation as recorded when the step began."""

    call: Call
    operation: Operation

    @property
    def record(self) -> StepRecord:
        """This step's own record."""
        record = self.operation.step(self.call.step)
        assert record is not None
        return record

    @property
    def intent(self) -> Intent | None:
        """What an earlier attempt of this step set out to change, if it got so far: look before acting again."""
        return self.record.intent

    @property
    def facts(self) -> dict[str, str]:
        """What problems say of this operation: names and ids for their texts and commands."""
        return facts_of(self.operation)

    def intend(self, action: str, resource_id: str) -> None:
        """Record what is about to be changed, right before the call. This is the fence as well.

        Raises Superseded when another run has taken over, and OvertakenByDelivery when the engine has delivered this
        step's message a second time meanwhile: the change must not be made then.
        """

        def decide(operation: Operation) -> Change:
            step = operation.step(self.call.step)
            assert step is not None
            if step.over or step.attempts != self.record.attempts:
                raise OvertakenByDelivery
            moment = clock.now()  # After the record was read: the journal's times follow its order.
            intent = step.intent or Intent(action, resource_id, moment)
            entry = _entry(self.call.step, "intended", moment, data={"action": action, "resourceId": resource_id})
            return Change(operation.with_step(replace(step, intent=intent)), [entry])

        records.change(self.call.operation, self.call.run, decide, clock.now())


class OvertakenByDelivery(Exception):
    """Another delivery of the same message has begun the step since: it looks, and acts if there is need to."""


Work = Callable[[StepAtWork], Outcome]


def run_step(work: Work, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Do one step's work for one call of the orchestrator, and say what comes next.

    A run that was taken over, or whose operation has ended meanwhile, changes nothing and is told so.

    Raises azure.core.exceptions.AzureError when storage does not answer: the orchestrator calls again.
    """
    call = _call(fields)
    try:
        operation = records.change(call.operation, call.run, lambda o: _begin(o, call), clock.now())
        step = operation.step(call.step)
        assert step is not None
        if step.over:
            return _answer(step)
        at_work = StepAtWork(call, operation)
        outcome = _limit(_outcome(work, at_work), at_work)
        after = records.change(call.operation, call.run, lambda o: _finish(o, call, outcome), clock.now())
    except Superseded as fence:
        logger.warning("%s: %s changes nothing: %s", call.operation, call.step, fence)
        return SUPERSEDED
    finished = after.step(call.step)
    assert finished is not None
    logger.info("%s: %s: %s", call.operation, call.step, finished.status)
    return again(outcome.after or _FIRST_PAUSE) if isinstance(outcome, Again) else _answer(finished)


def _call(fields: Mapping[str, Any]) -> Call:
    plan = tuple(StepRecord(s["name"], s["kind"], bound_seconds=s["bound"]) for s in fields.get("plan", ()))
    return Call(
        operation=fields["operation"],
        run=fields["run"],
        step=fields["step"],
        bound=fields["bound"],
        now=from_text(fields["now"]),
        always=fields.get("always", False),
        plan=plan,
        problem=fields.get("problem"),
    )


def _outcome(work: Work, step: StepAtWork) -> Outcome:
    try:
        return work(step)
    except OvertakenByDelivery:
        return Again(_FIRST_PAUSE, "another delivery of this step is at work")
    except ArmError as error:
        logger.warning("%s: %s: Azure answered %s", step.call.operation, step.call.step, error)
        situation = situation_of(step.call.step)
        return outcome_of_error(
            error.status, error.code, error.message, error.retry_after, error.answer, situation, step.facts
        )


def _answer(step: StepRecord) -> dict[str, Any]:
    if step.status == FAILED and step.problem is not None:
        return stop(step.problem)
    return DONE


def _begin(operation: Operation, call: Call) -> Change | None:
    """The step is under way: recorded before its work, so that a step cut short is seen to have begun."""
    planned = operation
    if call.plan and not operation.steps:
        planned = replace(operation, steps=call.plan, started_time=clock.now())
    step = planned.step(call.step) or StepRecord(call.step, "do", bound_seconds=call.bound)
    if step.over:
        return None
    if operation.final and not call.always:
        raise Superseded(f"{operation.id} has ended")
    if step.kind != "do" and step.status != NOT_STARTED:
        return None  # A poll changes nothing before it knows something.
    moment = clock.now()
    attempt = step.attempts + 1
    begun = replace(step, status=RUNNING, attempts=attempt, started=step.started or moment)
    event = "started" if attempt == 1 else "retried"
    status = planned.status if planned.final else RUNNING
    return Change(replace(planned.with_step(begun), status=status), [_entry(call.step, event, moment, attempt)])


def _limit(outcome: Outcome, step: StepAtWork) -> Outcome:
    """Turn another attempt after the step's deadline into its end; give the others a pause that fits."""
    if not isinstance(outcome, Again):
        return outcome
    call, started = step.call, step.record.started
    assert started is not None
    waited = (call.now - started).total_seconds()
    if waited >= call.bound:
        return Stop(
            make_problem(
                "DeadlineExceeded",
                {**step.facts, "step": call.step, "waited": in_words(waited), "detail": outcome.detail},
            )
        )
    pause = outcome.after if outcome.after is not None else _back_off(step.record.attempts)
    return replace(outcome, after=max(1.0, min(pause, call.bound - waited)))


def _back_off(attempts: int) -> float:
    pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 1.5 ** max(0, attempts - 1))
    return pause * random.uniform(0.9, 1.1)  # noqa: S311 - spreads callers over time, keeps no secret


def _finish(operation: Operation, call: Call, outcome: Outcome) -> Change | None:
    step = operation.step(call.step)
    assert step is not None
    if step.over:
        return None  # The same message was delivered twice and the other delivery was faster.
    moment = clock.now()
    if isinstance(outcome, Again):
        return _waiting(operation, step, outcome, moment)
    if isinstance(outcome, Stop):
        problem = replace(outcome.problem, step=call.step)
        failed = replace(step, status=FAILED, finished=moment, detail=None, problem=problem)
        entry = _entry(call.step, "failed", moment, step.attempts, problem.message, {"code": problem.code})
        after = replace(
            operation.with_step(failed),
            problem=operation.problem or problem,
            findings=(*operation.findings, *outcome.findings),
            counts={},
        )
        return Change(after, [entry])
    return _done(operation, step, outcome, moment)


def _waiting(operation: Operation, step: StepRecord, outcome: Again, moment: datetime) -> Change:
    polls = step.attempts + (0 if step.kind == "do" else 1)
    waiting = replace(step, status=WAITING, attempts=polls, detail=outcome.detail)
    event = "waiting" if step.kind == "do" else "polled"
    status = operation.status if operation.final else WAITING
    return Change(
        replace(operation.with_step(waiting), status=status, counts=outcome.counts),
        [_entry(step.name, event, moment, polls, outcome.detail)],
    )


def _done(operation: Operation, step: StepRecord, outcome: Done, moment: datetime) -> Change:
    status = SKIPPED if outcome.skipped else SUCCEEDED
    over = replace(step, status=status, finished=moment, detail=outcome.detail, value=outcome.value)
    after = replace(
        operation.with_step(over),
        status=operation.status if operation.final else RUNNING,
        created=(*operation.created, *outcome.created),
        findings=(*operation.findings, *outcome.findings),
        counts={},
    )
    data = {"created": [vars(c) for c in outcome.created]} if outcome.created else {}
    entries = [_entry(step.name, status.lower(), moment, step.attempts, outcome.detail, data)]
    if outcome.ending is not None:
        end = outcome.ending
        after = replace(after, status=end.status, result=end.result, problem=end.problem, finished_time=moment)
        message = end.problem.message if end.problem else None
        entries.append(_entry("operation", end.status.lower(), moment, message=message))
    return Change(after, entries)


def _entry(
    step: str,
    event: str,
    moment: datetime,
    attempt: int | None = None,
    message: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> JournalEntry:
    return JournalEntry(step, event, moment, attempt, message, data or {})
