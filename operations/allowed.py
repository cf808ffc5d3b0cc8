"""What the policy lets a caller have of a request, asked before anything is done and before Azure is asked anything.

The same questions are put at acceptance, at retry and at an approval, each time of whoever asks then. An operation
that a tag or an event begins has no caller (None): it gets what the policy lists, and nothing privileged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from domain.access import decisions
from domain.access.decisions import NEEDS_IDENTITY, NOT_ALLOWED, has_role, refusals
from domain.access.policy import Entry
from domain.access.principal import APPROVER, OPERATOR, READER, Caller, KeyHolder, Principal
from domain.operation.record import Operation
from domain.violations import Violation
from gateways import policy

logger = logging.getLogger(__name__)

_NO_WORKSPACE = "The policy gives you no such role at this workspace."


@dataclass(eq=False)
class Forbidden(Exception):
    """A caller may not have what it asks for."""

    code: str
    message: str
    violations: tuple[Violation, ...] = ()

    def __str__(self) -> str:
        return "; ".join(f"{v.target}: {v.message}" for v in self.violations) or self.message


def name_of(caller: Caller | None) -> str | None:
    """``tenant:object id`` of who asks; None of the holder of a key, and of nobody."""
    return caller.id if isinstance(caller, Principal) else None


def check_request(caller: Caller | None, kind: str, workspace_id: str, request: Mapping[str, Any]) -> None:
    """See that a caller may have an operation. Raises Forbidden, or PolicyUnavailable when no policy can be read."""
    entry = policy.current().entry_of(workspace_id)
    if entry is None or not _may_ask(entry, caller, workspace_id):
        _refuse(caller, f"{kind} at {workspace_id}", Forbidden(NOT_ALLOWED, _NO_WORKSPACE))
    _check_rest(caller, f"{kind} at {workspace_id}", refusals(entry, kind, request, caller))


def check_retry(caller: Caller, operation: Operation) -> None:
    """See that who asks to continue an operation might have begun it, now. Raises Forbidden or PolicyUnavailable."""
    check_request(caller, operation.kind, str(operation.workspace_id), operation.request)


def check_cancel(caller: Caller, operation: Operation) -> None:
    """See that a caller may stop an operation. Raises Forbidden or PolicyUnavailable."""
    _require(caller, operation, OPERATOR, "cancel")


def check_answer(caller: Caller, operation: Operation, approves: bool) -> None:
    """See that a caller may answer for a workspace, and that the policy still has room for what would be approved.

    Raises Forbidden or PolicyUnavailable.
    """
    what = "approve" if approves else "reject"
    if isinstance(caller, KeyHolder):
        _refuse(caller, f"{what} {operation.id}", Forbidden(NEEDS_IDENTITY, "An answer needs somebody who gives it."))
    entry = _require(caller, operation, APPROVER, what)
    if approves:
        found = decisions.bound(entry, operation.kind, operation.request)
        _check_rest(caller, f"approve {operation.id}", found)


def visible_to(caller: Caller) -> Callable[[Operation], bool]:
    """Says of operations whether a caller may see them. Raises PolicyUnavailable."""
    now = policy.current()
    entries: dict[str, bool] = {}

    def sees(operation: Operation) -> bool:
        workspace = str(operation.workspace_id).lower()
        if workspace not in entries:
            entry = now.entry_of(workspace)
            entries[workspace] = entry is not None and has_role(entry, caller, READER)
        return entries[workspace]

    return sees


def _may_ask(entry: Entry, caller: Caller | None, workspace_id: str) -> bool:
    if caller is None:
        return policy.takes_events(entry, workspace_id)
    return has_role(entry, caller, OPERATOR)


def _refuse(caller: Caller | None, what: str, refusal: Forbidden) -> NoReturn:
    who = "a tag or an event" if caller is None else name_of(caller) or "the holder of a key"
    logger.warning("refused: %s, asked by %s: %s (%s)", what, who, refusal, refusal.code)
    raise refusal


def _require(caller: Caller, operation: Operation, role: str, what: str) -> Entry:
    entry = policy.current().entry_of(str(operation.workspace_id))
    if entry is None or not has_role(entry, caller, role):
        _refuse(caller, f"{what} {operation.id}", Forbidden(NOT_ALLOWED, _NO_WORKSPACE))
    return entry


def _check_rest(caller: Caller | None, what: str, found: Sequence[Violation]) -> None:
    if not found:
        return
    code = NEEDS_IDENTITY if all(v.code == NEEDS_IDENTITY for v in found) else NOT_ALLOWED
    said = f"{found[0].target}: {found[0].message}." if len(found) == 1 else f"{len(found)} fields are not allowed."
    _refuse(caller, what, Forbidden(code, said, tuple(found)))
