"""What a detach needs to be allowed: the app's own identity, and apart from it the workspace's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from domain.access.roles import Seen, commands, in_words
from domain.arm_ids import WORKSPACE
from domain.operation.outcomes import Finding
from domain.preflight.check import FAIL, PASS, UNKNOWN, WARNING
from domain.preflight.facts import Permission
from domain.preflight.permissions import allows

APP_CHECK, WORKSPACE_CHECK, SNAPSHOT_CHECK = "appPermissions", "workspaceRoles", "snapshot"
_READS = (
    "computes/read",
    "jobs/read",
    "onlineEndpoints/read",
    "batchEndpoints/read",
    "batchEndpoints/deployments/read",
    "schedules/read",
)
_DELETES_ENDPOINTS = (
    "onlineEndpoints/write",
    "onlineEndpoints/delete",
    "onlineEndpoints/deployments/read",
    "onlineEndpoints/deployments/delete",
    "batchEndpoints/deployments/delete",
)


def needed(request: Mapping[str, Any], *, pauses: bool) -> Iterator[str]:
    """Actions on the workspace that a detach needs; ``pauses``: there are schedules to be paused."""
    workloads = request.get("workloads") or {}
    yield f"{WORKSPACE}/read"
    yield from (f"{WORKSPACE}/{action}" for action in _READS)
    yield f"{WORKSPACE}/computes/delete"
    if workloads.get("policy") == "cancel":
        yield f"{WORKSPACE}/jobs/cancel/action"
    if workloads.get("endpoints") == "delete":
        yield from (f"{WORKSPACE}/{action}" for action in _DELETES_ENDPOINTS)
    if pauses:
        yield f"{WORKSPACE}/schedules/write"


def app_permissions(
    request: Mapping[str, Any], permissions: Sequence[Permission], workspace_id: str, *, pauses: bool
) -> Finding:
    """Whether the app's identity may do all that the request will ask of the workspace."""
    judged = {action: allows(permissions, action) for action in needed(request, pauses=pauses)}
    missing = [action for action, allowed in judged.items() if allowed is False]
    unsure = [action for action, allowed in judged.items() if allowed is None]
    if not missing and unsure:
        return not_told(APP_CHECK, f"a role allows {', '.join(unsure)} under a condition, which is not judged here")
    if not missing:
        return Finding(APP_CHECK, PASS, "The app's identity may do what the detach needs.")
    role = "'AzureML Compute Operator'" if all("/computes/" in action for action in missing) else "Contributor"
    return Finding(
        APP_CHECK,
        FAIL,
        f"The app's identity lacks {', '.join(missing)}.",
        "Grant it a role that has this; docs/roles.md names the least ones.",
        f"az role assignment create --assignee <app identity> --role {role} --scope {workspace_id}",
    )


def workspace_roles(seen: Seen) -> Finding:
    """Whether the workspace's identity reaches the cluster: a detach may go through without, and leave things there."""
    if seen.missing:
        return Finding(
            WORKSPACE_CHECK,
            WARNING,
            f"The workspace's identity lacks {in_words(seen.missing)}: Azure ML may fail the detach, or not reach the "
            "cluster and leave behind what it has there.",
            "Grant the roles for the time of the detach.",
            commands(seen.missing),
        )
    if seen.unclear:
        needs = [need for need, _ in seen.unclear]
        message = f"Whether the workspace's identity has {in_words(needs)} is unknown: {seen.unclear[0][1]}."
        return Finding(WORKSPACE_CHECK, UNKNOWN, message, "Look whether it has the roles.", commands(needs))
    return Finding(WORKSPACE_CHECK, PASS, "The workspace's identity has the roles it needs, or needs none.")


def not_told(check: str, why: str) -> Finding:
    """The finding of a check whose facts could not be read."""
    return Finding(check, UNKNOWN, f"Unknown: {why}.", "Check it yourself.")
