"""What is on a cluster at one moment, as Azure and the cluster have it, and what the app made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local.stack import Stack
from local.world import ENGINEER
from tests.oracle.attachments import Place

_ASSIGNMENTS = "providers/Microsoft.Authorization/roleAssignments"


@dataclass(frozen=True)
class Inventory:
    """Role assignments by id (lower case), instance types by name, and since when the extension is there."""

    roles: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    types: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    extension: str | None = None


def take_inventory(stack: Stack, place: Place) -> Inventory:
    """What is there now: roles at the cluster, at the registry and at the storage account of the workspace."""
    workspace = stack.azure.resource(place.workspace)
    assert workspace is not None
    roles: dict[str, dict[str, Any]] = {}
    for scope in (place.cluster, place.registry, workspace["body"]["properties"]["storageAccount"]):
        path = f"{scope}/{_ASSIGNMENTS}?$filter=atScope()&api-version=2022-04-01"
        while path:
            page = stack.azure.arm("GET", path, client_id=ENGINEER).body
            path = page.get("nextLink") or ""
            at_scope = (each for each in page["value"] if each["properties"]["scope"].lower() == scope.lower())
            roles |= {each["id"].lower(): each["properties"] for each in at_scope}
    extension = stack.azure.resource(place.extension)
    return Inventory(roles, _types(stack, place), extension["body"]["systemData"]["createdAt"] if extension else None)


def _types(stack: Stack, place: Place) -> dict[str, dict[str, Any]]:
    cluster = stack.azure.kubernetes(place.cluster)
    known = {str(each["metadata"]["name"]) for each in cluster.objects("customresourcedefinitions")}
    if "instancetypes.amlarc.azureml.com" not in known:
        return {}
    return {str(each["metadata"]["name"]): each for each in cluster.objects("instancetypes")}


@dataclass(frozen=True)
class Inventories:
    """Before the attach, after it, when the detach was asked for, and at the end."""

    before: Inventory
    attached: Inventory
    asked: Inventory
    ended: Inventory

    def made_roles(self) -> set[str]:
        """Ids of the assignments that came with the attach and are still there."""
        return (self.attached.roles.keys() - self.before.roles.keys()) & self.asked.roles.keys()

    def made_types(self) -> set[str]:
        """Names of the instance types that came with the attach and are still the same."""
        new = self.attached.types.keys() - self.before.types.keys()
        return {name for name in new if self.asked.types.get(name) == self.attached.types[name]}

    def made_extension(self) -> bool:
        """Whether the extension came with the attach and is still the same."""
        came = self.before.extension is None and self.attached.extension is not None
        return came and self.asked.extension == self.attached.extension
