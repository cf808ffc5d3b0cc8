"""What steps leave for later steps, and what operations end with: one frozen type each.

``STEP`` names the step whose record holds the value. ``Operation.result_of`` reads it; the codec turns it into what
the record stores. A field with a default is one that not every release, or not every kind of operation, has filled in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator

from domain.extension.cluster_facts import ClusterAsFound
from domain.operation.plan import Plan
from domain.times import Moment
from domain.workloads.uses import Workload


def as_text(value: object) -> str | None:
    """A text that Azure has answered; None for anything else."""
    return value if isinstance(value, str) else None


@dataclass(frozen=True)
class Resolved:
    """What exists, at rest. ``refused``: a plan of what cannot be done; nothing else is known then.

    ``cluster_spelling`` is the cluster's id as ARM spells it, ``workspace_user`` the user-assigned identity that the
    workspace acts as, ``workspace_principal`` its object id. ``cluster_id`` and ``namespace`` are those that the
    compute names. A reattach fills in the last four: the attach request that it comes to, the instance types that stay
    as they are (in the words of Azure), and whether the cluster has the TLS secret of Azure ML v1.
    """

    STEP: ClassVar[str] = "resolve"

    refused: bool = False
    location: str | None = None
    cluster_location: str | None = None
    cluster: ClusterAsFound | None = None
    cluster_spelling: str | None = None
    workspace_identity: str | None = None
    workspace_user: str | None = None
    workspace_principal: str | None = None
    container_registry: str | None = None
    storage_account: str | None = None
    cluster_id: str | None = None
    namespace: str | None = None
    compute_id: str | None = None
    attach_request: Mapping[str, Any] | None = None
    kept_instance_types: Mapping[str, Any] = field(default_factory=dict)
    legacy_tls: bool = False


@dataclass(frozen=True)
class RelayEnsured:
    """The relay of an Arc cluster: ids of its namespace and of its hybrid connection."""

    STEP: ClassVar[str] = "ensure_relay"

    namespace_id: str
    connection_id: str


@dataclass(frozen=True)
class ExtensionSent:
    """The extension that was found, installed or changed.

    ``protected`` are the ids of the Key Vault secrets that were sent, by the names of their settings. ``updated``: it
    was there and was changed. ``replaced`` are the plain settings that the change replaced, for a person to put back.
    """

    STEP: ClassVar[str] = "install_extension"

    extension_id: str
    protected: Mapping[str, str] = field(default_factory=dict)
    updated: bool = False
    replaced: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class ComponentsSeen:
    """The extension's components: ``router_address`` is where inference is reached, once the cluster has given one."""

    STEP: ClassVar[str] = "components_healthy"

    router_address: str | None = None


@dataclass(frozen=True)
class ComputeReady:
    """The compute as Azure ML shows it once it is attached."""

    STEP: ClassVar[str] = "compute_ready"

    compute_id: str
    provisioning_state: str | None = None
    namespace: str | None = None
    principal_id: str | None = None
    router_address: str | None = None


@dataclass(frozen=True)
class SmokeTestStarted:
    """The job that was submitted."""

    STEP: ClassVar[str] = "smoke_test"

    job_id: str


@dataclass(frozen=True)
class Surveyed:
    """What uses the compute, at most as much as the record keeps."""

    STEP: ClassVar[str] = "survey"

    workloads: tuple[Workload, ...] = ()


@dataclass(frozen=True)
class Drained:
    """``forced``: jobs are left, and the compute is to be detached nevertheless."""

    STEP: ClassVar[str] = "drain"

    forced: bool = False


@dataclass(frozen=True)
class Snapshot:
    """The body of the POST /attach that makes a detached attachment again, and the roles that were granted for it."""

    STEP: ClassVar[str] = "snapshot"

    attach_request: Mapping[str, Any]
    role_assignments: tuple[str, ...] = ()


@dataclass(frozen=True)
class DetachStarted:
    """``already_gone``: there was no compute to detach."""

    STEP: ClassVar[str] = "detach_compute"

    already_gone: bool = False


@dataclass(frozen=True)
class ComputeGone:
    """``already_gone``: it was gone before this operation asked for it."""

    STEP: ClassVar[str] = "compute_gone"

    compute_id: str
    detached: bool = True
    already_gone: bool = False


@dataclass(frozen=True)
class ComputeLeaving:
    """What ``compute_gone`` keeps between two looks: since when the compute does not show."""

    STEP: ClassVar[str] = "compute_gone"

    gone_since: Moment | None = None


@dataclass(frozen=True)
class TurnedAway:
    """What a step that goes into a cluster keeps, whichever it is: how many of its attempts came to nothing.

    They found others in clusters, or a command that had not ended. ``STEP`` is the first that may.
    """

    STEP: ClassVar[str] = "preflight"

    times: int = 0


@dataclass(frozen=True)
class StillPaused:
    """What ``resume_schedules`` keeps for its next attempt: ids of the schedules that it could not enable yet."""

    STEP: ClassVar[str] = "resume_schedules"

    ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class OrphansFound:
    """Workloads that were left to a compute that is gone."""

    STEP: ClassVar[str] = "find_orphans"

    orphaned: tuple[Workload, ...] = ()


@dataclass(frozen=True)
class Attached:
    """The result of an attach or a reattach: the compute, and what a reattach found left behind on the way."""

    compute_id: str
    provisioning_state: str | None = None
    namespace: str | None = None
    principal_id: str | None = None
    router_address: str | None = None
    orphaned: tuple[Workload, ...] = ()
    type: Literal["attached"] = "attached"


@dataclass(frozen=True)
class Detached:
    """The result of a detach. ``snapshot`` is None where no attach request makes the attachment again."""

    compute_id: str
    detached: bool = True
    already_gone: bool = False
    orphaned: tuple[Workload, ...] = ()
    snapshot: Snapshot | None = None
    type: Literal["detached"] = "detached"


@dataclass(frozen=True)
class HalfReattached:
    """What a reattach leaves that ended between its two halves: detached, and the request that attaches it again."""

    attach_request: Mapping[str, Any]
    compute_id: str | None = None
    attached: bool = False
    type: Literal["half_reattached"] = "half_reattached"


# ``type`` tells the results of operations apart where they are stored.
EndResult = Annotated[Attached | Detached | HalfReattached | Plan, Discriminator("type")]
