"""The roles of whoever asked for an operation, read for preflight."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from activities.runtime.step import StepAtWork
from domain.access.roles import Seen
from domain.operation.outcomes import Finding
from domain.preflight.caller import CHECK, judge, needed_to_detach, object_id
from domain.preflight.facts import CallerRights, Permission, Unread
from gateways.azure import permissions
from gateways.azure.arm import ArmError


def rights_to_attach(step: StepAtWork, missing: Seen | Exception) -> CallerRights | None:
    """What the caller may do at workspace and cluster, and where roles are to be granted. None: nobody with a name.

    ``missing`` is how it stands with the workspace's roles, or why that is unknown. Raises ArmError for what may pass.
    """
    operation = step.operation
    who = object_id(operation.requested_by.principal)
    if who is None:
        return None
    grants, unread = _grants(step, missing)
    scopes = [str(operation.workspace_id), str(operation.cluster_id), *grants]
    return CallerRights(who, {scope: _held(who, scope) for scope in dict.fromkeys(scopes)}, grants, unread)


def may_ask_to_detach(step: StepAtWork) -> Finding | None:
    """The finding about the caller of a detach; None when nobody with a name asked.

    Raises ArmError for what may pass.
    """
    operation = step.operation
    who = object_id(operation.requested_by.principal)
    if who is None:
        return None
    needed = tuple(needed_to_detach(operation.request, str(operation.workspace_id), operation.cluster_id))
    rights = CallerRights(who, {scope: _held(who, scope) for scope in {scope for _, scope in needed}})
    return judge(rights, needed, operation.request).finding(CHECK)


def _grants(step: StepAtWork, missing: Seen | Exception) -> tuple[tuple[str, ...], str | None]:
    request, resolved = step.operation.attach_request, step.operation.resolved
    if not request.get("grantRoles"):
        return (), None
    of_compute = (resolved.container_registry, resolved.storage_account) if request.get("identity") else ()
    if isinstance(missing, Exception):
        return _unique(of_compute), f"which roles are missing is unknown: {missing}"
    return _unique([*(need.scope for need in missing.missing), *of_compute]), None


def _unique(scopes: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(scope for scope in scopes if scope))


def _held(who: str, scope: str) -> Sequence[Permission] | Unread:
    try:
        return permissions.read_of(who, scope)
    except ArmError as error:
        if error.transient:
            raise
        return Unread(str(error))
