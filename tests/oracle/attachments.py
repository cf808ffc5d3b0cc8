"""Attachments that the app itself made before it detaches them: what was there before, what it made, who else uses it.

Drawn with what clean-up may and must do about each thing; whose a thing is tells Azure, before and after the attach.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from local import world as stack_worlds

ROLES, TYPES, EXTENSION = "roleAssignments", "instanceTypes", "extension"
OPTIONS = (ROLES, TYPES, EXTENSION)
# Who else there is by the time of the detach: nobody; a compute of the same workspace on the cluster; one of another
# workspace; one of another workspace that acts as the same identity; a workspace whose computes may not be listed,
# and one that acts as the same identity, too; one whose listing fails once; one that uses another cluster; a compute of
# the same workspace on another cluster with the same identity.
NOBODY, SAME, OTHER, SHARED, HIDDEN, HIDDEN_SHARED, PASSING, ELSEWHERE, IDENTITY = (
    "nobody",
    "same workspace",
    "other workspace",
    "shared identity",
    "hidden",
    "hidden with shared identity",
    "fails once",
    "other cluster",
    "identity of the compute",
)
NEIGHBOURS = (NOBODY, NOBODY, SAME, OTHER, SHARED, HIDDEN, HIDDEN_SHARED, PASSING, ELSEWHERE, IDENTITY)
_ON_THE_CLUSTER = (SAME, OTHER, SHARED)
_UNREADABLE = (HIDDEN, HIDDEN_SHARED)
_NEEDED = ("Reader", "Kubernetes Extension Contributor", "Azure Kubernetes Service Cluster Admin Role")
SYSTEM, USER = "SystemAssigned", "UserAssigned"


@dataclass(frozen=True)
class Attachment:
    """An attach by the app. ``given`` and the like are somebody else's; ``removed`` goes by hand before the detach.

    ``replaced``: somebody puts an instance type of their own in the place of one. ``refused``: whose removal Azure does
    not allow; ``hiccups``: whose removal fails once.
    """

    acts_as_user: bool
    given: tuple[str, ...]
    identity: str | None
    extension_there: bool
    types_there: tuple[str, ...]
    types_asked: tuple[str, ...]
    clean_up: dict[str, bool] | None
    neighbour: str
    removed: tuple[str, ...] = ()
    replaced: bool = False
    refused: tuple[str, ...] = ()
    hiccups: tuple[str, ...] = ()

    def asks(self, option: str) -> bool:
        """Whether the request asks for that clean-up; roles go unless it says otherwise."""
        return bool((self.clean_up or {}).get(option, option == ROLES))

    def must_stay(self, option: str, *, of_compute: bool = False) -> bool:
        """Whether something else relies on what was made, or may; ``of_compute``: a role of the compute's identity."""
        if option != ROLES:
            return self.neighbour in (*_ON_THE_CLUSTER, *_UNREADABLE)
        if of_compute:
            return self.neighbour == IDENTITY and self.identity == USER
        return self.neighbour == SAME or (self.acts_as_user and self.neighbour in (SHARED, HIDDEN_SHARED))

    def must_go(self, option: str) -> bool:
        """Whether nothing at all speaks against removing what was made."""
        uses = self.neighbour in (*_ON_THE_CLUSTER, *_UNREADABLE)
        free = not uses or (option == ROLES and self.neighbour == OTHER)
        return free and self.neighbour != IDENTITY and option not in self.refused

    def body(self, place: Place) -> dict[str, Any]:
        """What the request to attach has beside its ids."""
        asked: dict[str, Any] = {"grantRoles": True}
        if self.types_asked:
            asked["instanceTypes"] = [{"name": name, **spec_of(name)} for name in self.types_asked]
        if self.identity == SYSTEM:
            asked["identity"] = {"type": SYSTEM}
        if self.identity == USER:
            asked["identity"] = {"type": USER, "userAssignedIdentityId": place.user("pool")}
        return asked


def draw_attachment(seed: int) -> Attachment | None:
    """The attachment of a world, in one of five."""
    chance = random.Random(f"attachment {seed}")
    if chance.random() >= 0.2:
        return None
    user = chance.random() < 0.7
    asked = chance.sample(("small", "large"), chance.choice((0, 1, 2, 2)))
    there = [name for name in ("small", "theirs") if chance.random() < 0.3]
    every = dict.fromkeys(OPTIONS, True)
    some = {option: chance.random() < 0.6 for option in OPTIONS if chance.random() < 0.8}
    return Attachment(
        acts_as_user=user,
        given=tuple(role for role in _NEEDED if chance.random() < 0.25) if user else (),
        identity=chance.choice((None, SYSTEM, USER)),
        extension_there=chance.random() < 0.35,
        types_there=tuple(there),
        types_asked=tuple(asked),
        clean_up=chance.choice((None, every, every, some)),
        neighbour=chance.choice(NEIGHBOURS),
        removed=tuple(option for option in OPTIONS if chance.random() < 0.08),
        replaced=chance.random() < 0.15,
        refused=tuple(option for option in (ROLES, EXTENSION) if chance.random() < 0.1),
        hiccups=tuple(option for option in OPTIONS if chance.random() < 0.2),
    )


def spec_of(name: str) -> dict[str, Any]:
    """The specification of an instance type of that name, whoever makes it."""
    amounts = {"cpu": "2" if name == "large" else "1", "memory": "1Gi"}
    return {"resources": {"requests": amounts, "limits": amounts}}


@dataclass(frozen=True)
class Place:
    """The ids around one attachment; it has a subscription of its own, whose workspaces are all its neighbours."""

    name: str
    workspace: str
    cluster: str
    compute: str

    @property
    def subscription(self) -> str:
        return self.workspace.split("/")[2]

    @property
    def other(self) -> str:
        """Another workspace."""
        return f"{self.workspace}-b"

    @property
    def other_cluster(self) -> str:
        """A cluster that has nothing to do with it."""
        return self.cluster.removesuffix(self.name) + "x" + self.name

    @property
    def extension(self) -> str:
        return f"{self.cluster}/providers/Microsoft.KubernetesConfiguration/extensions/azureml"

    @property
    def registry(self) -> str:
        group = self.workspace.partition("/providers/")[0]
        return f"{group}/providers/Microsoft.ContainerRegistry/registries/acr{self.name.replace('-', '')}"

    def user(self, name: str) -> str:
        """A user-assigned identity."""
        group = self.workspace.partition("/providers/")[0]
        return f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"


def seed_before(attachment: Attachment, place: Place, extension: dict[str, Any]) -> dict[str, Any]:
    """What Azure has before the attach: whoever acts there, the workspaces and the clusters."""
    shares = attachment.neighbour in (SHARED, HIDDEN_SHARED)
    own = _identity(place.user("ml")) if attachment.acts_as_user else {"type": SYSTEM}
    others = own if shares else {"type": SYSTEM}
    workspaces = [
        {
            "id": place.workspace,
            "location": stack_worlds.LOCATION,
            "identity": own,
            "properties": {"containerRegistry": place.registry},
        }
    ]
    if attachment.neighbour not in (NOBODY, SAME, IDENTITY):
        workspaces.append({"id": place.other, "location": stack_worlds.LOCATION, "identity": others})
    clusters = [{"id": each, **stack_worlds.cluster_body()} for each in (place.cluster, place.other_cluster)]
    return {
        "workspaces": workspaces,
        "clusters": clusters,
        "extensions": [extension] if attachment.extension_there else [],
        "resources": [{"id": place.user("pool"), "location": stack_worlds.LOCATION}],
    }


def seed_neighbours(attachment: Attachment, place: Place) -> dict[str, Any]:
    """The computes that others have by the time of the detach."""
    at = {
        SAME: [(place.workspace, place.cluster)],
        OTHER: [(place.other, place.cluster)],
        SHARED: [(place.other, place.cluster)],
        ELSEWHERE: [(place.other, place.other_cluster)],
        IDENTITY: [(place.workspace, place.other_cluster)],
    }.get(attachment.neighbour, [])
    computes: list[dict[str, Any]] = []
    for workspace, cluster in at:
        properties = {"computeType": "Kubernetes", "resourceId": cluster}
        compute: dict[str, Any] = {"workspaceId": workspace, "name": "neighbour", "properties": properties}
        if attachment.neighbour == IDENTITY and attachment.identity == USER:
            compute["identity"] = _identity(place.user("pool"))
        computes.append(compute)
    return {"computes": computes}


def faults_of(attachment: Attachment, place: Place) -> list[dict[str, Any]]:
    """What Azure does not let the app do, or not at once."""
    found: list[dict[str, Any]] = []
    if attachment.neighbour in _UNREADABLE:
        found.append({"method": "GET", "path": f"^{place.other}/computes\\?", "every": True, "status": 403})
    if attachment.neighbour == PASSING:
        found.append({"method": "GET", "path": f"^{place.other}/computes\\?", "nth": [1], "status": 503})
    paths = {
        ROLES: f"^/subscriptions/{place.subscription}/.*/roleAssignments/",
        EXTENSION: f"^{place.extension}\\?",
        TYPES: f"^{place.cluster}/.*/instancetypes/",
    }
    found += [{"method": "DELETE", "path": paths[o], "every": True, "status": 403} for o in attachment.refused]
    for option in attachment.hiccups:
        found.append({"method": "DELETE", "path": paths[option], "nth": [1], "status": 503})
    return found


def _identity(user: str) -> dict[str, Any]:
    return {"type": USER, "userAssignedIdentities": {user: {}}}
