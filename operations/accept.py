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

from activities.runtime.locks import Accepted, complete, insert, left_over
from domain.access.principal import Caller
from domain.operation.acceptance import Acceptance
from domain.operation.record import (
    Operation,
    RequestedBy,
)
from domain.requests.models import AttachRequest, Request
from domain.requests.parsing import request_to_json
from gateways import clock
from gateways.storage import claims, records
from gateways.storage.claims import Claim, ClaimContested
from operations.allowed import check_request
from operations.limits import check_operations, owner_of
from operations.pausing import check_start

_TRIES = 10
# Where requests have what letter case does not count in. Names of tags and settings may well be the same.
_CASELESS = frozenset({("workspaceId",), ("clusterId",), ("computeName",), ("identity", "userAssignedIdentityId")})


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
    caller: Caller | None = None


def submission_of(
    kind: str,
    request: Request,
    requested_by: RequestedBy,
    operation_id: str | None = None,
    caller: Caller | None = None,
) -> Submission:
    """The submission of a parsed request; without a caller it is that of a tag or an event."""
    return Submission(
        kind=kind,
        request=request_to_json(request),
        workspace_id=request.workspaceId,
        compute_name=request.computeName,
        requested_by=requested_by,
        cluster_id=request.clusterId if isinstance(request, AttachRequest) else None,
        operation_id=operation_id,
        caller=caller,
    )


@dataclass(frozen=True)
class Conflict:
    """Refused, because of ``holder``: it has the compute, or (``same_id``) was asked for under the same id.

    ``foreign``: somebody else asked for that one, and this caller is to learn nothing of it. ``fresh``: this call made
    the holder's record, which a process that died had left out; the caller has to start it.
    """

    holder: Operation
    same_id: bool = False
    fresh: bool = False
    foreign: bool = False


def accept(submission: Submission) -> Accepted | Conflict:
    """Claim and record an operation, or find the one that this same request is already.

    A plan changes nothing: it claims nothing, and each one asked for is an operation of its own.

    Raises Forbidden or PolicyUnavailable before anything is read or written, Paused, TooMany, ClaimContested,
    RecordTooLarge or azure.core.exceptions.AzureError.
    """
    check_request(submission.caller, submission.kind, submission.workspace_id, submission.request)
    fingerprint = fingerprint_of(submission)
    if submission.operation_id is not None:
        known = records.read(submission.operation_id)
        if known is not None:
            return _known(known.operation, fingerprint, submission.requested_by)
    check_start()
    if submission.caller is not None:
        check_operations(submission.requested_by)
    operation_id = submission.operation_id or str(uuid.uuid4())
    accepted = acceptance_of(submission, operation_id, fingerprint)
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


def fingerprint_of(submission: Submission) -> str:
    """Equal for requests that ask for the same thing; why it is asked does not count, nor the case of ARM ids."""
    asked = {k: _folded((k,), v) for k, v in submission.request.items() if k != "reason"}
    plan = ["plan"] if submission.plan_only else []
    text = json.dumps([submission.kind, asked, *plan], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _folded(place: tuple[str, ...], value: Any) -> Any:
    """ARM ids and the compute's name in lower case; everything else as it is."""
    if isinstance(value, dict):
        return {k: _folded((*place, k), v) for k, v in value.items()}
    return value.lower() if isinstance(value, str) and place in _CASELESS else value


def _known(operation: Operation, fingerprint: str, asked_by: RequestedBy) -> Accepted | Conflict:
    if owner_of(operation.requested_by) != owner_of(asked_by):
        return Conflict(operation, same_id=True, foreign=True)
    if operation.fingerprint == fingerprint:
        return Accepted(operation, fresh=False)
    return Conflict(operation, same_id=True)


def _record(accepted: Acceptance, claim: Claim | None = None) -> Accepted | Conflict:
    try:
        return Accepted(insert(accepted), fresh=True)
    except records.OperationExists:
        known = records.read(accepted.id)
        assert known is not None
        if claim is not None and left_over(claim, known.operation):
            claims.release(claim)
        return _known(known.operation, accepted.fingerprint, accepted.requested_by)


def acceptance_of(submission: Submission, operation_id: str, fingerprint: str) -> Acceptance:
    """What a submission is accepted as, now."""
    return Acceptance(
        id=operation_id,
        kind=submission.kind,
        request=submission.request,
        fingerprint=fingerprint,
        requested_by=submission.requested_by,
        created_time=clock.now(),
        workspace_id=submission.workspace_id,
        compute_name=submission.compute_name,
        cluster_id=submission.cluster_id,
        plan_only=submission.plan_only,
    )
