"""Who else relies on what an attachment has: its roles, its instance types, its extension.

Looked for in every workspace that the app can see in the subscription: a cluster and the workspaces that it is attached
to share one. A workspace whose computes cannot be read counts as relying on it. ``without_own``: the operation's own
compute, which goes, does not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from domain.arm_ids import WORKSPACE, ArmPath, compute_id, parse_arm_id, same_resource, subscription_path
from domain.operation.record import LIVE, Operation
from gateways.azure import arm
from gateways.azure.arm import ArmError
from gateways.storage import record_list
from gateways.storage.record_list import Filter

_MOST_RECORDS = 100
Body = Mapping[str, Any]


def user_of_cluster(operation: Operation, without_own: bool = False) -> str | None:
    """Who uses the operation's cluster, in any workspace. Raises ArmError."""
    for workspace, computes in _workspaces(operation, without_own):
        if computes is None:
            return _cannot_tell(workspace)
        for compute in computes:
            if _is_on(compute, operation):
                return f"The compute {compute.get('id')} uses it."
    return None


def user_of_roles(operation: Operation, makers: Sequence[Operation], without_own: bool = False) -> str | None:
    """Who relies on the roles that ``makers`` granted for the operation's compute.

    Another compute of the workspace on the cluster, another attach under way that may have seen the roles, and whoever
    acts as the same user-assigned identity: a workspace that is attached to the cluster, or any compute.

    Raises ArmError.
    """
    for compute in _computes(operation.workspace.path, _own(operation) if without_own else None):
        if _is_on(compute, operation):
            return f"The compute {compute.get('name')} relies on it."
    asked = Filter(LIVE, None, operation.workspace_id, operation.cluster_id)
    others = record_list.page(asked, _MOST_RECORDS).operations
    other = next((o for o in others if o.id != operation.id and o.kind in ("attach", "reattach")), None)
    if other is not None:
        return f"Operation {other.id} relies on it."
    return _user_of_identities(operation, makers, without_own)


def _user_of_identities(operation: Operation, makers: Sequence[Operation], without_own: bool) -> str | None:
    of_workspace = (operation.resolved.workspace_user or "").lower()
    named = ((maker.attach_request.get("identity") or {}).get("userAssignedIdentityId") for maker in makers)
    of_compute = {str(user).lower() for user in named if user}
    if not of_workspace and not of_compute:
        return None  # Identities of the system's are nobody else's.
    for workspace, computes in _workspaces(operation, without_own):
        if computes is None:
            return _cannot_tell(workspace)
        shares = of_workspace in _users(workspace)
        for compute in computes:
            if (shares and _is_on(compute, operation)) or of_compute & _users(compute):
                return f"The compute {compute.get('id')} relies on it, by the same identity."
    return None


def _workspaces(operation: Operation, without_own: bool) -> Iterator[tuple[Body, list[Body] | None]]:
    """The workspaces of the subscription with their computes; None stands for those that may not be read."""
    subscription = parse_arm_id(str(operation.workspace_id), WORKSPACE).subscription
    for workspace in arm.items(subscription_path(subscription).listing(WORKSPACE), arm.WORKSPACES_API):
        try:
            path = arm.path_of(workspace.get("id"), WORKSPACE)
            yield workspace, _computes(path, _own(operation) if without_own else None)
        except ArmError as error:
            if error.transient:
                raise
            yield {**workspace, "refused": error.code}, None


def _own(operation: Operation) -> str:
    return compute_id(parse_arm_id(str(operation.workspace_id), WORKSPACE), str(operation.compute_name))


def _computes(workspace: ArmPath, but: str | None) -> list[Body]:
    found = arm.items(workspace.below("computes"), arm.WORKSPACES_API)
    return [compute for compute in found if but is None or not same_resource(str(compute.get("id")), but)]


def _cannot_tell(workspace: Body) -> str:
    return f"Whether a compute of workspace {workspace.get('name')} uses it is unknown ({workspace['refused']})."


def _is_on(compute: Body, operation: Operation) -> bool:
    return same_resource(str((compute.get("properties") or {}).get("resourceId") or ""), str(operation.cluster_id))


def _users(resource: Body) -> set[str]:
    """Ids of the user-assigned identities that a resource has, in lower case."""
    return {str(user).lower() for user in (resource.get("identity") or {}).get("userAssignedIdentities") or {}}
