"""Roles that identities other than the app's own need for an attachment, and role assignments that give them.

Which roles: how-to-attach-kubernetes-to-workspace ("Attach to workspace with user-assigned managed identity") and, for
the compute's identity, how-to-troubleshoot-kubernetes-compute. Ids: Microsoft's list of built-in roles.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from domain.arm_ids import (
    CONNECTED_CLUSTER,
    MANAGED_CLUSTER,
    REGISTRY,
    RELAY,
    STORAGE_ACCOUNT,
    ArmId,
    guid_in,
    resource_at,
)

ROLE_ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
ROLE_DEFINITION = "Microsoft.Authorization/roleDefinitions"
API_VERSION = "2022-04-01"


@dataclass(frozen=True)
class Role:
    """A built-in role; ``covered_by`` are ids of other built-in roles that allow all of it.

    ``scopes`` are the types of resources that it is granted on: never a resource group or a subscription.
    """

    name: str
    id: str
    scopes: tuple[str, ...]
    covered_by: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Need:
    """That a principal (an object id) has a role at a scope. ``whose`` and ``what`` are words for people.

    ``to_come``: the scope is the resource group of a relay that does not exist yet. It is looked at, never granted.
    """

    role: Role
    scope: str
    principal_id: str
    whose: str
    what: str
    to_come: bool = False

    @property
    def fits(self) -> bool:
        """Whether the role is one for a scope of this type, and the scope and the principal are ids at all."""
        return self.fits_scope and guid_in(self.principal_id) is not None

    @property
    def fits_scope(self) -> bool:
        """The same of the scope alone."""
        return resource_at(self.scope, *self.role.scopes) is not None

    @property
    def assignment_id(self) -> str:
        """ARM id of the assignment that this product makes: the same for the same need, whoever asks and how often."""
        name = uuid5(NAMESPACE_URL, f"{self.scope}|{self.principal_id}|{self.role.id}".lower())
        return f"{self.scope}/providers/{ROLE_ASSIGNMENT}/{name}"

    @property
    def command(self) -> str:
        """The command that grants it."""
        return (
            f"az role assignment create --assignee-object-id {shlex.quote(self.principal_id)} "
            f"--assignee-principal-type ServicePrincipal --role {shlex.quote(self.role.name)} "
            f"--scope {shlex.quote(self.scope)}"
        )

    def __str__(self) -> str:
        return f"{self.role.name} on {self.what}"


@dataclass(frozen=True)
class Seen:
    """What a look at needs came to. ``unclear`` pairs what is unknown with why."""

    met: tuple[Need, ...] = ()
    missing: tuple[Need, ...] = ()
    unclear: tuple[tuple[Need, str], ...] = ()


_OWNER, _CONTRIBUTOR = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "b24988ac-6180-42a0-ab88-20f7382dd24c"
_ALL = frozenset({_OWNER, _CONTRIBUTOR})
_CLUSTERS = (MANAGED_CLUSTER, CONNECTED_CLUSTER)
READER = Role("Reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7", _CLUSTERS, _ALL)
EXTENSION_CONTRIBUTOR = Role(
    "Kubernetes Extension Contributor", "85cb6faf-e071-4c9b-8136-154b5a04f717", _CLUSTERS, _ALL
)
CLUSTER_ADMIN = Role(
    "Azure Kubernetes Service Cluster Admin Role", "0ab0b1a8-8aac-4efd-b8c2-3ee1fb270be8", (MANAGED_CLUSTER,), _ALL
)
# Owner and Contributor manage a relay; only Azure Relay Owner sends and listens as well.
RELAY_OWNER = Role("Azure Relay Owner", "2787bf04-f1f5-4bfe-8383-c8a24483ee38", (RELAY,))
# Pulling is an action of the control plane: Reader and AcrPush have it too.
ACR_PULL = Role(
    "AcrPull",
    "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    (REGISTRY,),
    _ALL | {READER.id, "8311e382-0749-4cb8-b61a-304f252e45ec"},
)
# Reading and writing blobs are data actions, which Owner and Contributor lack.
BLOB_CONTRIBUTOR = Role(
    "Storage Blob Data Contributor",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    (STORAGE_ACCOUNT,),
    frozenset({"b7e6dc6d-f1e8-4753-8033-0f276bb0955b"}),  # Storage Blob Data Owner
)
BUILT_IN = (READER, EXTENSION_CONTRIBUTOR, CLUSTER_ADMIN, RELAY_OWNER, ACR_PULL, BLOB_CONTRIBUTOR)
_KNOWN = frozenset({role.id for role in BUILT_IN}).union(*(role.covered_by for role in BUILT_IN))


def workspace_needs(principal_id: str, cluster: ArmId, relay: str | None) -> tuple[Need, ...]:
    """What the workspace's user-assigned identity needs; ``relay`` is the relay namespace of an Arc cluster."""
    connected = cluster.resource_type == CONNECTED_CLUSTER
    roles = (READER, EXTENSION_CONTRIBUTOR) if connected else (READER, EXTENSION_CONTRIBUTOR, CLUSTER_ADMIN)
    whose, what = "the workspace's user-assigned identity", f"cluster {cluster.name}"
    needs = [Need(role, str(cluster), principal_id, whose, what) for role in roles]
    if relay is not None:
        needs.append(Need(RELAY_OWNER, relay, principal_id, whose, f"relay {relay.rsplit('/', 1)[-1]}"))
    return tuple(needs)


def relay_to_come(need: Need) -> Need:
    """The same need before the relay exists: only a role on its resource group can reach it yet."""
    group = need.scope.partition("/providers/")[0]
    what = f"resource group {group.rsplit('/', 1)[-1]} (its relay is yet to be made)"
    return replace(need, scope=group, what=what, to_come=True)


def compute_needs(principal_id: str, registry: str | None, storage: str | None) -> tuple[Need, ...]:
    """What the compute's identity needs to pull images and to read and write job data; None: there is none."""
    whose = "the compute's identity"
    wanted = ((ACR_PULL, registry, "registry"), (BLOB_CONTRIBUTOR, storage, "storage account"))
    return tuple(
        Need(role, scope, principal_id, whose, f"{kind} {scope.rsplit('/', 1)[-1]}")
        for role, scope, kind in wanted
        if scope
    )


def role_ids(assignments: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Ids (GUIDs, lower case) of the roles that assignments give; the paths before them differ by who asks."""
    found = (str((a.get("properties") or {}).get("roleDefinitionId") or "") for a in assignments)
    return frozenset(text.rsplit("/", 1)[-1].lower() for text in found if text)


def is_met(need: Need, held: frozenset[str]) -> bool:
    """Whether one of the roles that a principal holds at the scope (or above) is what it needs."""
    return not held.isdisjoint({need.role.id, *need.role.covered_by})


def unknown_roles(held: frozenset[str]) -> frozenset[str]:
    """Roles that this module knows nothing of: custom ones, perhaps, that may allow what is needed."""
    return held - _KNOWN


def assignment_body(need: Need) -> dict[str, Any]:
    """The body of a role assignment.

    The principal's type keeps Azure from asking the directory, which may not know a new identity yet.
    """
    subscription = need.scope.split("/")[2]
    return {
        "properties": {
            "roleDefinitionId": f"/subscriptions/{subscription}/providers/{ROLE_DEFINITION}/{need.role.id}",
            "principalId": need.principal_id,
            "principalType": "ServicePrincipal",
        }
    }


def commands(needs: Iterable[Need]) -> str:
    """The commands that grant what is missing, one a line."""
    return "\n".join(need.command for need in needs)


def in_words(needs: Sequence[Need]) -> str:
    """Needs as a list in a sentence."""
    return ", ".join(str(need) for need in needs)


def user_identity(workspace: Mapping[str, Any]) -> str | None:
    """Id of the user-assigned identity that a workspace acts as; None when it acts as its own.

    The primary one if it names one, else the first. A workspace that has its own as well acts as that.
    """
    identity = workspace.get("identity") or {}
    if "systemassigned" in str(identity.get("type") or "").lower():
        return None
    users = [str(user) for user in identity.get("userAssignedIdentities") or {}]
    primary = str((workspace.get("properties") or {}).get("primaryUserAssignedIdentity") or "")
    return next((user for user in users if user.lower() == primary.lower()), users[0] if users else None)


def principal_of(resource: Mapping[str, Any], user: str | None) -> str | None:
    """Object id of a resource's own identity, or of the user-assigned one named; None when it does not tell."""
    identity = resource.get("identity") or {}
    if user is None:
        found = identity.get("principalId")
    else:
        users = {str(k).lower(): v for k, v in (identity.get("userAssignedIdentities") or {}).items()}
        named = users.get(user.lower())
        found = named.get("principalId") if isinstance(named, Mapping) else None
    return guid_in(found)
