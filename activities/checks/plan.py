"""The result of a plan: what was found, and what each step would change, asked of the steps themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from activities.runtime.step import StepAtWork
from domain.operation.next_step import planned_steps
from domain.operation.outcomes import Done, Outcome
from domain.operation.plan import PlannedChange, make_plan
from domain.operation.results import Surveyed

# What a step would change, as things are now. Raises ArmError.
Planner = Callable[[StepAtWork], Sequence[PlannedChange]]


def plan(step: StepAtWork, planners: Mapping[str, Planner]) -> Outcome:
    """List the changes in the order of the steps that make them. Raises ArmError: a plan with a gap is none.

    ``planners`` are those of all steps, by name.
    """
    operation = step.operation
    refused = any(finding.outcome == "fail" for finding in operation.findings)
    asked = [] if refused else [planners[name] for name in planned_steps(operation) if name in planners]
    changes = [change for planner in asked for change in planner(step)]
    surveyed = operation.result_of(Surveyed) or Surveyed()
    workloads = None if operation.kind == "attach" else surveyed.workloads
    return Done(make_plan(operation.kind, operation.findings, changes, workloads), detail=_in_words(changes))


def _in_words(changes: Sequence[PlannedChange]) -> str:
    return f"{len(changes)} change{'' if len(changes) == 1 else 's'}"
