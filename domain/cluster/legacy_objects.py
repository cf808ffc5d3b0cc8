"""What Azure ML v1 left in clusters: its scoring front end, azureml-fe, in namespace default.

Source: troubleshooting of the extension (E45004, E45005: "legacy azureml-fe objects"), which lists exactly these for
removal before an installation.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from domain.arm_ids import ArmId

_NAMESPACE = "default"
_RBAC = "rbac.authorization.k8s.io"
# An object of a chart is no leftover: the extension has namesakes of its own, installed by Helm.
_HELM = "meta.helm.sh/release-name"


@dataclass(frozen=True)
class LegacyObject:
    """One object by its place in the Kubernetes API; ``namespace`` is None for objects of the whole cluster."""

    kind: str
    plural: str
    name: str
    group: str = ""
    namespace: str | None = _NAMESPACE

    @property
    def path(self) -> str:
        """Its path below the cluster's API."""
        api = f"/apis/{self.group}/v1" if self.group else "/api/v1"
        return f"{api}{f'/namespaces/{self.namespace}' if self.namespace else ''}/{self.plural}/{self.name}"

    def id_in(self, cluster: ArmId) -> str:
        """How the record names it: its path in the cluster's API, below the cluster."""
        return f"{cluster}{self.path}"

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


# The deployment first: what goes after it is used by nobody any more.
LEGACY_OBJECTS = (
    LegacyObject("Deployment", "deployments", "azureml-fe", "apps"),
    LegacyObject("Service", "services", "azureml-fe"),
    LegacyObject("Service", "services", "azureml-fe-int-http"),
    LegacyObject("ClusterRoleBinding", "clusterrolebindings", "azureml-fe-binding", _RBAC, None),
    LegacyObject("ClusterRole", "clusterroles", "azureml-fe-role", _RBAC, None),
    LegacyObject("ServiceAccount", "serviceaccounts", "azureml-fe"),
    LegacyObject("Secret", "secrets", "azuremlfessl"),
    LegacyObject("ConfigMap", "configmaps", "azuremlfeconfig"),
)


def is_of_a_chart(annotations: Mapping[str, str]) -> bool:
    """Whether an object was installed by Helm, and so is no leftover of v1."""
    return _HELM in annotations


def in_words(objects: Iterable[LegacyObject]) -> str:
    """The objects as a person names them."""
    return ", ".join(str(each) for each in objects)


def kubectl(verb: str, objects: Iterable[LegacyObject] = LEGACY_OBJECTS) -> str:
    """The command line by which a person looks at these objects (``get``) or removes them (``delete``)."""
    found = tuple(objects)
    names = [f"{each.plural}/{each.name}" for each in found]
    return shlex.join(["kubectl", verb, *names, "--namespace", _NAMESPACE, "--ignore-not-found"])
