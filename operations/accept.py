"""Accept an operation: claim its compute, record it. Whoever recorded it starts it.

The claim comes first and carries what was accepted; the record is made from it. A process that dies in between leaves
a claim from which anybody else makes the same record, so an accepted operation is never lost and never made twice.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.operation.codec import decode, encode
from domain.operation.record import (
    NOT_STARTED,
    JournalEntry,
    Operation,
    RequestedBy,
)
from domain.times import from_text, to_text
from gateways import clock
from gateways.host_json import orchestration_version
from gateways.storage import claims, records
from gateways.storage.claims import Claim

_TRIES = 10
_CASELESS = frozenset({"workspaceId", "clusterId", "computeName", "userAssignedIdentityId"})


@dataclass(frozen=True)
class Submission:
    """A validated request for an operation on one compute. ARM ids are in their canonical spelling."""

    kind: str
    request: Mapping[str, Any]
    workspace_id: str
    compute_name: str
    requested_by: RequestedBy
    cluster_id: str | None = None
    operation_id: str | None = None
    plan_only: bool = False


@dataclass(frozen=True)
class Accepted:
    """``fresh``: this call made the record, and its caller has to start the operation's engine instance."""

    operation: Operation
    fresh: bool


@dataclass(frozen=True)
class Conflict:
    """Refused, because of ``holder``: it has the compute, or (``same_id``) was asked for under the same id.

    ``fresh``: this call made the holder's record, which a process that died had left out; the caller has to start it.
    """

    holder: Operation
    same_id: bool = False
    fresh: bool = False


class ClaimContested(Exception):
    """The claim kept changing hands; asking again settles it."""


def accept(submission: Submission) -> Accepted | Conflict:
    """Claim and record an operation, or find the one that this same request is already.

    A plan changes nothing: it claims nothing, and each one asked for is an operation of its own.

    Raises ClaimContested, RecordTooLarge or azure.core.exceptions.AzureError.
    """
    fingerprint = fingerprint_of(submission)
    if submission.operation_id is not None:
        known = records.read(submission.operation_id)
        if known is not None:
            return _known(known.operation, fingerprint)
    operation_id = submission.operation_id or str(uuid.uuid4())
    accepted = _accepted_fields(submission, operation_id, fingerprint)
    if submission.plan_only:
        return _record(accepted)
    target = claims.compute_target(submission.workspace_id, submission.compute_name)
    for _ in range(_TRIES):
        claim = claims.take(target, operation_id, accepted)
        if claim is None:
            held = claims.read(target)
            if held is None:
                continue
            holder = complete(held)
            if holder is not None and not left_over(held, holder.operation):
                if holder.operation.fingerprint == fingerprint:
                    return holder
                return Conflict(holder.operation, fresh=holder.fresh)
            if not claims.take_over(held, operation_id, accepted):
                continue
            claim = claims.read(target)
            if claim is None:
                continue
        return _record(accepted, claim)
    raise ClaimContested(target)


def complete(claim: Claim) -> Accepted | None:
    """The operation that holds a claim, recorded now if that was cut short; None when there is none to be had."""
    known = records.read(claim.operation_id)
    if known is not None:
        return Accepted(known.operation, fresh=False)
    if claim.accepted is None:
        return None
    try:
        return Accepted(_insert(claim.accepted), fresh=True)
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


def fingerprint_of(submission: Submission) -> str:
    """Equal for requests that ask for the same thing; why it is asked does not count, nor the case of ARM ids."""
    asked = {k: _folded(k, v) for k, v in submission.request.items() if k != "reason"}
    plan = ["plan"] if submission.plan_only else []
    text = json.dumps([submission.kind, asked, *plan], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _folded(name: str, value: Any) -> Any:
    """ARM ids and the compute's name in lower case, at any depth."""
    if isinstance(value, dict):
        return {k: _folded(k, v) for k, v in value.items()}
    return value.lower() if isinstance(value, str) and name in _CASELESS else value


def _known(operation: Operation, fingerprint: str) -> Accepted | Conflict:
    if operation.fingerprint == fingerprint:
        return Accepted(operation, fresh=False)
    return Conflict(operation, same_id=True)


def _record(accepted: Mapping[str, Any], claim: Claim | None = None) -> Accepted | Conflict:
    try:
        return Accepted(_insert(accepted), fresh=True)
    except records.OperationExists:
        known = records.read(str(accepted["id"]))
        assert known is not None
        if claim is not None and left_over(claim, known.operation):
            claims.release(claim)
        return _known(known.operation, str(accepted["fingerprint"]))


def _accepted_fields(submission: Submission, operation_id: str, fingerprint: str) -> dict[str, Any]:
    return {
        "id": operation_id,
        "kind": submission.kind,
        "request": dict(submission.request),
        "fingerprint": fingerprint,
        "requestedBy": encode(submission.requested_by),
        "workspaceId": submission.workspace_id,
        "clusterId": submission.cluster_id,
        "computeName": submission.compute_name,
        "planOnly": submission.plan_only,
        "createdTime": to_text(clock.now()),
    }


def _insert(accepted: Mapping[str, Any]) -> Operation:
    created = from_text(str(accepted["createdTime"]))
    requested_by = decode(RequestedBy, accepted["requestedBy"])
    operation = Operation(
        id=accepted["id"],
        kind=accepted["kind"],
        status=NOT_STARTED,
        request=accepted["request"],
        fingerprint=accepted["fingerprint"],
        requested_by=requested_by,
        created_time=created,
        updated_time=created,
        workspace_id=accepted["workspaceId"],
        cluster_id=accepted["clusterId"],
        compute_name=accepted["computeName"],
        plan_only=accepted.get("planOnly", False),
        version=orchestration_version(),
    )
    return records.insert(operation, [JournalEntry("operation", "accepted", created, data=requested_by.told())])
