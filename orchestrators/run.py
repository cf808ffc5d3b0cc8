"""The step machinery of every operation: do, until and ask, and the loop that takes them in order.

Code of this package is replayed: no I/O, clock, random, environment or module state in it. Activities
answer ``{"kind": "done" | "again" | "stop" | "superseded" | "raised", ...}`` (domain/operation/outcomes.py) and keep
everything else in the operation's record, so that histories stay short and hold nothing secret.

No activity of this app raises: what its code raises, it answers (activities/registry.py). So when an activity fails
towards the orchestrator, its worker has died under it, or was ended together with another function that ran too long.
That says nothing of the step.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from azure.durable_functions import DurableOrchestrationContext

from domain.catalogue.explain import make_problem
from domain.problems import problem_to_json

Outcome = Mapping[str, Any]
Steps = Generator[Any, Any, Outcome]

WAKE = "wake"
MINUTE, HOUR = 60.0, 3600.0
# An activity that answers raised met a bug, or an outage that nobody foresaw. About a quarter of an hour of trying,
# then the step is given up.
_MOST_ERRORS = 20
# Workers die of updates, of memory, of other functions. A step during which they die for about a day may be the cause.
_MOST_DEATHS = 24 * 60
_LONGEST_PAUSE = MINUTE


@dataclass(frozen=True)
class Step:
    """One step of an operation. ``name`` is its activity; ``bound`` is its deadline in seconds after its start.

    ``always`` steps are taken after a failure too: they tell the end and give back what is held. ``undo`` steps are
    taken after a failure only. A step that is not ``cancelable`` is seen through although a cancel was asked for.
    """

    name: str
    kind: str
    bound: float
    always: bool = False
    undo: bool = False
    cancelable: bool = True


def do(name: str, *, within: float = 30 * MINUTE, always: bool = False, cancelable: bool = True) -> Step:
    """One idempotent activity, retried while it answers again."""
    return Step(name, "do", within, always, cancelable=cancelable)


def until(name: str, *, within: float, cancelable: bool = True) -> Step:
    """An activity polled until it answers done or stop, in a sub-orchestration of its own; ``wake`` wakes it early."""
    return Step(name, "until", within, cancelable=cancelable)


def undo(name: str, *, within: float) -> Step:
    """An until that reverts, after a failure, what this operation made."""
    return Step(name, "until", within, undo=True)


def ask(name: str, *, within: float) -> Step:
    """Wait for a person's decision: an until over the decision's row, so that a lost event costs minutes only."""
    return Step(name, "ask", within)


def run_operation(context: DurableOrchestrationContext, steps: Sequence[Step]) -> Steps:
    """Take the steps in order; after a step that stops, only those that undo and those that are always taken."""
    run = context.get_input()
    problem: Mapping[str, Any] | None = None
    for step in steps:
        failed = problem is not None
        if step.undo is not failed and not step.always:
            continue
        call = {"operation": run["operation"], "run": run["run"], "step": step.name, "kind": step.kind}
        call["bound"] = step.bound
        if step is steps[0]:
            call["plan"] = [{"name": s.name, "kind": s.kind, "bound": s.bound} for s in steps if not s.undo]
        call |= {name: True for name in ("always", "undo", "cancelable") if getattr(step, name)}
        if problem is not None:
            call["problem"] = problem
        outcome = yield from _take(context, step, call)
        if outcome["kind"] == "superseded":
            return outcome
        if outcome["kind"] == "stop" and problem is None:
            problem = outcome["problem"]
    return {"operation": run["operation"], "status": "Succeeded" if problem is None else "Failed"}


def _take(context: DurableOrchestrationContext, step: Step, call: dict[str, Any]) -> Steps:
    if step.kind == "do":
        return (yield from repeat(context, call))
    # The name of the waiter tells whoever wants to wake it: instance of the run, then the step.
    outcome: Outcome = yield context.call_sub_orchestrator("wait_until", call, f"{context.instance_id}:{step.name}")
    return outcome


@dataclass(frozen=True)
class Trouble:
    """What has gone wrong in a row: calls that answered raised, and calls whose worker died."""

    errors: int = 0
    deaths: int = 0

    def to_call(self) -> dict[str, int]:
        """As the call of the next generation carries it."""
        return {"errors": self.errors} | ({"deaths": self.deaths} if self.deaths else {})


_CALM = Trouble()


def repeat(context: DurableOrchestrationContext, call: dict[str, Any]) -> Steps:
    """Call an activity until it answers something else than again."""
    trouble = _CALM
    while True:
        outcome, trouble = yield from _attempt(context, call, trouble)
        if outcome["kind"] != "again":
            return outcome
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=outcome["after"]))


def wait_until(context: DurableOrchestrationContext) -> Generator[Any, Any, Outcome | None]:
    """Poll once, wait once for the interval or a ``wake`` event, and continue as new."""
    call = context.get_input()
    outcome, trouble = yield from _attempt(context, call, Trouble(call.get("errors", 0), call.get("deaths", 0)))
    if outcome["kind"] != "again":
        return outcome
    hint = context.wait_for_external_event(WAKE)
    timer = context.create_timer(context.current_utc_datetime + timedelta(seconds=outcome["after"]))
    winner = yield context.task_any([hint, timer])
    if winner == hint:
        timer.cancel()  # An open timer would keep this generation alive until it fires.
    carried = {name: value for name, value in call.items() if name != "deaths"}
    context.continue_as_new({**carried, **trouble.to_call()})
    return None


def _attempt(
    context: DurableOrchestrationContext, call: dict[str, Any], before: Trouble
) -> Generator[Any, Any, tuple[Outcome, Trouble]]:
    """One call of the step's activity: its answer, and what has gone wrong in a row by now."""
    try:
        outcome = yield context.call_activity(call["step"], {**call, "now": context.current_utc_datetime.isoformat()})
    except Exception:  # The engine raises a plain Exception; its text is not to be parsed.
        trouble = replace(before, deaths=before.deaths + 1)
    else:
        if outcome["kind"] != "raised":
            return outcome, _CALM
        trouble = replace(before, errors=before.errors + 1)
    failures = trouble.errors + trouble.deaths
    if trouble.errors >= _MOST_ERRORS or trouble.deaths >= _MOST_DEATHS:
        return {"kind": "stop", "problem": _gave_up(call["step"], call.get("operation", ""), failures)}, trouble
    # The exponent stays small: a day of deaths is no number for a float.
    return {"kind": "again", "after": min(_LONGEST_PAUSE, 2.0 ** min(failures, 6))}, trouble


def _gave_up(step: str, operation_id: str, failures: int) -> dict[str, Any]:
    problem = make_problem("StepKeepsFailing", {"step": step, "errors": str(failures), "operation": operation_id})
    return problem_to_json(replace(problem, step=step))
