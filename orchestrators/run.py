"""The step machinery of every operation: do, until and ask, and the loop that takes them in order.

Code of this package is replayed: no I/O, clock, random, environment or module state in it, or a replay schedules
something else than the history holds. Activities answer ``{"kind": "done" | "again" | "stop" | "back" | "superseded" |
"raised", ...}`` (domain/operation/outcomes.py) and keep everything else in the operation's record, so that histories
stay short and hold nothing secret.

No activity of this app raises: what its code raises, it answers (activities/registry.py). So when an activity fails
towards the orchestrator, its worker has died under it: the host ends a worker, with all that it runs, when one of its
functions runs longer than ``functionTimeout``. That says nothing of the step.

A do that has been called five times and is not over, or that is to wait for over a minute, continues in an until of its
own, named like that of any until. So an outage of hours, or a claim that somebody else holds for hours, adds nothing to
the parent's history, and whoever wants to wake the step reaches it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from azure.durable_functions import DurableOrchestrationContext

from domain.catalogue.explain import make_problem
from domain.operation.outcomes import LONGEST_PAUSE_OF_A_DO, MOST_CALLS_OF_A_DO, MOST_ERRORS
from domain.operation.steps import MINUTE, WAKE, Step
from domain.problems import problem_to_json

Outcome = Mapping[str, Any]
Steps = Generator[Any, Any, Outcome]

# Workers die of updates, of memory, of other functions. A step during which they die for about a day may be the cause.
_MOST_DEATHS = 24 * 60
_LONGEST_PAUSE = MINUTE
# What a call carries of the calls before it.
_OF_ONE_CALL = frozenset({"after", "errors", "deaths", "unwrittenSince"})


def run_operation(context: DurableOrchestrationContext, steps: Sequence[Step]) -> Steps:
    """Take the steps in order; after a step that stops, only those that undo and those that are always taken.

    The first answer brings the steps that the request does not need: they are not taken. A step that answers back has
    the run continue from an earlier one. A call names the step and no more: what the step is, and whether it is next,
    the record says.
    """
    run = context.get_input()
    failed = False
    left_out: frozenset[str] = frozenset()
    position = 0
    while position < len(steps):
        step = steps[position]
        position += 1
        if step.name in left_out or not _is_taken(step, failed=failed):
            continue
        outcome = yield from _take(context, step, {"operation": run["operation"], "run": run["run"], "step": step.name})
        if step is steps[0]:
            left_out = frozenset(outcome.get("leftOut", ()))
        if outcome["kind"] == "superseded":
            return outcome
        if outcome["kind"] == "back":
            position = next(place for place, s in enumerate(steps) if s.name == outcome["step"])
        failed = failed or outcome["kind"] == "stop"
    return {"operation": run["operation"], "status": "Failed" if failed else "Succeeded"}


def _is_taken(step: Step, *, failed: bool) -> bool:
    return step.always or step.undo is failed


def _take(context: DurableOrchestrationContext, step: Step, call: dict[str, Any]) -> Steps:
    if step.kind == "do":
        return (yield from repeat(context, call))
    return (yield from _wait(context, call))


def _wait(context: DurableOrchestrationContext, call: dict[str, Any]) -> Steps:
    # The name of the waiter tells whoever wants to wake it: instance of the run, then the step. A step that is taken
    # once more has a waiter of the same name: the engine replaces an instance that has finished.
    outcome: Outcome = yield context.call_sub_orchestrator("wait_until", call, f"{context.instance_id}:{call['step']}")
    return outcome


@dataclass(frozen=True)
class Trouble:
    """What has gone wrong in a row: calls that answered raised, and calls whose worker died.

    ``since``: when the first of a row of calls was made that could not write what came of them, because the worker
    died or storage did not answer. The record does not know of that time otherwise.
    """

    errors: int = 0
    deaths: int = 0
    since: str | None = None

    def to_call(self) -> dict[str, Any]:
        """As the next call carries it."""
        told: dict[str, Any] = {"errors": self.errors} | ({"deaths": self.deaths} if self.deaths else {})
        return told | ({"unwrittenSince": self.since} if self.since else {})


_CALM = Trouble()


def _trouble_of(call: Mapping[str, Any]) -> Trouble:
    return Trouble(call.get("errors", 0), call.get("deaths", 0), call.get("unwrittenSince"))


def repeat(context: DurableOrchestrationContext, call: dict[str, Any]) -> Steps:
    """Call an activity until it answers something else than again: here a few times, then in an until of its own."""
    trouble = _CALM
    for attempt in range(1, MOST_CALLS_OF_A_DO + 1):
        outcome, trouble = yield from _attempt(context, call, trouble)
        if outcome["kind"] != "again":
            return outcome
        if attempt == MOST_CALLS_OF_A_DO or outcome["after"] > LONGEST_PAUSE_OF_A_DO:
            break
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=outcome["after"]))
    return (yield from _wait(context, {**call, **trouble.to_call(), "after": outcome["after"]}))


def wait_until(context: DurableOrchestrationContext) -> Generator[Any, Any, Outcome | None]:
    """Poll once, wait once for the interval or a ``wake`` event, and continue as new.

    The one loop that loses no event and never spins: an event that comes during the poll wakes the next generation.
    A call with ``after`` has been made already: its first generation only waits.
    """
    call = context.get_input()
    trouble = _trouble_of(call)
    if "after" in call:
        outcome: Outcome = {"kind": "again", "after": call["after"]}
    else:
        outcome, trouble = yield from _attempt(context, call, trouble)
    if outcome["kind"] != "again":
        return outcome
    hint = context.wait_for_external_event(WAKE)
    timer = context.create_timer(context.current_utc_datetime + timedelta(seconds=outcome["after"]))
    winner = yield context.task_any([hint, timer])
    if winner == hint:
        timer.cancel()  # An open timer would keep this generation alive until it fires.
    carried = {name: value for name, value in call.items() if name not in _OF_ONE_CALL}
    context.continue_as_new({**carried, **trouble.to_call()})
    return None


def _attempt(
    context: DurableOrchestrationContext, call: dict[str, Any], before: Trouble
) -> Generator[Any, Any, tuple[Outcome, Trouble]]:
    """One call of the step's activity: its answer, and what has gone wrong in a row by now."""
    now = context.current_utc_datetime.isoformat()
    unwritten = {"unwrittenSince": before.since} if before.since else {}
    told = {**call, **unwritten, "now": now}
    try:
        outcome = yield context.call_activity(call["step"], told)
    except Exception:  # The engine raises a plain Exception, whose text has no format to rely on.
        trouble = replace(before, deaths=before.deaths + 1, since=before.since or now)
    else:
        if outcome["kind"] != "raised":
            return outcome, replace(_CALM, since=before.since or now) if outcome.get("unwritten") else _CALM
        trouble = replace(before, errors=before.errors + 1)
    failures = trouble.errors + trouble.deaths
    if trouble.errors >= MOST_ERRORS or trouble.deaths >= _MOST_DEATHS:
        return {"kind": "stop", "problem": _gave_up(call["step"], call.get("operation", ""), failures)}, trouble
    # The exponent stays small: a day of deaths is no number for a float.
    return {"kind": "again", "after": min(_LONGEST_PAUSE, 2.0 ** min(failures, 6))}, trouble


def _gave_up(step: str, operation_id: str, failures: int) -> dict[str, Any]:
    problem = make_problem("StepKeepsFailing", {"step": step, "errors": str(failures), "operation": operation_id})
    return problem_to_json(replace(problem, step=step))
