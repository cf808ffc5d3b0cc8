"""ARM resources: found by id in any letter case, listed by parent, hidden for a moment after they were created."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from packages.simulated_azure.arm.errors import resource_not_found

if TYPE_CHECKING:
    from packages.simulated_azure.arm.call import Call
    from packages.simulated_azure.world import World

# {"id", "type", "body": what GET answers, "hidden": what it never answers, "visibleFrom": simulated seconds}
Resource = dict[str, Any]


def key_of(resource_id: str) -> str:
    """The form in which ids are compared."""
    return "/" + resource_id.strip("/").lower()


def subscription_of(resource_id: str) -> str:
    """The subscription id in an ARM id, or an empty string."""
    segments = resource_id.strip("/").split("/")
    return segments[1] if len(segments) > 1 and segments[0].lower() == "subscriptions" else ""


def group_of(resource_id: str) -> str:
    """The resource group's id within an ARM id, or an empty string."""
    segments = resource_id.strip("/").split("/")
    if len(segments) > 3 and segments[2].lower() == "resourcegroups":
        return "/" + "/".join(segments[:4])
    return ""


def parent_of(resource_id: str) -> str:
    """The id two segments up: of a child resource its parent, of an extension resource its provider path's scope."""
    head, _, tail = resource_id.rpartition("/providers/")
    segments = tail.split("/")
    return f"{head}/providers/{'/'.join(segments[:-2])}" if len(segments) > 3 else head


def find(world: World, resource_id: str) -> Resource | None:
    """The resource as the service itself knows it, visible or not."""
    return world.store.get("resource", key_of(resource_id))


def visible(world: World, resource_id: str, now: float) -> Resource | None:
    """The resource as a caller sees it."""
    resource = find(world, resource_id)
    return None if resource is None or resource["visibleFrom"] > now else resource


def require(call: Call, resource_id: str) -> Resource:
    """The resource as the caller sees it.

    Raises ArmError 404 when it is not there or not visible yet.
    """
    resource = visible(call.world, resource_id, call.now)
    if resource is None:
        raise resource_not_found(resource_id)
    return resource


def new(world: World, resource_id: str, resource_type: str, body: dict[str, Any], visible_from: float) -> Resource:
    """Store a new resource (or overwrite one) and answer it."""
    resource: Resource = {
        "id": resource_id,
        "type": resource_type,
        "body": body,
        "hidden": {},
        "visibleFrom": visible_from,
    }
    save(world, resource)
    return resource


def save(world: World, resource: Resource) -> None:
    """Write a resource through after it was changed."""
    world.store.put("resource", key_of(resource["id"]), resource)


def remove(world: World, resource_id: str) -> None:
    """Remove a resource and everything below it."""
    key = key_of(resource_id)
    for other, _ in world.store.items("resource"):
        if other == key or other.startswith(key + "/"):
            world.store.delete("resource", other)


def of_type(world: World, resource_type: str, under: str = "") -> Iterator[Resource]:
    """Every resource of a type whose id lies below ``under``, oldest first."""
    prefix = key_of(under) + "/" if under else ""
    for key, resource in world.store.items("resource"):
        if resource["type"].lower() == resource_type.lower() and key.startswith(prefix):
            yield resource


def state_of(resource: Resource) -> str:
    """The provisioning state."""
    return str(resource["body"].get("properties", {}).get("provisioningState", "Succeeded"))


def set_state(world: World, resource: Resource, state: str) -> None:
    """Set the provisioning state and write through."""
    resource["body"].setdefault("properties", {})["provisioningState"] = state
    save(world, resource)
