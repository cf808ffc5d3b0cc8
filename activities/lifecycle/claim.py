"""Claim and release: what an operation holds from its beginning to its end."""

from __future__ import annotations

from activities.lifecycle.ending import publish
from activities.runtime import locks
from activities.runtime.step import StepAtWork
from domain.catalogue.explain import make_problem
from domain.operation.outcomes import Again, Done, Outcome, Stop
from domain.operation.record import Operation
from gateways.storage import claims, records


def claim(step: StepAtWork) -> Outcome:
    """Hold the operation's compute, and tell subscribers that the operation has begun."""
    operation = step.operation
    holder = locks.obtain(_own_targets(operation)[0], operation.id)
    if holder is not None:
        return Stop(make_problem("OperationConflict", {**step.facts, "holder": holder.id, "holder_kind": holder.kind}))
    return Done(findings=publish(operation, "Started"))


def release(step: StepAtWork) -> Outcome:
    """Give back the claims of an operation that has ended: of one that has not, or lives again, it frees nothing."""
    stored = records.read(step.operation.id)
    lives_again = stored is not None and stored.operation.run != step.operation.run
    if not step.operation.final or lives_again:
        return Again(None, "the operation has not ended: it keeps what it holds")
    for target in _own_targets(step.operation):
        locks.give_back(target, step.operation.id)
    return Done()


def _own_targets(operation: Operation) -> list[str]:
    """What an operation may hold, its compute first."""
    assert operation.workspace_id is not None
    assert operation.compute_name is not None
    targets = [claims.compute_target(operation.workspace_id, operation.compute_name)]
    if operation.cluster_id is not None:
        targets.append(claims.extension_target(operation.cluster_id))
    return targets
