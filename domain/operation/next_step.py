"""What an operation does next, by its record alone: nothing else is begun, whoever asks for it.

Whoever has a key of the engine, or writes to its queues, can start an orchestrator at any step, or an activity. The
record knows the list of the operation, what of it is over, what was answered, and whether something has failed.
"""

from __future__ import annotations

from collections.abc import Iterator

from domain.operation.record import CANCELED, FAILED, Operation
from domain.operation.step_lists import steps_of
from domain.operation.steps import CLAIM, Step


def listed(operation: Operation) -> tuple[Step, ...]:
    """The steps of an operation by the release that its run belongs to, without those its request does not need."""
    return tuple(s for s in steps_of(operation.version, operation.orchestrator) if s.name not in operation.left_out)


def listed_step(operation: Operation, name: str) -> Step | None:
    """The step of that name; None when the operation has none.

    An operation keeps the list that it began with: a step that came with a later release is none of its.
    """
    step = next((each for each in listed(operation) if each.name == name), None)
    begun_without = step is not None and not step.undo and bool(operation.steps) and operation.step(name) is None
    return None if begun_without else step


def planned_steps(operation: Operation) -> tuple[str, ...]:
    """Names of the steps of the operation that a plan is of."""
    of = steps_of(operation.version, operation.kind)
    return tuple(step.name for step in of if not step.undo and step.name not in operation.left_out)


def next_step(operation: Operation) -> Step | None:
    """The one step that may be begun or continued now; None when all is over.

    The first of the list that is not over. After a failure: the first of the undo list, then what is always taken.
    After the end only that.
    """
    return next((step for step in _due(operation) if not _is_over(operation, step)), None)


def undo_is_due(operation: Operation) -> bool:
    """Whether a failed operation may revert: one that did not get its compute leaves it to whoever holds it."""
    claim = operation.step(CLAIM.name)
    return operation.problem is not None and (claim is None or claim.status not in (FAILED, CANCELED))


def _due(operation: Operation) -> Iterator[Step]:
    for step in listed(operation):
        if operation.final:
            due = step.always
        elif operation.problem is None:
            due = not step.undo
        elif step.undo:
            due = undo_is_due(operation)
        else:
            due = step.always or step.name == CLAIM.name  # To finish an undo the operation takes its compute again.
        if due:
            yield step


def _is_over(operation: Operation, step: Step) -> bool:
    record = operation.step(step.name)
    if record is None:  # Steps that undo join the list when they begin.
        return bool(operation.steps) and not step.undo
    return record.over
