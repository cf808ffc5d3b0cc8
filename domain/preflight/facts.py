"""What the checks go by: everything that was read of a request's workspace and cluster, or why it was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from domain.access.roles import Seen
from domain.arm_ids import CONNECTED_CLUSTER, ArmId
from domain.cluster.legacy_objects import LegacyObject
from domain.operation.outcomes import Finding
from domain.problems import Problem

T = TypeVar("T")


@dataclass(frozen=True)
class Unread:
    """What could not be read, and why."""

    why: str


class CannotTell(Exception):
    """A check lacks a fact; the text says which and why."""


@dataclass(frozen=True)
class VmSize:
    """A virtual machine size as Microsoft.Compute lists it. ``memory_gb`` is in GiB, as there."""

    vcpus: float
    memory_gb: float
    gpus: int = 0
    architecture: str = "x64"


@dataclass(frozen=True)
class Version:
    """A Kubernetes minor version that a region offers."""

    minor: str
    preview: bool = False


@dataclass(frozen=True)
class Permission:
    """What one role, built in or not, allows an identity at a scope; ``*`` stands for anything.

    ``conditional``: under a condition that this product does not judge.
    """

    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()
    conditional: bool = False


@dataclass(frozen=True)
class ExtensionFacts:
    """What becomes of the cluster's extension: ``problem`` says why it will not do, ``waits`` what is waited for."""

    problem: Problem | None = None
    waits: str | None = None
    change: str | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class VaultFacts:
    """The Key Vault secrets of a request: their settings' names, and why they will not do; never what they hold."""

    names: tuple[str, ...] = ()
    problem: Problem | None = None


@dataclass(frozen=True)
class Legacy:
    """Leftovers of Azure ML v1 in the cluster: those found, and those of them that the app may not delete."""

    found: tuple[LegacyObject, ...] = ()
    kept: tuple[LegacyObject, ...] = ()


@dataclass(frozen=True)
class ClusterView:
    """What is seen of the cluster itself: ``unreachable`` says why nothing is, then the rest means nothing.

    ``command`` does by hand what the request asks of the cluster itself. ``phase`` is that of the compute's namespace,
    None when there is none. ``types_problem`` says why the instance types asked for cannot be.
    """

    command: str
    unreachable: str | None = None
    remedy: str | None = None
    phase: str | None = None
    may_create_namespaces: bool = True
    types_problem: Problem | None = None
    legacy: Legacy | Unread = Legacy()


@dataclass(frozen=True)
class CallerRights:
    """What the roles of whoever asked allow, by scope; ``grants`` are the scopes at which roles are to be granted.

    ``unread``: why the grants are not known.
    """

    object_id: str
    held: Mapping[str, Sequence[Permission] | Unread] = field(default_factory=dict)
    grants: tuple[str, ...] = ()
    unread: str | None = None


@dataclass(frozen=True)
class Facts:
    """What was asked and what was read. A fact that could not be read is ``Unread``; ``known`` opens it.

    ``reattach``: the compute is detached first, and ``request`` is what that comes to.
    """

    request: Mapping[str, Any]
    workspace_id: ArmId
    cluster_id: ArmId
    compute_name: str
    words: Mapping[str, str] = field(default_factory=dict)
    reattach: bool = False
    workspace: Mapping[str, Any] | Unread = Unread("was not asked for")
    cluster: Mapping[str, Any] | Unread = Unread("was not asked for")
    compute: Mapping[str, Any] | Unread | None = Unread("was not asked for")
    extension: ExtensionFacts | Unread = Unread("was not asked for")
    kubernetes: ClusterView | Unread = Unread("was not asked for")
    secrets: VaultFacts | Unread = VaultFacts()
    sizes: Mapping[str, VmSize] | Unread = Unread("was not asked for")
    versions: Sequence[Version] | Unread = Unread("was not asked for")
    providers: Mapping[str, str] | Unread = Unread("was not asked for")
    trusted_access: Sequence[Mapping[str, Any]] | Unread = Unread("was not asked for")
    workspace_roles: Seen | Unread = Unread("was not asked for")
    workspace_permissions: Sequence[Permission] | Unread = Unread("was not asked for")
    cluster_permissions: Sequence[Permission] | Unread = Unread("was not asked for")
    caller: CallerRights | None = None

    @property
    def connected(self) -> bool:
        """Whether the cluster is connected by Azure Arc."""
        return self.cluster_id.resource_type == CONNECTED_CLUSTER

    @property
    def properties(self) -> Mapping[str, Any]:
        """The cluster's ARM properties. Raises CannotTell."""
        return known(self.cluster, "the cluster").get("properties") or {}

    @property
    def purpose(self) -> str:
        """What the cluster is for: ``production`` (the default) or ``devTest``."""
        return str(self.request.get("clusterPurpose") or "production")


def known(fact: T | Unread, what: str) -> T:
    """A fact that was read. Raises CannotTell."""
    if isinstance(fact, Unread):
        raise CannotTell(f"{what} could not be read: {fact.why}")
    return fact
