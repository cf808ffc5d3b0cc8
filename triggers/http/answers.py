"""Answers of the HTTP API: JSON bodies, the error envelope, and the URLs that answers point to."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

import azure.functions as func
from azure.core.exceptions import AzureError

from domain.operation.outcomes import Finding
from domain.operation.plan import Plan, PlannedChange
from domain.operation.record import SKIPPED, SUCCEEDED, JournalEntry, Operation, Question, RequestedBy, StepRecord
from domain.operation.results import Attached, Detached, EndResult, HalfReattached, Snapshot
from domain.operation.undo import Undo, undo_of
from domain.problems import problem_to_json
from domain.times import aged, to_text
from domain.violations import INVALID, Refused, Violation
from domain.workloads.uses import Workload
from gateways import clock
from gateways.policy import PolicyUnavailable
from gateways.settings import SettingError, read_public_url
from gateways.storage.claims import ClaimContested
from gateways.storage.settings import StorageSettingError
from operations.allowed import Forbidden
from operations.limits import TooMany
from operations.pausing import Paused

logger = logging.getLogger(__name__)

# Seconds. Reads are cheap and steps take minutes: this is how late a caller may learn of the end.
RETRY_AFTER = 2
_RETRY_AFTER_OUTAGE = 5


@dataclass(eq=False)
class HttpError(Exception):
    """An answer in the error envelope. ``operation_url`` points to the operation that conflicts."""

    status: int
    code: str
    message: str
    target: str | None = None
    details: tuple[Violation, ...] = ()
    operation_id: str | None = None
    operation_url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


async def answered(work: Awaitable[func.HttpResponse]) -> func.HttpResponse:
    """The answer of ``work``; what it raises on purpose, and an outage of storage, in the error envelope."""
    try:
        return await work
    except HttpError as error:
        return _envelope(error)
    except Refused as refused:
        return _envelope(_refusal(refused))
    except Forbidden as forbidden:
        return _envelope(HttpError(403, forbidden.code, forbidden.message, _target(forbidden), forbidden.violations))
    except TooMany as many:
        return _envelope(HttpError(429, many.code, many.message, headers={"Retry-After": str(many.retry_after)}))
    except Paused as paused:
        again = {"Retry-After": str(paused.retry_after)}
        return _envelope(HttpError(503, "Paused", paused.message, headers=again))
    except PolicyUnavailable as error:
        logger.error("%s", error)
        again = {"Retry-After": str(_RETRY_AFTER_OUTAGE)}
        message = f"Nothing is allowed now: {error}. Correct the policy."
        return _envelope(HttpError(503, "PolicyUnavailable", message, headers=again))
    except (AzureError, StorageSettingError, ClaimContested) as error:
        logger.warning("storage did not serve a request: %s: %s", type(error).__name__, error)
        return _envelope(
            HttpError(
                503,
                "StorageUnavailable",
                # Not "nothing was done": a claim may stand already, from which the timer makes the operation.
                "The tables that hold operations do not answer. Send the same request again: an accepted "
                "request returns its operation.",
                headers={"Retry-After": str(_RETRY_AFTER_OUTAGE)},
            )
        )
    except SettingError as error:
        logger.error("a setting cannot be used: %s", error)
        return _envelope(HttpError(503, "SettingInvalid", f"{error}. Correct the setting."))
    except Exception as error:
        # The host would write what it says into its own log, and answer 500 without a body.
        logger.error("an answer could not be made", exc_info=error)
        return _envelope(HttpError(500, "InternalError", "Moor could not answer; its log says why. Retry."))


def json_answer(status: int, body: Any, headers: Mapping[str, str] | None = None) -> func.HttpResponse:
    """A JSON answer. Bytes, because the Functions host rewrites text that parses as JSON."""
    data = json.dumps(body, separators=(",", ":")).encode()
    return func.HttpResponse(data, status_code=status, headers=headers, mimetype="application/json")


def operation_answer(status: int, operation: Operation, headers: Mapping[str, str] | None = None) -> func.HttpResponse:
    """An operation as a status monitor, with Retry-After while it is not finished."""
    return json_answer(status, operation_to_json(operation), {**(headers or {}), **retry_after(operation)})


def operation_to_json(operation: Operation) -> dict[str, Any]:
    """The operation as the HTTP API shows it (``Operation`` of the contract)."""
    current = None if operation.final else operation.current_step
    done = sum(1 for s in operation.steps if s.status in (SUCCEEDED, SKIPPED))
    progress = {
        "currentStep": current.name if current else None,
        "completedSteps": done,
        "totalSteps": len(operation.steps),
        "detail": _detail(operation, current),
        "counts": dict(operation.counts),
    }
    return {
        "id": operation.id,
        "kind": operation.kind,
        "status": operation.status,
        "workspaceId": operation.workspace_id,
        "clusterId": operation.cluster_id,
        "computeName": operation.compute_name,
        "planOnly": operation.plan_only,
        "request": dict(operation.request),
        "requestedBy": _requested_by(operation.requested_by),
        "createdDateTime": to_text(operation.created_time),
        "startedDateTime": to_text(operation.started_time),
        "lastUpdateDateTime": to_text(operation.updated_time),
        "finishedDateTime": to_text(operation.finished_time),
        "progress": progress,
        "steps": [_step_to_json(s) for s in operation.steps],
        "created": [vars(c).copy() for c in operation.created],
        "questions": [_question_to_json(question) for question in operation.questions],
        "undo": _undo_to_json(undo_of(operation)),
        "findings": [_finding_to_json(finding) for finding in operation.findings],
        "result": result_to_json(operation.result) if operation.result is not None else None,
        "error": problem_to_json(operation.problem) if operation.problem else None,
    }


def _detail(operation: Operation, current: StepRecord | None) -> str | None:
    """What an operation waits for. What holds up all of it goes before what its step was waiting for."""
    if operation.held_up is not None and not operation.final:
        return operation.held_up
    return aged(current.detail, clock.now()) if current else None


def _requested_by(who: RequestedBy) -> dict[str, Any]:
    said: dict[str, Any] = {"source": who.source, "principal": who.principal}
    return {**said, **({"name": who.name} if who.name else {}), "reason": who.reason, "parentId": who.parent_id}


def _undo_to_json(undo: Undo | None) -> dict[str, Any] | None:
    return None if undo is None else {"status": undo.status, "left": [vars(left).copy() for left in undo.left]}


def _question_to_json(question: Question) -> dict[str, Any]:
    by = question.answered_by
    return {
        "id": question.id,
        "step": question.step,
        "text": question.text,
        "askedDateTime": to_text(question.asked),
        "expiresDateTime": to_text(question.expires),
        "answer": question.answer,
        "answeredDateTime": to_text(question.answered),
        "answeredBy": by.principal if by else None,
        "reason": by.reason if by else None,
    }


def _step_to_json(step: StepRecord) -> dict[str, Any]:
    return {
        "name": step.name,
        "kind": step.kind,
        "status": step.status,
        "attempts": step.attempts,
        "startedDateTime": to_text(step.started),
        "finishedDateTime": to_text(step.finished),
        "detail": step.detail if step.over else aged(step.detail, clock.now()),
        "error": problem_to_json(step.problem) if step.problem else None,
    }


def result_to_json(result: EndResult) -> dict[str, Any]:
    """What an operation has come to, as the HTTP API shows it."""
    match result:
        case Attached():
            return {
                "computeId": result.compute_id,
                "provisioningState": result.provisioning_state,
                "namespace": result.namespace,
                "principalId": result.principal_id,
                **({"routerAddress": result.router_address} if result.router_address else {}),
                **_orphaned(result.orphaned),
            }
        case Detached():
            return {
                "computeId": result.compute_id,
                "detached": result.detached,
                "alreadyGone": result.already_gone,
                **_orphaned(result.orphaned),
                **({"snapshot": _snapshot_to_json(result.snapshot)} if result.snapshot else {}),
            }
        case HalfReattached():
            told = {"attached": result.attached, "attachRequest": dict(result.attach_request)}
            return {"computeId": result.compute_id, **told} if result.compute_id else told
        case Plan():
            return _plan_to_json(result)


def _orphaned(workloads: Sequence[Workload]) -> dict[str, Any]:
    return {"orphaned": [vars(workload).copy() for workload in workloads]} if workloads else {}


def _snapshot_to_json(snapshot: Snapshot) -> dict[str, Any]:
    return {"attachRequest": dict(snapshot.attach_request), "roleAssignments": list(snapshot.role_assignments)}


def _plan_to_json(plan: Plan) -> dict[str, Any]:
    """The ``Plan`` of the contract."""
    told: dict[str, Any] = {
        "kind": plan.kind,
        "verdict": plan.verdict,
        "findings": [_finding_to_json(finding) for finding in plan.findings],
        "changes": [_change_to_json(change) for change in plan.changes],
    }
    if plan.workloads is not None:
        told["workloads"] = [vars(workload).copy() for workload in plan.workloads]
    return told


def _finding_to_json(finding: Finding) -> dict[str, Any]:
    return {name: value for name, value in vars(finding).items() if value is not None}


def _change_to_json(change: PlannedChange) -> dict[str, Any]:
    told = {"step": change.step, "action": change.action, "resourceId": change.resource_id}
    return {**told, "detail": change.detail} if change.detail else told


def entry_to_json(entry: JournalEntry) -> dict[str, Any]:
    """A line of the journal (``JournalEntry`` of the contract); fields without a value are left out."""
    fields = {
        "sequence": entry.sequence,
        "time": to_text(entry.time),
        "step": entry.step,
        "event": entry.event,
        "attempt": entry.attempt,
        "message": entry.message,
        "data": dict(entry.data) or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def retry_after(operation: Operation) -> dict[str, str]:
    """When to ask again; nothing when the operation has ended."""
    return {} if operation.final else {"Retry-After": str(RETRY_AFTER)}


def operation_url(base: str, operation_id: str) -> str:
    """Absolute URL of an operation. Ids hold no character that would need escaping."""
    return f"{base}/operations/{operation_id}"


def url_of(req: func.HttpRequest) -> SplitResult:
    """The URL by which the caller reached the app. Raises HttpError where the caller's Host header makes it none."""
    url: str = req.url
    try:
        return urlsplit(url)
    except ValueError:
        raise HttpError(400, INVALID, "The header names no host.", "Host") from None


def base_url(req: func.HttpRequest, route_segments: int) -> str:
    """The URL under which this API is served: ``MOOR_PUBLIC_URL``, or as the caller says that they reached it.

    Raises SettingError, and HttpError as ``url_of`` does.
    """
    public = read_public_url()
    if public is not None:
        return public
    parts = url_of(req)
    kept = parts.path.rstrip("/").split("/")[:-route_segments]
    return urlunsplit((parts.scheme, parts.netloc, "/".join(kept), "", ""))


def _target(forbidden: Forbidden) -> str | None:
    return forbidden.violations[0].target if len(forbidden.violations) == 1 else None


def _refusal(refused: Refused) -> HttpError:
    first = refused.violations[0]
    if len(refused.violations) == 1:
        return HttpError(400, refused.code, _sentence(first), first.target, refused.violations)
    if refused.code == INVALID:
        message = f"{len(refused.violations)} fields cannot be accepted; details lists them."
    else:
        message = f"{len(refused.violations)} fields are not available in this release; details lists them."
    return HttpError(400, refused.code, message, details=refused.violations)


def _sentence(violation: Violation) -> str:
    return f"{violation.target}: {violation.message}" if violation.target else violation.message


def _envelope(error: HttpError) -> func.HttpResponse:
    fields: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "target": error.target,
        "details": [vars(violation) for violation in error.details] or None,
        "operationId": error.operation_id,
        "operationLocation": error.operation_url,
    }
    headers = {"x-ms-error-code": error.code, **error.headers}
    if error.status == 503:  # Each says when to come back, also where somebody has to correct a setting first.
        headers.setdefault("Retry-After", str(_RETRY_AFTER_OUTAGE))
    if error.operation_url:
        headers["Operation-Location"] = error.operation_url
    return json_answer(error.status, {"error": {k: v for k, v in fields.items() if v is not None}}, headers)
