"""What runs in a cluster for a compute, read off the objects of its namespace: evidence beside what Azure ML says.

Azure ML labels the pods that it makes: ``ml.azure.com/compute``, ``workspace``, ``resource-group`` and
``subscription-id`` say for which compute, ``jobId`` names the AmlJob, ``ml.azure.com/endpoint-name`` the endpoint.
An OnlineEndpoint object has its endpoint's name. The AmlJob itself carries no such labels: its pods tell whose it is.
Seen in published listings of such clusters; not documented, and not verified by us against a real cluster.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from domain.arm_ids import ArmId
from domain.redaction import scrub
from domain.workloads.uses import CLUSTER_WORK, Use

AML_JOB, ONLINE_ENDPOINT, POD = "AmlJob", "OnlineEndpoint", "Pod"
_PREFIX = "ml.azure.com/"
_COMPUTE, _ENDPOINT_NAME = f"{_PREFIX}compute", f"{_PREFIX}endpoint-name"
_JOB_ID = "jobId"
# The components of the extension itself carry this one: they run for every compute, and for none.
_SYSTEM = f"{_PREFIX}amlarc-system"
# The phase of what does not tell one.
UNKNOWN = "unknown"
_OVER = frozenset({"succeeded", "completed", "failed", "canceled", "cancelled"})


# What Kubernetes calls a label of DNS (RFC 1123); namespaces have such names
# (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names).
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def use_of_no_namespace(namespace: str) -> Use | None:
    """What a compute counts as used by whose namespace cannot be one: nobody can see what runs there. None otherwise.

    Its text comes from the compute; it is shown as far as it is short and plain.
    """
    if _LABEL.fullmatch(namespace):
        return None
    return Use(CLUSTER_WORK, f"Namespace {namespace[:40]!a}", "no name of a namespace", clear=False)


@dataclass(frozen=True)
class ClusterObject:
    """An AmlJob, an OnlineEndpoint or a pod of a compute's namespace; of what it specifies nothing is kept."""

    kind: str
    name: str
    labels: Mapping[str, str]
    phase: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "phase", scrub(self.phase))

    @property
    def over(self) -> bool:
        """Whether it has come to its end."""
        return self.phase.lower() in _OVER

    @property
    def endpoint(self) -> str | None:
        """The online endpoint that it is of, in lower case."""
        name = self.name if self.kind == ONLINE_ENDPOINT else self.labels.get(_ENDPOINT_NAME)
        return None if name is None else name.lower()

    @property
    def of_azure_ml(self) -> bool:
        """Whether Azure ML made it for somebody's workload: a namespace may hold anybody's pods."""
        if self.kind != POD:
            return True
        return _SYSTEM not in self.labels and any(name.startswith(_PREFIX) for name in self.labels)


def uses_in_cluster(
    found: Sequence[ClusterObject], workspace: ArmId, compute_name: str, listed_endpoints: Collection[str]
) -> list[Use]:
    """The uses that objects of the compute's namespace make of it, or may.

    ``listed_endpoints`` are the names of the online endpoints that Azure ML itself lists, on whatever compute: what
    runs for one of them is no disagreement.
    """
    owner = {
        _COMPUTE: compute_name,
        f"{_PREFIX}workspace": workspace.name,
        f"{_PREFIX}resource-group": workspace.resource_group,
        f"{_PREFIX}subscription-id": workspace.subscription,
    }
    known = {name.lower() for name in listed_endpoints}
    jobs = list(_jobs(found, owner))
    counted = {use.name.split(" ", 1)[1] for use in jobs}
    pods = (
        _use(each, owner)
        for each in found
        if each.kind == POD
        and not each.over
        and each.of_azure_ml
        and str(each.labels.get(_JOB_ID)) not in counted
        and str(each.labels.get(_ENDPOINT_NAME)).lower() not in known
    )
    endpoints = (_use(e, owner) for e in found if e.kind == ONLINE_ENDPOINT and e.name.lower() not in known)
    return [*jobs, *(use for use in (*endpoints, *pods) if use is not None)]


def _jobs(found: Sequence[ClusterObject], owner: Mapping[str, str]) -> Iterator[Use]:
    for job in found:
        if job.kind != AML_JOB or job.over:
            continue
        pods = [each for each in found if each.kind == POD and each.labels.get(_JOB_ID) == job.name]
        told_by = [job, *pods]
        if any(_belongs(each.labels, owner) is False for each in told_by):
            continue
        if job.phase == UNKNOWN and pods and all(each.over for each in pods):
            continue  # Its own words are not documented; Azure ML's and its pods' agree.
        clear = any(_belongs(each.labels, owner) for each in told_by)
        yield Use(CLUSTER_WORK, f"{job.kind} {job.name}", job.phase, clear)


def _use(found: ClusterObject, owner: Mapping[str, str]) -> Use | None:
    belongs = _belongs(found.labels, owner)
    if belongs is False:
        return None
    return Use(CLUSTER_WORK, f"{found.kind} {found.name}", found.phase, clear=belongs is True)


def _belongs(labels: Mapping[str, str], owner: Mapping[str, str]) -> bool | None:
    """Whether something runs for the compute; None when its labels do not tell."""
    if any(labels[name].lower() != owner[name].lower() for name in owner if name in labels):
        return False
    return True if _COMPUTE in labels else None
