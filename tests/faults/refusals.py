"""An attach of everything whose changes are refused in turn, and what of it is left when it has failed.

It has a resource group of its own, so that everything there, and in the cluster, can be held against what was there
before. What Azure itself keeps is committed: ``docs/left-behind.json``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import app_roles
from local.stack import Stack
from local.world import LOCATION, SCOPE, cluster_body
from packages.simulated_azure.control.client import ControlError

FULL, FULL_ARC = "full attach", "full attach on Azure Arc"
REFUSED_OPERATIONS = (FULL, FULL_ARC)
# Kinds of operations of Azure's that it accepts, and fails later.
FAILED_LATER = ("job.run", "compute.attach")
LEFT_BEHIND = Path(__file__).parents[2] / "docs" / "left-behind.json"

_KINDS = (
    *("namespaces", "customresourcedefinitions", "instancetypes", "secrets", "configmaps", "services"),
    *("serviceaccounts", "clusterroles", "clusterrolebindings", "deployments", "daemonsets", "statefulsets", "pods"),
)
_RESOURCES = {"cpu": "1", "memory": "1Gi"}
_BOTH: dict[str, Any] = {"identity": {"type": "SystemAssigned"}, "grantRoles": True, "smokeTest": "training"}
REQUESTS: dict[str, dict[str, Any]] = {
    FULL: {
        **_BOTH,
        "namespace": "team",
        "createNamespace": True,
        "instanceTypes": [{"name": n, "resources": {"requests": _RESOURCES, "limits": _RESOURCES}} for n in "ab"],
    },
    # Its API is not reached from here: nothing can be asked of it.
    FULL_ARC: {**_BOTH, "namespace": "default"},
}


@dataclass(frozen=True)
class Left:
    """``kept``: the entries of the committed list that were met; ``wrong``: what else is not as it was."""

    kept: frozenset[str]
    wrong: tuple[str, ...]


def ids(operation: str, number: int) -> tuple[str, str]:
    """Workspace and cluster of a run, in a resource group that nothing else is in."""
    group = f"{SCOPE}/resourceGroups/fault-rg-{number}/providers"
    kind = "Kubernetes/connectedClusters" if operation == FULL_ARC else "ContainerService/managedClusters"
    workspace = f"{group}/Microsoft.MachineLearningServices/workspaces/fault-ws-{number}"
    return workspace, f"{group}/Microsoft.{kind}/fault-aks-{number}"


def seed(operation: str, number: int) -> dict[str, Any]:
    """What the simulated Azure needs for a run: a workspace that acts as an identity without roles, and a cluster."""
    workspace, cluster = ids(operation, number)
    group = _group(cluster)
    user = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/fault-user-{number}"
    registry = f"{group}/providers/Microsoft.ContainerRegistry/registries/fault-acr-{number}"
    arc = {
        "location": LOCATION,
        "identity": {"type": "SystemAssigned"},
        "properties": {"agentPublicKeyCertificate": "", "distribution": "k3s"},
    }
    return {
        "workspaces": [
            {
                "id": workspace,
                "location": LOCATION,
                "identity": {"type": "UserAssigned", "userAssignedIdentities": {user: {}}},
                "properties": {"containerRegistry": registry},
            }
        ],
        "clusters": [{"id": cluster, **(arc if operation == FULL_ARC else cluster_body())}],
        "roleAssignments": app_roles.beside(group),
    }


def fail_later(stack: Stack, cluster_id: str, number: int) -> str | None:
    """Have Azure accept and then fail the ``number``-th of ``FAILED_LATER``; None when there are not so many."""
    if number > len(FAILED_LATER):
        return None
    kind = FAILED_LATER[number - 1]
    failure = {"outcome": "fail", "code": "BadRequest", "message": "This change fails."}
    stack.azure.script_operation(kind=kind, resource=f"^{re.escape(_group(cluster_id))}/", every=True, **failure)
    return kind


def state_of(stack: Stack, cluster_id: str) -> dict[str, Any]:
    """All that there is in the cluster's resource group, and in the cluster when it is a managed one, by id."""
    prefix = f"{_group(cluster_id)}/".lower()
    state = {r["id"]: r["body"] for r in stack.azure.resources() if r["id"].lower().startswith(prefix)}
    if "/managedClusters/" not in cluster_id:
        return state
    control = stack.azure.kubernetes(cluster_id)
    for plural in _KINDS:
        try:
            found = control.objects(plural)
        except ControlError:  # Its definition is not there yet.
            continue
        for each in found:
            api, namespace = each["apiVersion"], each["metadata"].get("namespace")
            base = f"/{'apis' if '/' in api else 'api'}/{api}{f'/namespaces/{namespace}' if namespace else ''}"
            state[f"{cluster_id}{base}/{plural}/{each['metadata']['name']}"] = each
    return state


def left_of(stack: Stack, cluster_id: str, before: dict[str, Any]) -> Left:
    """What is there now and was not, or was and is not, or has changed."""
    patterns = [entry["what"] for entry in json.loads(LEFT_BEHIND.read_text())]
    kept, wrong = set(), []
    now = state_of(stack, cluster_id)
    for each in sorted({*before, *now}):
        if before.get(each) == now.get(each):
            continue
        known = [pattern for pattern in patterns if each not in before and re.search(pattern, each, re.I)]
        kept.update(known)
        if not known:
            wrong.append(f"{each} was {before.get(each)}, is {now.get(each)}")
    return Left(frozenset(kept), tuple(wrong))


def _group(resource_id: str) -> str:
    return resource_id.partition("/providers/")[0]
