"""What a live operation holds: its compute, and the cluster's extension while it changes it or relies on it.

A claim carries what its operation was accepted as: whoever finds one whose recording was cut short records it.

Who changes the extension takes the claim and then looks for reservations; who relies on it reserves and then looks for
a claim. Each writes before it looks, so of two that come at once at least one sees the other and waits. A claim that is
held already is seen before anything is written.
"""

from __future__ import annotations

from dataclasses import dataclass

from domain.operation.acceptance import Acceptance
from domain.operation.outcomes import Again
from domain.operation.record import NOT_STARTED, JournalEntry, Operation
from domain.operation.steps import not_needed
from gateways.host_json import orchestration_version
from gateways.storage import claims, records
from gateways.storage.claims import Claim, ClaimContested

_TRIES = 10
# Seconds until who waits for another operation looks again.
HELD_PAUSE = 30.0


def obtain(target: str, operation_id: str) -> Operation | None:
    """Take the claim on a target; None when it is ours now, else the live operation that has it.

    Raises ClaimContested or azure.core.exceptions.AzureError.
    """
    for _ in range(_TRIES):
        if claims.take(target, operation_id) is not None:
            break
        held = claims.read(target)
        if held is None:
            continue
        if held.operation_id == operation_id:
            break
        holder = complete(held)
        if holder is not None and not left_over(held, holder.operation):
            return holder.operation
        if claims.take_over(held, operation_id):
            break
    else:
        raise ClaimContested(target)
    relying = _other_user(target, operation_id)
    if relying is not None:
        give_back(target, operation_id)
    return relying


def reserve(target: str, operation_id: str) -> Operation | None:
    """Rely on a target as it is; None when that is put down, else the live operation that is changing it.

    Who has to wait puts nothing down, not even for a moment: the one that is changing the target may look just then,
    to revert what it did, and would leave it to somebody who does not rely on it.
    """
    holder = changing(target, operation_id)
    if holder is None:
        claims.reserve(target, operation_id)
        holder = changing(target, operation_id)
    if holder is not None:
        claims.unreserve(target, operation_id)
    return holder


def changing(target: str, operation_id: str) -> Operation | None:
    """The live operation, other than this one, that has the claim on a target; None when nobody has."""
    held = claims.read(target)
    if held is None or held.operation_id == operation_id:
        return None
    holder = complete(held)
    return None if holder is None or left_over(held, holder.operation) else holder.operation


def wait_for(holder: Operation) -> Again:
    """The outcome of a step that finds another operation at the cluster's extension."""
    return Again(HELD_PAUSE, f"operation {holder.id} has the cluster's extension in hand")


def give_back(target: str, operation_id: str) -> None:
    """Release what an operation holds of a target: the claim if it is its own, and its reservation."""
    held = claims.read(target)
    if held is not None and held.operation_id == operation_id:
        claims.release(held)
    claims.unreserve(target, operation_id)


def _other_user(target: str, operation_id: str) -> Operation | None:
    for other in claims.reservations(target):
        stored = records.read(other) if other != operation_id else None
        if stored is not None and not stored.operation.final:
            return stored.operation
    return None


@dataclass(frozen=True)
class Accepted:
    """``fresh``: this call made the record, and its caller has to start the operation's engine instance."""

    operation: Operation
    fresh: bool


def complete(claim: Claim) -> Accepted | None:
    """The operation that holds a claim, recorded now if that was cut short; None when there is none to be had.

    Raises CodecError when what it was accepted as cannot be understood.
    """
    known = records.read(claim.operation_id)
    if known is not None:
        return Accepted(known.operation, fresh=False)
    accepted = claim.acceptance
    if accepted is None:
        return None
    try:
        return Accepted(insert(accepted), fresh=True)
    except records.OperationExists:
        known = records.read(claim.operation_id)
        return Accepted(known.operation, fresh=False) if known else None


def is_stale(claim: Claim) -> bool:
    """Whether a claim is left over: its operation has ended, or never had this claim."""
    known = records.read(claim.operation_id)
    if known is None:
        return claim.accepted is None
    return left_over(claim, known.operation)


def left_over(claim: Claim, holder: Operation) -> bool:
    """Whether a claim outlived the operation that holds it, or never was that operation's."""
    if holder.final:
        return True
    # Two requests under one id for two computes: one became the record, the other's claim is left over.
    own = claims.compute_target(holder.workspace_id or "", holder.compute_name or "")
    return claim.accepted is not None and claim.target != own


def insert(accepted: Acceptance) -> Operation:
    """Record an operation as its claim says that it was accepted. Raises OperationExists."""
    operation = Operation(
        id=accepted.id,
        kind=accepted.kind,
        status=NOT_STARTED,
        request=accepted.request,
        fingerprint=accepted.fingerprint,
        requested_by=accepted.requested_by,
        created_time=accepted.created_time,
        updated_time=accepted.created_time,
        workspace_id=accepted.workspace_id,
        cluster_id=accepted.cluster_id,
        compute_name=accepted.compute_name,
        plan_only=accepted.plan_only,
        left_out=not_needed(accepted.request),
        version=orchestration_version(),
    )
    told = JournalEntry("operation", "accepted", accepted.created_time, data=accepted.requested_by.told())
    return records.insert(operation, [told])
