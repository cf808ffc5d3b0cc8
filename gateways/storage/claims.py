"""Claims: one live operation per compute of a workspace, and one extension change per cluster.

A claim is a row: inserted if absent, released and taken over by ETag, without expiry. It carries what its operation
was asked, so that an operation whose recording was cut short can be recorded by whoever finds the claim.

A reservation is the weaker form: many operations may rely on a target as it is, and nobody may change it then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.data.tables import UpdateMode

from domain.operation.acceptance import Acceptance
from domain.operation.codec import CodecError, decode, encode
from gateways.storage import rows_of_0_2
from gateways.storage.tables import (
    SCHEMA,
    SCHEMA_COLUMN,
    hashed,
    pack,
    quoted,
    rows_below,
    table,
    unpack_json,
)

TABLE = "claims"
_ROW = "claim"
_USE = "use;"
# Is given what cannot be understood, and why.
Unread = Callable[[str, Exception], None]


@dataclass(frozen=True)
class Claim:
    """A claim as read: which operation holds ``target``, and what that operation was accepted as.

    ``accepted`` is as it is stored, by the rules of ``schema`` (None: of release 0.2.0 or before). One that cannot be
    understood still holds its target.
    """

    key: str
    target: str
    operation_id: str
    accepted: Mapping[str, Any] | None
    etag: str
    schema: int | None = SCHEMA

    @property
    def acceptance(self) -> Acceptance | None:
        """What the operation was accepted as; None for claims on what an operation uses. Raises CodecError."""
        if self.accepted is None:
            return None
        stored = self.accepted if self.schema is not None else rows_of_0_2.acceptance(self.accepted)
        return decode(Acceptance, stored)


def compute_target(workspace_id: str, compute_name: str) -> str:
    """What an attach or detach claims."""
    return f"compute {workspace_id}/computes/{compute_name}".lower()


def extension_target(cluster_id: str) -> str:
    """What a change of a cluster's extension claims."""
    return f"extension {cluster_id}".lower()


def take(target: str, operation_id: str, accepted: Acceptance | None = None) -> Claim | None:
    """Insert the claim; None when there is one already, whoever holds it. Raises azure.core.exceptions.AzureError."""
    stored = None if accepted is None else encode(accepted)
    columns = {SCHEMA_COLUMN: SCHEMA, "target": target, "operation": operation_id, "accepted": stored}
    entity = {"PartitionKey": hashed(target), "RowKey": _ROW, **pack(columns)}
    try:
        answer = table(TABLE).create_entity(entity)
    except ResourceExistsError:
        return None
    return Claim(hashed(target), target, operation_id, stored, str(answer["etag"]))


def read(target: str) -> Claim | None:
    """The claim on a target, or None."""
    return _read(hashed(target))


def take_over(stale: Claim, operation_id: str, accepted: Acceptance | None = None) -> bool:
    """Put another operation in the place of a stale claim's; False when somebody else was faster."""
    stored = None if accepted is None else encode(accepted)
    columns = {SCHEMA_COLUMN: SCHEMA, "target": stale.target, "operation": operation_id, "accepted": stored}
    entity = {"PartitionKey": stale.key, "RowKey": _ROW, **pack(columns)}
    try:
        table(TABLE).update_entity(
            entity, UpdateMode.REPLACE, etag=stale.etag, match_condition=MatchConditions.IfNotModified
        )
    except (ResourceModifiedError, ResourceNotFoundError):
        return False
    return True


def release(claim: Claim) -> bool:
    """Delete a claim unless it has changed since it was read; False when it has."""
    entity = {"PartitionKey": claim.key, "RowKey": _ROW}
    try:
        table(TABLE).delete_entity(entity, etag=claim.etag, match_condition=MatchConditions.IfNotModified)
    except ResourceModifiedError:
        return False
    except ResourceNotFoundError:
        return True
    return True


def held(unread: Unread | None = None, operation_id: str | None = None) -> Iterator[Claim]:
    """Every claim there is, or those of one operation: one for each live operation and those that were left behind.

    A row that cannot be understood is handed to ``unread``, and stops no other; without it CodecError is raised. Raises
    azure.core.exceptions.AzureError.
    """
    of = f" and operation eq '{quoted(operation_id)}'" if operation_id is not None else ""
    for row in table(TABLE).query_entities(f"RowKey eq '{_ROW}'{of}"):
        try:
            claim = _claim(row)
        except CodecError as error:
            if unread is None:
                raise
            unread(f"claim {row['PartitionKey']}", error)
            continue
        yield claim


def reserve(target: str, operation_id: str) -> None:
    """Put down that an operation relies on the target as it is. Any number may; done again it changes nothing."""
    entity = {"PartitionKey": hashed(target), "RowKey": f"{_USE}{operation_id}", "target": target}
    table(TABLE).upsert_entity({**entity, SCHEMA_COLUMN: SCHEMA, "operation": operation_id})


def unreserve(target: str, operation_id: str) -> None:
    """Take a reservation back; one that is not there is as good."""
    table(TABLE).delete_entity(hashed(target), f"{_USE}{operation_id}")


def reservations(target: str) -> list[str]:
    """Operations that rely on the target as it is."""
    query = f"PartitionKey eq '{hashed(target)}' and {rows_below(_USE)}"
    return [str(row["operation"]) for row in table(TABLE).query_entities(query)]


def reserved(unread: Unread | None = None, operation_id: str | None = None) -> Iterator[tuple[str, str]]:
    """(target, operation id) of every reservation there is, or of those of one operation.

    Rows that cannot be understood as with ``held``.
    """
    row_key = f"RowKey eq '{_USE}{quoted(operation_id)}'" if operation_id is not None else rows_below(_USE)
    for row in table(TABLE).query_entities(row_key):
        target, user = row.get("target"), row.get("operation")
        if not isinstance(target, str) or not isinstance(user, str):
            error = CodecError("a reservation without target or operation")
            if unread is None:
                raise error
            unread(f"reservation {row['PartitionKey']} {row['RowKey']}", error)
            continue
        yield target, user


def _read(key: str) -> Claim | None:
    try:
        return _claim(table(TABLE).get_entity(key, _ROW))
    except ResourceNotFoundError:
        return None


def _claim(row: Any) -> Claim:
    """Raises CodecError for a row that is no claim."""
    target, operation_id = row.get("target"), row.get("operation")
    if not isinstance(target, str) or not isinstance(operation_id, str):
        raise CodecError("a claim without target or operation")
    try:
        accepted = unpack_json(row, "accepted")
    except ValueError as error:
        raise CodecError(f"a claim whose accepted request is no JSON ({type(error).__name__})") from None
    return Claim(
        key=row["PartitionKey"],
        target=target,
        operation_id=operation_id,
        accepted=accepted,
        etag=str(row.metadata["etag"]),
        schema=row.get(SCHEMA_COLUMN),
    )


class ClaimContested(Exception):
    """The claim kept changing hands; asking again settles it."""
