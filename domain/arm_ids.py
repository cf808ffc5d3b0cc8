"""ARM resource ids: parsed, compared without regard to letter case, and put into one canonical spelling."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

WORKSPACE = "Microsoft.MachineLearningServices/workspaces"
COMPUTE = f"{WORKSPACE}/computes"
MANAGED_CLUSTER = "Microsoft.ContainerService/managedClusters"
CONNECTED_CLUSTER = "Microsoft.Kubernetes/connectedClusters"
EXTENSION = "Microsoft.KubernetesConfiguration/extensions"

STORAGE_ACCOUNT = "Microsoft.Storage/storageAccounts"
REGISTRY = "Microsoft.ContainerRegistry/registries"
USER_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
RELAY = "Microsoft.Relay/namespaces"
JOB, SCHEDULE = f"{WORKSPACE}/jobs", f"{WORKSPACE}/schedules"
ONLINE_ENDPOINT, BATCH_ENDPOINT = f"{WORKSPACE}/onlineEndpoints", f"{WORKSPACE}/batchEndpoints"
ONLINE_DEPLOYMENT, BATCH_DEPLOYMENT = f"{ONLINE_ENDPOINT}/deployments", f"{BATCH_ENDPOINT}/deployments"

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_SUBSCRIPTION = re.compile(r"[0-9A-Za-z][-0-9A-Za-z]{0,63}\Z")
_GROUP = re.compile(r"[-\w._()]{0,89}[-\w_()]\Z")
# Resource names that this product addresses; ARM refuses what lies outside long before these limits matter.
_NAME = re.compile(r"[A-Za-z0-9][-\w.]{0,127}\Z", re.ASCII)
# What jobs, schedules, endpoints, extensions and relays are called, too.
_CHILD_NAME = re.compile(r"[A-Za-z0-9_][-\w.]{0,254}\Z", re.ASCII)
_NAMESPACE = re.compile(r"[A-Za-z]\w*(\.\w+)+\Z", re.ASCII)
_KIND = re.compile(r"[A-Za-z]\w*\Z", re.ASCII)
# A segment of any path of Azure Resource Manager: operations of Azure ML have colons in theirs.
_SEGMENT = re.compile(r"[-\w.():~]{1,260}\Z")
# Regions are answered as ``eastus`` or as ``East US``.
_REGION = re.compile(r"[A-Za-z][A-Za-z0-9 ]{0,63}\Z")
_ROOTS = frozenset({"subscriptions", "providers"})
_LONGEST_PATH = 2_000


class ArmPath(str):
    """A path of Azure Resource Manager: what its gateway takes, and nothing else. It reads and compares as its text.

    Only this module makes it, from typed ids (``ArmId.path``, ``Resource.path``, ``subscription_path``); type checks
    refuse a text in its place. Raises ValueError as ``checked_path`` does, however it is made.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Raises ValueError."""
        return super().__new__(cls, checked_path(text))

    def below(self, *segments: str) -> ArmPath:
        """The path of what stands below it. Raises ValueError for a text that is not one segment."""
        if any("/" in each for each in segments):
            raise ValueError("is no segment of a path of Azure Resource Manager")
        return ArmPath("/".join((self, *segments)))

    def listing(self, resource_type: str) -> ArmPath:
        """The path of all resources of a type at this scope: ``.../providers/A/b``. Raises ValueError."""
        return self.below("providers", *resource_type.split("/"))


@dataclass(frozen=True)
class ArmId:
    """A resource in a resource group, in the spelling of the documentation; group and name keep the caller's case."""

    subscription: str
    resource_group: str
    resource_type: str
    name: str

    def __str__(self) -> str:
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
            f"/providers/{self.resource_type}/{self.name}"
        )

    @property
    def path(self) -> ArmPath:
        """The id as Azure Resource Manager is asked for it. Raises ValueError for an id that nobody has parsed."""
        return ArmPath(str(self))

    @property
    def key(self) -> str:
        """The id in lower case: equal for every spelling of one resource."""
        return str(self).lower()


@dataclass(frozen=True)
class Resource:
    """A resource at any depth of a resource group: of ``scope`` too, as a role assignment or an extension is."""

    text: str
    resource_type: str
    name: str

    def __str__(self) -> str:
        return self.text

    @property
    def path(self) -> ArmPath:
        """The id as Azure Resource Manager is asked for it. Raises ValueError for an id that nobody has parsed."""
        return ArmPath(self.text)

    @property
    def key(self) -> str:
        """The id in lower case: equal for every spelling of one resource."""
        return self.text.lower()


def parse_arm_id(text: str, *allowed_types: str) -> ArmId:
    """Parse the id of a top-level resource, in any letter case, with or without the leading slash.

    Raises ValueError, with a sentence for the caller, when the text is no such id or not of an allowed type.
    """
    parts = text.strip().strip("/").split("/")
    wanted = " or ".join(allowed_types)
    if len(parts) != 8 or [parts[0].lower(), parts[2].lower(), parts[4].lower()] != [
        "subscriptions",
        "resourcegroups",
        "providers",
    ]:
        raise ValueError(
            "must be an ARM id of the form /subscriptions/<id>/resourceGroups/<group>/providers/"
            f"{allowed_types[0] if allowed_types else '<namespace>/<type>'}/<name>"
        )
    _, subscription, _, group, _, namespace, kind, name = parts
    if not _GUID.match(subscription):
        raise ValueError(f"'{subscription}' is not a subscription id (a GUID)")
    if not _is_group(group):
        raise ValueError(f"'{group}' is not a valid resource group name")
    if not _NAME.match(name):
        raise ValueError(f"'{name}' is not a valid resource name")
    if not _NAMESPACE.match(namespace) or not _KIND.match(kind):
        raise ValueError(f"'{namespace}/{kind}' is not a resource type")
    given = f"{namespace}/{kind}"
    canonical = next((t for t in allowed_types if t.lower() == given.lower()), None)
    if allowed_types and canonical is None:
        raise ValueError(f"is a {given} resource; expected {wanted}")
    return ArmId(subscription.lower(), group, canonical or given, name)


def parse_resource(text: str, *allowed_types: str, under: ArmId | Resource | None = None) -> Resource:
    """Parse the id of a resource at any depth, in any letter case: ``.../providers/A/b/x/c/y`` is an ``A/b/c``.

    ``under``: the resource that it has to be a part of, or an extension of. Raises ValueError as ``parse_arm_id`` does.
    """
    parts = text.strip("/").split("/")
    if len(parts) < 8:
        raise ValueError("is not the ARM id of a resource in a resource group")
    top = parse_arm_id("/".join(parts[:8]))
    scope, types, names, rest = str(top).partition("/providers/")[0], [top.resource_type], [top.name], parts[8:]
    while rest:
        if rest[0].lower() == "providers" and len(rest) >= 4:
            scope = f"{scope}/providers/{_chain(types, names)}"
            (_, namespace, kind, name), rest = rest[:4], rest[4:]
            fits, types, names = bool(_NAMESPACE.match(namespace)), [f"{namespace}/{kind}"], [name]
        elif len(rest) >= 2:
            (kind, name), rest = rest[:2], rest[2:]
            fits, types, names = True, [*types, kind], [*names, name]
        else:
            raise ValueError("is not the ARM id of a resource: it ends with a type")
        if not fits or not _KIND.match(kind) or not _CHILD_NAME.match(name):
            raise ValueError(f"'{kind}/{name}' is not a valid resource type and name")
    given = "/".join(types)
    wanted = next((t for t in allowed_types if t.lower() == given.lower()), None)
    if allowed_types and wanted is None:
        raise ValueError(f"is a {given} resource; expected {' or '.join(allowed_types)}")
    if wanted is not None:
        first, second, *more = wanted.split("/")
        types = [f"{first}/{second}", *more]
    canonical = f"{scope}/providers/{_chain(types, names)}"
    if under is not None and not canonical.lower().startswith(f"{under.key}/"):
        raise ValueError(f"is no part of {under}")
    return Resource(canonical, wanted or given, names[-1])


def _is_group(text: str) -> bool:
    """Whether a text is a resource group's name, and stays apart from every other name in lower case.

    Azure takes letters of all scripts. It has the sign of Kelvin apart from a k, which lower case here does not.
    """
    return _GROUP.match(text) is not None and all(c == c.lower() or c == c.lower().upper() for c in text)


def _chain(types: list[str], names: list[str]) -> str:
    return "/".join(f"{kind}/{name}" for kind, name in zip(types, names, strict=True))


def resource_at(text: object, *allowed_types: str, under: ArmId | Resource | None = None) -> Resource | None:
    """The same of whatever an answer of Azure has in the place of an id; None when it is no such id."""
    try:
        return parse_resource(text, *allowed_types, under=under) if isinstance(text, str) else None
    except ValueError:
        return None


def subscription_path(subscription: str) -> ArmPath:
    """A subscription's own path, by its id as a typed id has it. Raises ValueError for what cannot be one."""
    if not _SUBSCRIPTION.match(subscription):
        raise ValueError(f"'{subscription}' is not a subscription id")
    return ArmPath(f"/subscriptions/{subscription.lower()}")


def group_path(subscription: str, group: str) -> ArmPath:
    """A resource group's own path. Raises ValueError when a text is no such name."""
    if not _is_group(group):
        raise ValueError(f"'{group}' is not a valid resource group name")
    return subscription_path(subscription).below("resourceGroups", group)


def parse_scope(text: str) -> ArmPath:
    """The path of what roles can be assigned on: a resource, a resource group or a subscription. Raises ValueError."""
    root, *rest = text.strip("/").split("/")
    if root.lower() == "subscriptions" and len(rest) == 1:
        return subscription_path(rest[0])
    if root.lower() == "subscriptions" and len(rest) == 3 and rest[1].lower() == "resourcegroups":
        return group_path(rest[0], rest[2])
    return parse_resource(text).path


def guid_in(text: object) -> str | None:
    """An object id, or another GUID, of an answer of Azure; None when it is none."""
    return text if isinstance(text, str) and _GUID.match(text) else None


def region_in(text: object) -> str | None:
    """A region of an answer of Azure, as it is spelt there; None when it is none."""
    return text if isinstance(text, str) and _REGION.match(text) else None


def checked_path(path: str) -> str:
    """A path of Azure Resource Manager that leads nowhere else and means one thing.

    Raises ValueError for everything that is not segments of letters, digits and ``- _ . ( ) : ~`` below
    ``/subscriptions`` or ``/providers``: no ``@ \\ ? # %``, no control character, no empty or dot segment.
    """
    root, *rest = path.removeprefix("/").split("/")
    fits = path.startswith("/") and root.lower() in _ROOTS and rest and len(path) <= _LONGEST_PATH
    if not fits or not all(_SEGMENT.match(each) and each not in (".", "..") for each in rest):
        raise ValueError("is no path of Azure Resource Manager")
    return path


def same_resource(left: str, right: str) -> bool:
    """Whether two ARM ids name the same resource."""
    return left.strip("/").lower() == right.strip("/").lower()


def compute_id(workspace: ArmId, compute_name: str) -> ArmPath:
    """ARM id of a compute of a workspace. Raises ValueError for what cannot be its name."""
    return workspace.path.below("computes", compute_name)


def extension_id(cluster: ArmId, name: str) -> ArmPath:
    """ARM id of a cluster extension, an extension resource of the cluster itself. Raises ValueError for no name."""
    return cluster.path.listing(EXTENSION).below(name)
