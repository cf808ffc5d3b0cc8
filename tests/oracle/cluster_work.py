"""Work that only the cluster knows of: objects of its namespaces, drawn with what they mean for the compute.

Azure ML labels the pods that it makes with the compute, workspace, resource group and subscription they run for, with
the AmlJob they belong to (``jobId``) and with the endpoint they serve. What does not tell counts as use.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

YES, NO, UNCLEAR = "yes", "no", "unclear"
AML_JOB, ONLINE_ENDPOINT, POD = "AmlJob", "OnlineEndpoint", "Pod"
MINUTE = 60.0
_PREFIX = "ml.azure.com/"
_PATHS = {
    AML_JOB: "/apis/amlarc.azureml.com/v1alpha1/namespaces/{}/amljobs/{}",
    ONLINE_ENDPOINT: "/apis/amlarc.azureml.com/v1alpha1/namespaces/{}/onlineendpoints/{}",
    POD: "/api/v1/namespaces/{}/pods/{}",
}


@dataclass(frozen=True)
class Owner:
    """The compute whose cluster it is, as labels tell it."""

    compute: str
    workspace: str
    group: str
    subscription: str

    def labels(self, **other: str) -> dict[str, str]:
        """The labels of a pod of the compute's; ``other`` says what is told otherwise."""
        own = {
            "compute": self.compute,
            "workspace": self.workspace,
            "resource-group": self.group,
            "subscription-id": self.subscription,
        }
        return {_PREFIX + name: value for name, value in {**own, **other}.items()}


@dataclass(frozen=True)
class ClusterWork:
    """An object in the cluster: whether it ``uses`` the compute, when it comes and goes (simulated seconds).

    ``vanishes``: it is removed at its end, else it says that it is over. ``endpoint``: the one of Azure ML's that it
    stands for, as long as that is listed. ``job``: the AmlJob whose pod it is, which is told in its place.
    """

    kind: str
    name: str
    uses: str
    labels: dict[str, str] = field(default_factory=dict)
    phase: str | None = "Running"
    namespace: str = "default"
    at: float = 0.0
    ends_after: float | None = None
    vanishes: bool = True
    endpoint: str | None = None
    job: str | None = None

    @property
    def path(self) -> str:
        """Its path below the cluster."""
        return _PATHS[self.kind].format(self.namespace, self.name)

    @property
    def told_as(self) -> str:
        """How a result names it."""
        return f"{self.kind} {self.name}"


def draw_work(
    chance: random.Random, owner: Owner, namespace: str, endpoints: Sequence[tuple[str, bool]]
) -> list[ClusterWork]:
    """What is in the cluster. ``endpoints`` are those that Azure ML lists, and whether they are on the compute."""
    found: list[ClusterWork] = []
    for number in range(chance.choice((1, 1, 2, 3))):
        made = chance.choice(_SHAPES)(owner, f"left-{number}")
        late = chance.uniform(0, 15 * MINUTE) if len(made) == 1 and chance.random() < 0.2 else 0.0
        ends = chance.uniform(MINUTE, 40 * MINUTE) if chance.random() < 0.7 else None
        away = chance.random() < 0.1
        vanishes = chance.random() < 0.5
        phase = chance.choice(("Running", "Running", "Pending", "Reconciling", None))
        for each in made:
            changed = replace(
                each,
                phase=phase if each.phase == "Running" else each.phase,
                namespace="elsewhere" if away else namespace,
                uses=NO if away else each.uses,
                at=late,
                ends_after=ends,
                vanishes=vanishes or each.kind == ONLINE_ENDPOINT,
            )
            found.append(changed)
    for name, _ in endpoints:
        if chance.random() < 0.5:
            ends = chance.uniform(2 * MINUTE, 40 * MINUTE)
            found += [replace(e, namespace=namespace, ends_after=ends) for e in _of_endpoint(chance, owner, name)]
    return found


def draw_outage(chance: random.Random, *, works: bool) -> tuple[float, float | None] | None:
    """From when until when nobody reaches the cluster; None: it can always be reached."""
    if chance.random() > (0.25 if works else 0.05):
        return None
    begins = chance.choice((0.0, 0.0, chance.uniform(0, 10 * MINUTE)))
    return begins, chance.choice((None, begins + chance.uniform(2 * MINUTE, 20 * MINUTE)))


def _of_endpoint(chance: random.Random, owner: Owner, name: str) -> list[ClusterWork]:
    pod = {**owner.labels(), f"{_PREFIX}endpoint-name": name}
    served = [
        ClusterWork(ONLINE_ENDPOINT, name, chance.choice((YES, UNCLEAR)), endpoint=name),
        ClusterWork(POD, f"{name}-blue-1", YES, pod, endpoint=name),
    ]
    if served[0].uses == YES:
        served[0] = replace(served[0], labels=owner.labels())
    return served[: chance.choice((1, 2))]


Shape = Callable[[Owner, str], list[ClusterWork]]


def _one(kind: str, uses: str, labels: Callable[[Owner], dict[str, str]], phase: str = "Running") -> Shape:
    return lambda owner, name: [ClusterWork(kind, name, uses, labels(owner), phase)]


def _job_with_pod(uses: str, **other: str) -> Shape:
    """An AmlJob says nothing of itself: its pod does."""

    def made(owner: Owner, name: str) -> list[ClusterWork]:
        labels = {**owner.labels(**other), "jobId": name}
        return [ClusterWork(AML_JOB, name, uses), ClusterWork(POD, f"{name}-0", uses, labels, job=name)]

    return made


_SHAPES: tuple[Shape, ...] = (
    _one(AML_JOB, YES, lambda o: {f"{_PREFIX}compute": o.compute}),
    _one(AML_JOB, UNCLEAR, lambda o: {}),
    _one(AML_JOB, NO, lambda o: {f"{_PREFIX}compute": "another"}),
    _one(AML_JOB, NO, lambda o: o.labels(), "Completed"),
    _job_with_pod(YES),
    _job_with_pod(NO, compute="another"),
    _job_with_pod(NO, workspace="another"),
    _one(POD, YES, lambda o: o.labels()),
    _one(POD, YES, lambda o: o.labels(compute=o.compute.upper(), workspace=o.workspace.upper())),
    _one(POD, YES, lambda o: {f"{_PREFIX}compute": o.compute}),
    _one(POD, UNCLEAR, lambda o: {f"{_PREFIX}workspace": o.workspace}),
    _one(POD, NO, lambda o: o.labels(workspace="another")),
    _one(POD, NO, lambda o: o.labels(**{"resource-group": "another"})),
    _one(POD, NO, lambda o: o.labels(**{"subscription-id": "another"})),
    _one(POD, NO, lambda o: {"app": "somebody-elses"}),
    _one(POD, NO, lambda o: {}),
    _one(POD, NO, lambda o: o.labels(), "Succeeded"),
    _one(POD, NO, lambda o: o.labels(), "Failed"),
    # Of an endpoint that Azure ML does not list, or lists no more.
    _one(POD, YES, lambda o: {**o.labels(), f"{_PREFIX}endpoint-name": "forgotten"}),
    _one(POD, UNCLEAR, lambda o: {f"{_PREFIX}endpoint-name": "forgotten"}),
    _one(ONLINE_ENDPOINT, YES, lambda o: {f"{_PREFIX}compute": o.compute}),
    _one(ONLINE_ENDPOINT, UNCLEAR, lambda o: {}),
    _one(ONLINE_ENDPOINT, NO, lambda o: o.labels(compute="another")),
)
