"""The kinds of objects that are served, and the errors of the Kubernetes API as Status objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

AML_GROUP = "amlarc.azureml.com"
Object = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A resource of the API. ``crd`` names the definition without which it is not served."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    crd: str | None = None

    @property
    def api_version(self) -> str:
        """What objects of the kind carry as apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The plural with its group, as messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


NAMESPACES = Kind("", "v1", "namespaces", "Namespace", False)
PODS = Kind("", "v1", "pods", "Pod", True)
SERVICES = Kind("", "v1", "services", "Service", True)
CONFIG_MAPS = Kind("", "v1", "configmaps", "ConfigMap", True)
SECRETS = Kind("", "v1", "secrets", "Secret", True)
SERVICE_ACCOUNTS = Kind("", "v1", "serviceaccounts", "ServiceAccount", True)
CLUSTER_ROLES = Kind("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", False)
CLUSTER_ROLE_BINDINGS = Kind("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", False)
DEPLOYMENTS = Kind("apps", "v1", "deployments", "Deployment", True)
DAEMON_SETS = Kind("apps", "v1", "daemonsets", "DaemonSet", True)
STATEFUL_SETS = Kind("apps", "v1", "statefulsets", "StatefulSet", True)
DEFINITIONS = Kind("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", False)
INSTANCE_TYPES = Kind(AML_GROUP, "v1alpha1", "instancetypes", "InstanceType", False, f"instancetypes.{AML_GROUP}")
AML_JOBS = Kind(AML_GROUP, "v1alpha1", "amljobs", "AmlJob", True, f"amljobs.{AML_GROUP}")
ONLINE_ENDPOINTS = Kind(
    AML_GROUP, "v1alpha1", "onlineendpoints", "OnlineEndpoint", True, f"onlineendpoints.{AML_GROUP}"
)

KINDS = (
    NAMESPACES,
    PODS,
    SERVICES,
    CONFIG_MAPS,
    SECRETS,
    SERVICE_ACCOUNTS,
    CLUSTER_ROLES,
    CLUSTER_ROLE_BINDINGS,
    DEPLOYMENTS,
    DAEMON_SETS,
    STATEFUL_SETS,
    DEFINITIONS,
    INSTANCE_TYPES,
    AML_JOBS,
    ONLINE_ENDPOINTS,
)


class StatusError(Exception):
    """A request that the API refuses with a Status object."""

    def __init__(self, code: int, reason: str, message: str, kind: Kind | None = None, name: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.kind = kind
        self.name = name

    def body(self) -> Object:
        """The Status object."""
        details: Object = {}
        if self.kind is not None:
            details = {"kind": self.kind.plural, **({"group": self.kind.group} if self.kind.group else {})}
        if self.name is not None:
            details["name"] = self.name
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            **({"details": details} if details else {}),
            "code": self.code,
        }


def not_found(kind: Kind, name: str) -> StatusError:
    """404 for one object."""
    return StatusError(404, "NotFound", f'{kind.qualified} "{name}" not found', kind, name)


def already_exists(kind: Kind, name: str) -> StatusError:
    """409 for a create."""
    return StatusError(409, "AlreadyExists", f'{kind.qualified} "{name}" already exists', kind, name)


def no_such_page() -> StatusError:
    """404 for a path or a kind that is not served, also one whose definition is not there."""
    return StatusError(404, "NotFound", "the server could not find the requested resource")


def unauthorized() -> StatusError:
    """401."""
    return StatusError(401, "Unauthorized", "Unauthorized")


def invalid(kind: Kind, name: str, reason: str) -> StatusError:
    """422."""
    return StatusError(422, "Invalid", f'{kind.kind} "{name}" is invalid: {reason}', kind, name)
