"""What the catalogue's texts and conditions use of an operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.arm_ids import CONNECTED_CLUSTER, EXTENSION, ArmId, compute_id, parse_arm_id
from domain.catalogue.entry import COMPUTE_IDENTITY, WORKSPACE_ROLES, is_set, passed
from domain.extension.cluster_facts import facts as cluster_facts
from domain.extension.keys import KEYS
from domain.extension.wanted import EXTENSION_NAME, wanted_extension
from domain.extension.wire import derived_settings
from domain.operation.codec import CodecError
from domain.operation.record import Operation
from domain.operation.results import ComputeReady, ExtensionSent, Resolved

# The outcome of a finding of what is as it should be.
PASSED = "pass"


def facts_of(operation: Operation) -> dict[str, str]:
    """Facts of an operation; what is not known is left out. Conditions are present (as ``yes``) or absent."""
    found = _resolved(operation)
    facts = {
        "operation": operation.id,
        "compute": operation.compute_name or "",
        "namespace": str(_attach_request(operation, found).get("namespace") or ""),
        "extension": _extension(operation),
    }
    if operation.cancel is not None:
        reason = operation.cancel.reason
        facts["canceled_by"] = operation.cancel.principal or "the caller"
        facts["canceled_because"] = f" ({reason})" if reason else " for no reason given"
    workspace = _parse(operation.workspace_id)
    cluster = _parse(operation.cluster_id or found.cluster_id)
    if workspace is not None:
        facts |= {
            "workspace": workspace.name,
            "workspace_id": str(workspace),
            "workspace_group": workspace.resource_group,
            "subscription": workspace.subscription,
            "compute_id": _compute_id(workspace, operation.compute_name),
        }
        if workspace.name.endswith("-") or workspace.resource_group.endswith("-"):
            facts["name_ends_with_hyphen"] = "yes"
    if cluster is not None:
        facts |= {
            "cluster": cluster.name,
            "cluster_id": str(cluster),
            "cluster_group": cluster.resource_group,
            "cluster_subscription": cluster.subscription,
            "cluster_type": cluster.resource_type.rsplit("/", 1)[-1],
        }
        if workspace is not None and workspace.subscription != cluster.subscription:
            facts["cross_subscription"] = "yes"
        facts["connected" if cluster.resource_type == CONNECTED_CLUSTER else "managed"] = "yes"
    facts |= dict.fromkeys((*_passed(operation), *_set(operation, found)), "yes")
    facts |= _of_compute(operation, found)
    if found.workspace_principal:
        facts["workspace_principal"] = found.workspace_principal
    if "systemassigned" in (found.workspace_identity or "").lower():
        facts["system_assigned_workspace"] = "yes"
    return {name: value for name, value in facts.items() if value}


def _passed(operation: Operation) -> list[str]:
    """The checks that have passed, each time that they looked.

    Roles that the operation itself granted to the workspace may not have spread yet.
    """
    names = {finding.check for finding in operation.findings if finding.outcome == PASSED}
    doubted = {finding.check for finding in operation.findings if finding.outcome != PASSED}
    return [
        passed(name) for name in sorted(names - doubted) if name != WORKSPACE_ROLES or operation.granted_time is None
    ]


def roles_seen(operation: Operation) -> bool:
    """Whether every look at the roles of the workspace's identity, those granted included, has found them."""
    outcomes = {finding.outcome for finding in operation.findings if finding.check == WORKSPACE_ROLES}
    return outcomes == {PASSED}


def _set(operation: Operation, found: Resolved) -> list[str]:
    """The settings that the extension has, because the operation has sent them or has seen them there."""
    try:
        sent = operation.result_of(ExtensionSent)
    except CodecError:
        return []
    if sent is None:
        return []
    wanted = wanted_extension(_attach_request(operation, found))
    settings = {name: value for name, value in wanted.settings.items() if name in KEYS}
    cluster = _parse(operation.cluster_id or found.cluster_id)
    if cluster is not None and any(made.type == EXTENSION for made in operation.created):
        settings |= derived_settings(wanted, cluster_facts(cluster, str(found.cluster_location), found.cluster))
    return [is_set(f"{name}={value}") for name, value in settings.items()]


def _of_compute(operation: Operation, found: Resolved) -> dict[str, str]:
    """Where the compute's images and data are, and who it acts as."""
    facts = {"registry_id": found.container_registry or "", "storage_id": found.storage_account or ""}
    if found.container_registry:
        facts["registry"] = found.container_registry.rsplit("/", 1)[-1]
    try:
        ready = operation.result_of(ComputeReady)
    except CodecError:
        return facts
    identity = _attach_request(operation, found).get("identity")
    if ready is not None and identity:
        facts[passed(COMPUTE_IDENTITY)] = "yes"
        if ready.principal_id and not identity.get("userAssignedIdentityId"):
            facts["compute_principal"] = ready.principal_id
    return facts


def _resolved(operation: Operation) -> Resolved:
    """What ``resolve`` has found; nothing when that cannot be read: the failure itself needs words nevertheless."""
    try:
        return operation.resolved
    except CodecError:
        return Resolved()


def _attach_request(operation: Operation, found: Resolved) -> Mapping[str, Any]:
    return (found.attach_request or {}) if operation.kind == "reattach" else operation.request


def _extension(operation: Operation) -> str:
    try:
        sent = operation.result_of(ExtensionSent)
    except CodecError:
        sent = None
    return (sent.extension_id if sent else EXTENSION_NAME).rsplit("/", 1)[-1]


def _compute_id(workspace: ArmId, name: str | None) -> str:
    try:
        return compute_id(workspace, name) if name else ""
    except ValueError:
        return ""


def _parse(resource_id: object) -> ArmId | None:
    try:
        return parse_arm_id(str(resource_id)) if resource_id else None
    except ValueError:
        return None
