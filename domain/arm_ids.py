"""ARM resource ids: parsed, compared without regard to letter case, and put into one canonical spelling."""

from __future__ import annotations

import re
from dataclasses import dataclass

WORKSPACE = "Microsoft.MachineLearningServices/workspaces"
COMPUTE = f"{WORKSPACE}/computes"
MANAGED_CLUSTER = "Microsoft.ContainerService/managedClusters"
CONNECTED_CLUSTER = "Microsoft.Kubernetes/connectedClusters"
EXTENSION = "Microsoft.KubernetesConfiguration/extensions"

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_GROUP = re.compile(r"[-\w._()]{0,89}[-\w_()]\Z")
# Resource names that this product addresses; ARM refuses what lies outside long before these limits matter.
_NAME = re.compile(r"[A-Za-z0-9][-\w.]{0,127}\Z")


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
    def key(self) -> str:
        """The id in lower case: equal for every spelling of one resource."""
        return str(self).lower()


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
    if not _GROUP.match(group):
        raise ValueError(f"'{group}' is not a valid resource group name")
    if not _NAME.match(name):
        raise ValueError(f"'{name}' is not a valid resource name")
    given = f"{namespace}/{kind}"
    canonical = next((t for t in allowed_types if t.lower() == given.lower()), None)
    if allowed_types and canonical is None:
        raise ValueError(f"is a {given} resource; expected {wanted}")
    return ArmId(subscription.lower(), group, canonical or given, name)


def same_resource(left: str, right: str) -> bool:
    """Whether two ARM ids name the same resource."""
    return left.strip("/").lower() == right.strip("/").lower()


def compute_id(workspace: ArmId, compute_name: str) -> str:
    """ARM id of a compute of a workspace."""
    return f"{workspace}/computes/{compute_name}"


def extension_id(cluster: ArmId, name: str) -> str:
    """ARM id of a cluster extension, an extension resource of the cluster itself."""
    return f"{cluster}/providers/{EXTENSION}/{name}"
