"""An attach that fails at any of its changes leaves Azure as it was, but for a committed list of what Azure keeps.

A calm attach tells which changes there are. Then there is one attach for each of them, in a resource group of its own,
and Azure refuses it that one. ``make faults`` takes them all (MOOR_FAULTS=all), the suite every fifth.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.stack import Stack
from local.stack.world import APP_OBJECT, APP_ROLES, LOCATION, SCOPE, cluster_body
from tests.scenarios.helpers import Operation, Place, ended

LEFT_BEHIND = Path(__file__).parents[2] / "docs" / "left-behind.json"
PATIENCE = 120.0
# A change that Azure accepts, and fails later.
SCRIPT = "script"
AT_A_TIME = 5
ALL = os.environ.get("MOOR_FAULTS") == "all"
EVERY = 1 if ALL else 5
_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I)
_READS = re.compile(r"/(list\w+|runCommand|selfsubjectaccessreviews)$", re.I)
_KINDS = (
    *("namespaces", "customresourcedefinitions", "instancetypes", "secrets", "configmaps", "services"),
    *("serviceaccounts", "clusterroles", "clusterrolebindings", "deployments", "daemonsets", "statefulsets", "pods"),
)
RESOURCES = {"cpu": "1", "memory": "1Gi"}
EVERYTHING: dict[str, Any] = {
    "namespace": "team",
    "createNamespace": True,
    "instanceTypes": [{"name": name, "resources": {"requests": RESOURCES, "limits": RESOURCES}} for name in "ab"],
    "identity": {"type": "SystemAssigned"},
    "grantRoles": True,
    "smokeTest": "training",
}


@dataclass(frozen=True)
class World:
    """A resource group with a workspace and a cluster that nobody else knows."""

    place: Place
    group: str
    connected: bool

    def own(self, text: str) -> str:
        """A pattern for a path that this world's names are in, whatever was made up for it."""
        bare = text.replace(self.group, "").rstrip("/")
        bare = re.sub(r"/jobs/moor-[0-9a-f]{12}-\d+", "/jobs/{job}", _GUID.sub("{id}", bare))
        return re.sub(r"[\w-]*undo-?\d+[\w-]*", "{own}", bare)


@dataclass(frozen=True)
class Change:
    """One change of a calm attach: the ``nth`` of those that look like it."""

    kind: str
    method: str
    path: str
    nth: int

    def __str__(self) -> str:
        return f"{self.method} {self.path.rsplit('/providers/', 1)[-1]} ({self.nth}.)"


def world_of(stack: Stack, number: int, *, connected: bool) -> World:
    group = f"{SCOPE}/resourceGroups/rg-undo-{number}"
    user = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/user-undo-{number}"
    workspace = f"{group}/providers/Microsoft.MachineLearningServices/workspaces/ws-undo-{number}"
    kind = "Kubernetes/connectedClusters" if connected else "ContainerService/managedClusters"
    cluster = f"{group}/providers/Microsoft.{kind}/k-undo-{number}"
    registry = f"{group}/providers/Microsoft.ContainerRegistry/registries/acr-undo-{number}"
    arc = {
        "location": LOCATION,
        "identity": {"type": "SystemAssigned"},
        "properties": {"agentPublicKeyCertificate": "", "distribution": "k3s"},
    }
    properties = {"containerRegistry": registry}
    identity = {"type": "UserAssigned", "userAssignedIdentities": {user: {}}}
    stack.azure.seed(
        {
            "workspaces": [{"id": workspace, "location": LOCATION, "identity": identity, "properties": properties}],
            "clusters": [{"id": cluster, **(arc if connected else cluster_body())}],
            "roleAssignments": [{"role": role, "scope": group, "principalId": APP_OBJECT} for role in APP_ROLES],
        }
    )
    return World(Place(workspace, cluster, f"c-undo-{number}"), group, connected)


def body_of(world: World) -> dict[str, Any]:
    more = dict(EVERYTHING)
    if world.connected:  # Its API is not reached from here: nothing can be asked of it.
        more = {name: value for name, value in more.items() if name not in ("createNamespace", "instanceTypes")}
        more["namespace"] = "default"
    return world.place.attach_body(**more)


def state_of(stack: Stack, world: World) -> dict[str, Any]:
    """All that there is in the group and in the cluster, by id, but for times of reading and numbers of versions."""
    everything = stack.azure.resources()
    state = {r["id"]: r["body"] for r in everything if r["id"].lower().startswith(world.group.lower() + "/")}
    if not world.connected:
        control = stack.azure.kubernetes(world.place.cluster_id)
        for plural in _KINDS:
            try:
                found = control.objects(plural)
            except Exception:  # Its definition is not there yet.
                continue
            for each in found:
                api, namespace = each["apiVersion"], each["metadata"].get("namespace")
                base = f"/{'apis' if '/' in api else 'api'}/{api}{f'/namespaces/{namespace}' if namespace else ''}"
                state[f"{world.place.cluster_id}{base}/{plural}/{each['metadata']['name']}"] = each
    return state


def changes_of(stack: Stack, world: World) -> list[Change]:
    """What the app has changed in a world, in order."""
    seen: dict[tuple[str, str, str], int] = {}
    found = []
    for request in stack.azure.requests(path=f"^{re.escape(world.group)}/"):
        principal = request["principal"] or {}
        by_app = principal.get("objectId") == APP_OBJECT or request["kind"] == "kubernetes"
        if request["method"] == "GET" or _READS.search(request["path"]) or not by_app:
            continue
        key = (request["kind"], request["method"], world.own(request["path"]))
        seen[key] = seen.get(key, 0) + 1
        found.append(Change(*key, seen[key]))
    return found


def refuse(stack: Stack, world: World, change: Change) -> None:
    """Let Azure refuse that one change in this world, or fail what it had accepted."""
    if change.kind == SCRIPT:
        failure = {"outcome": "fail", "code": "BadRequest", "message": "This change fails."}
        stack.azure.script_operation(kind=change.method, resource=f"^{re.escape(world.group)}/", every=True, **failure)
        return
    path = re.escape(change.path)
    for name in (r"\{id\}", r"\{job\}", r"\{own\}"):
        path = path.replace(name, "[^/]+")
    stack.azure.add_fault(
        kind=change.kind,
        method=change.method,
        path=f"^{re.escape(world.group)}{path}(\\?|$)",
        nth=change.nth,
        status=400,
        body={"error": {"code": "NotThisOne", "message": "This change is refused."}},
    )


def attach(stack: Stack, worlds_: list[World]) -> list[Operation]:
    started = [stack.app.start("attach", body_of(world))["id"] for world in worlds_]
    return [ended(stack, each, PATIENCE) for each in started]


def left_behind() -> list[re.Pattern[str]]:
    return [re.compile(entry["what"], re.I) for entry in json.loads(LEFT_BEHIND.read_text())]


@pytest.mark.parametrize(("connected", "least"), [(False, 12), (True, 7)], ids=["AKS", "Azure Arc"])
def test_a_failure_at_any_change_leaves_nothing(stack: Stack, connected: bool, least: int) -> None:
    base = 500 if connected else 100
    numbers: Iterator[int] = iter(range(base, base + 400))
    calm = world_of(stack, next(numbers), connected=connected)
    (operation,) = attach(stack, [calm])
    assert operation["status"] == "Succeeded", operation["error"]
    changes = changes_of(stack, calm)
    assert len(changes) >= least, [str(change) for change in changes]

    changes = [*changes[::EVERY], *(Change(SCRIPT, kind, "", 1) for kind in ("job.run", "compute.attach"))]
    patterns, kept, wrong = left_behind(), set(), []
    for first in range(0, len(changes), AT_A_TIME):
        struck = changes[first : first + AT_A_TIME]
        places = [world_of(stack, next(numbers), connected=connected) for _ in struck]
        before = [state_of(stack, world) for world in places]
        for world, change in zip(places, struck, strict=True):
            refuse(stack, world, change)
        for world, change, was, operation in zip(places, struck, before, attach(stack, places), strict=True):
            if operation["status"] != "Failed" or any(not made["undone"] for made in operation["created"]):
                wrong.append(f"{change}: {operation['status']}, {operation['created']}, {operation['error']}")
            now = state_of(stack, world)
            for each in sorted({*was, *now}):
                if was.get(each) == now.get(each):
                    continue
                known = next((p.pattern for p in patterns if each not in was and p.search(each)), None)
                if known is None:
                    wrong.append(f"{change}: {each} was {was.get(each)}, is {now.get(each)}")
                else:
                    kept.add(known)
        assert sum(fault["hits"] for fault in stack.azure.faults()) == sum(
            change.kind != SCRIPT for change in struck
        ), "each fault has struck"
        stack.azure.clear_faults()
        stack.azure.clear_scripts()
    assert wrong == [], "\n".join(wrong)
    if ALL and not connected:
        assert kept == {pattern.pattern for pattern in patterns}, "the list holds nothing that does not happen"
