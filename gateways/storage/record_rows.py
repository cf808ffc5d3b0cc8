"""How an operation becomes a head row and index rows, and a head row an operation again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.operation.outcomes import Created, Finding
from domain.operation.record import (
    Operation,
    RequestedBy,
    questions_from_stored,
    questions_to_stored,
    steps_from_stored,
    steps_to_stored,
)
from domain.problems import problem_from_json, problem_to_json
from domain.times import from_text, to_text
from gateways.storage.tables import (
    hashed,
    pack,
    unpack_json,
    unpack_text,
)

# Row keys sort upwards; the distance to a far year in milliseconds makes the newest come first.
_FAR = 253_402_300_799_000
# The internal column: signed URLs of Azure's operations, which no answer, journal entry, event or log ever holds.
OPERATION_URLS = "operationUrls"


def head_row(operation: Operation) -> dict[str, Any]:
    """The columns of the head row. Raises RecordTooLarge."""
    return pack(
        {
            "id": operation.id,
            "kind": operation.kind,
            "status": operation.status,
            "run": operation.run,
            "request": dict(operation.request),
            "fingerprint": operation.fingerprint,
            "requestedBy": vars(operation.requested_by),
            "workspaceId": operation.workspace_id,
            "clusterId": operation.cluster_id,
            "computeName": operation.compute_name,
            "createdTime": to_text(operation.created_time),
            "startedTime": to_text(operation.started_time),
            "updatedTime": to_text(operation.updated_time),
            "finishedTime": to_text(operation.finished_time),
            "steps": steps_to_stored(operation.steps),
            "made": [vars(c) for c in operation.created],
            "findings": [vars(f) for f in operation.findings],
            "result": dict(operation.result) if operation.result is not None else None,
            "problem": problem_to_json(operation.problem) if operation.problem else None,
            "counts": dict(operation.counts),
            "journalLength": operation.journal_length,
            "pickUps": operation.pick_ups,
            "pickUpMark": operation.pick_up_mark,
            "cancel": vars(operation.cancel) if operation.cancel else None,
            "planOnly": operation.plan_only,
            "questions": questions_to_stored(operation.questions),
            OPERATION_URLS: dict(operation.operation_urls) or None,
            "version": operation.version,
            "heldUp": operation.held_up,
            "leftOut": list(operation.left_out),
        }
    )


def operation_from_row(row: Mapping[str, Any]) -> Operation:
    """The inverse of ``head_row``."""
    problem, cancel = unpack_json(row, "problem"), unpack_json(row, "cancel")
    return Operation(
        id=row["id"],
        kind=row["kind"],
        status=row["status"],
        run=row["run"],
        request=unpack_json(row, "request"),
        fingerprint=row["fingerprint"],
        requested_by=RequestedBy(**unpack_json(row, "requestedBy")),
        workspace_id=row.get("workspaceId"),
        cluster_id=row.get("clusterId"),
        compute_name=row.get("computeName"),
        created_time=from_text(str(row["createdTime"])),
        started_time=from_text(unpack_text(row, "startedTime")),
        updated_time=from_text(str(row["updatedTime"])),
        finished_time=from_text(unpack_text(row, "finishedTime")),
        steps=steps_from_stored(unpack_json(row, "steps")),
        created=tuple(Created(**c) for c in unpack_json(row, "made")),
        findings=tuple(Finding(**f) for f in unpack_json(row, "findings")),
        result=unpack_json(row, "result"),
        problem=problem_from_json(problem) if problem else None,
        counts=unpack_json(row, "counts"),
        journal_length=row["journalLength"],
        pick_ups=row["pickUps"],
        pick_up_mark=row["pickUpMark"],
        cancel=RequestedBy(**cancel) if cancel else None,
        plan_only=bool(row.get("planOnly")),  # Rows of the first release do not have it: they are no plans.
        questions=questions_from_stored(unpack_json(row, "questions") or ()),
        operation_urls=unpack_json(row, OPERATION_URLS) or {},  # Rows up to release 0.2.0 do not have it.
        version=row.get("version"),
        held_up=unpack_text(row, "heldUp"),
        left_out=tuple(unpack_json(row, "leftOut") or ()),  # Rows up to release 0.2.0 do not have it.
    )


def index_keys(operation: Operation) -> list[str]:
    """Row keys of the index rows that an operation in this state has."""
    age = f"{_FAR - round(operation.created_time.timestamp() * 1000):015d};{operation.id}"
    keys = [f"recent;;{age}", f"status;{operation.status};{age}", f"kind;{operation.kind};{age}"]
    if operation.workspace_id:
        keys.append(f"workspace;{hashed(operation.workspace_id)};{age}")
        if operation.compute_name:
            keys.append(f"compute;{hashed(compute_key(operation.workspace_id, operation.compute_name))};{age}")
    if operation.cluster_id:
        keys.append(f"cluster;{hashed(operation.cluster_id)};{age}")
    return keys


def compute_key(workspace_id: str, compute_name: str) -> str:
    """What the index of computes is asked by: compute names are unique within a workspace only."""
    return f"{workspace_id}/computes/{compute_name}"
