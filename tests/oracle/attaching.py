"""Attaches a world's compute by the app before the detach, and puts the neighbours in place."""

from __future__ import annotations

import json
import time
from typing import Any

from local import world as stack_worlds
from local.app_client import AppError
from local.stack import Stack
from tests.faults.evidence import Tables
from tests.oracle.attachments import (
    EXTENSION,
    ROLES,
    TYPES,
    Attachment,
    Place,
    faults_of,
    seed_before,
    seed_neighbours,
    spec_of,
)
from tests.oracle.inventory import Inventory, take_inventory
from tests.oracle.worlds import World, extension

_POLL, _LONGEST = 0.3, 400.0


class AttachFailed(Exception):
    """The attach before the detach did not succeed: nothing of this world disturbs it."""


def attach_first(stack: Stack, tables: Tables, world: World, attachment: Attachment) -> tuple[Inventory, Inventory]:
    """Play what comes before the request to detach; answers what was there before the attach, and after it.

    Raises AttachFailed.
    """
    place = world.place
    there = stack_worlds.world_of()
    rights = json.dumps({name: there[name] for name in ("principals", "roleAssignments")})
    stack.azure.seed(json.loads(rights.replace(stack_worlds.SUBSCRIPTION, place.subscription)))
    stack.azure.seed(seed_before(attachment, place, extension(world.cluster)))
    _give_roles(stack, attachment, place)
    cluster = stack.azure.kubernetes(place.cluster)
    for name in attachment.types_there:
        cluster.change(definitionsFrom=0.0)
        cluster.put("InstanceType", name, spec=spec_of(name), apiVersion="amlarc.azureml.com/v1alpha1")
    before = take_inventory(stack, place)
    _attach(stack, tables, world, attachment)
    attached = take_inventory(stack, place)
    _by_hand(stack, attachment, place, before, attached)
    if not world.attached:
        stack.azure.remove(place.compute)
    stack.azure.seed(seed_neighbours(attachment, place))
    for fault in faults_of(attachment, place):
        stack.azure.add_fault(**fault)
    return before, attached


def _give_roles(stack: Stack, attachment: Attachment, place: Place) -> None:
    workspace = stack.azure.resource(place.workspace)
    assert workspace is not None
    users = workspace["body"]["identity"].get("userAssignedIdentities") or {}
    for user in users.values():
        given = [{"role": r, "scope": place.cluster, "principalId": user["principalId"]} for r in attachment.given]
        stack.azure.seed({"roleAssignments": given})


def _attach(stack: Stack, tables: Tables, world: World, attachment: Attachment) -> None:
    operation_id = f"{world.name}-attach-{int(time.time())}"
    body: dict[str, Any] = {
        "workspaceId": world.workspace,
        "clusterId": world.cluster,
        "computeName": world.compute_name,
        "namespace": world.namespace,
        "createNamespace": True,
        **attachment.body(world.place),
    }
    until = time.monotonic() + _LONGEST
    while not ask(stack, "attach", body, operation_id):
        time.sleep(_POLL)
    while time.monotonic() < until:
        head = tables.head(operation_id)
        if head is not None and head.at_rest:
            if head.status != "Succeeded":
                raise AttachFailed(f"attach {operation_id} is {head.status}: {head.row.get('problem')}")
            return
        time.sleep(_POLL)
    raise AttachFailed(f"attach {operation_id} has not ended")


def ask(stack: Stack, verb: str, body: dict[str, Any], operation_id: str) -> bool:
    """Ask the app for an operation; False when it was down, or said that it cannot now."""
    try:
        stack.app.start(verb, body, operation_id)
    except OSError:
        return False
    except AppError as error:
        if " 5" in str(error)[:24]:
            return False
        raise
    return True


def _by_hand(stack: Stack, attachment: Attachment, place: Place, before: Inventory, attached: Inventory) -> None:
    """What somebody removes or replaces of what the app made."""
    cluster = stack.azure.kubernetes(place.cluster)
    types = sorted(attached.types.keys() - before.types.keys())
    roles = sorted(attached.roles.keys() - before.roles.keys())
    if ROLES in attachment.removed and roles:
        stack.azure.arm("DELETE", f"{roles[0]}?api-version=2022-04-01", client_id=stack_worlds.ENGINEER)
    if TYPES in attachment.removed and types:
        cluster.remove(f"/apis/amlarc.azureml.com/v1alpha1/instancetypes/{types[0]}")
    elif attachment.replaced and types:
        cluster.put("InstanceType", types[0], spec=spec_of(types[0]), apiVersion="amlarc.azureml.com/v1alpha1")
    if EXTENSION in attachment.removed and before.extension is None:
        stack.azure.remove(place.extension)
