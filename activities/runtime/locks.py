"""What a live operation holds: its compute, and the cluster's extension while it changes it or relies on it.

Who changes the extension takes the claim and then looks for reservations; who relies on it reserves and then looks for
a claim. Each writes before it looks, so of two that come at once at least one sees the other and waits.
"""

from __future__ import annotations

from domain.operation.record import Operation
from gateways.storage import claims, records
from operations.accept import ClaimContested, complete, left_over

_TRIES = 10


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
    """Rely on a target as it is; None when that is put down, else the live operation that is changing it."""
    claims.reserve(target, operation_id)
    held = claims.read(target)
    if held is None or held.operation_id == operation_id:
        return None
    holder = complete(held)
    if holder is None or left_over(held, holder.operation):
        return None
    claims.unreserve(target, operation_id)
    return holder.operation


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
