"""Random worlds for a detach: what is there, what is asked for, what goes wrong and what people say meanwhile.

A world is drawn from its seed alone, so that a seed plays it again. Everything that is put into the simulated Azure is
noted here with what it means for the compute, by construction and not by reading it off again: that is the oracle's
truth. Times are simulated seconds.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from local import world as stack_worlds
from tests.oracle.attachments import Attachment, Place, draw_attachment
from tests.oracle.cluster_work import MINUTE, NO, UNCLEAR, YES, ClusterWork, Owner, draw_outage, draw_work

REFUSE, WAIT, CANCEL, FORCE = "refuse", "wait", "cancel", "force"
LIVE = ("NotStarted", "Preparing", "Queued", "Running", "Finalizing", "NotResponding", "Paused", "Unknown")
_OLD_JOBS = 2_000
NO_STATUS_OF_AZURE = "Hibernating"


@dataclass(frozen=True)
class Job:
    """A job: whether it ``uses`` the compute, when it comes (``at``, 0 is before the request) and when it ends."""

    name: str
    uses: str
    properties: dict[str, Any]
    at: float = 0.0
    ends_after: float | None = None
    ends_as: str = "Completed"


@dataclass(frozen=True)
class Served:
    """An online endpoint, a batch deployment or a schedule, and whether the compute is what it goes by."""

    name: str
    here: bool
    enabled: bool = True


@dataclass(frozen=True)
class Answer:
    """What a person says ``after`` so long: to a question, or (cancel) to the operation."""

    verdict: str
    after: float


@dataclass(frozen=True)
class World:
    """All of it. ``faults`` and ``scripts`` are the simulated Azure's; ``dark``: no listing of jobs ever succeeds.

    ``outage``: from when until when nobody reaches the cluster's own API. ``attachment``: the app itself attaches the
    compute first; such a world has a subscription of its own.
    """

    seed: int
    request: dict[str, Any]
    jobs: tuple[Job, ...]
    endpoints: tuple[Served, ...] = ()
    batch: tuple[Served, ...] = ()
    schedules: tuple[Served, ...] = ()
    in_cluster: tuple[ClusterWork, ...] = ()
    outage: tuple[float, float | None] | None = None
    namespace: str = "default"
    attachment: Attachment | None = None
    builds_images: bool = False
    attached: bool = True
    faults: tuple[dict[str, Any], ...] = ()
    scripts: tuple[dict[str, Any], ...] = ()
    dark: bool = False
    answers: tuple[Answer, ...] = ()
    cancel: float | None = None
    retry: bool = False

    @property
    def name(self) -> str:
        return f"oracle-{self.seed}"

    @property
    def workspace(self) -> str:
        return self._own(stack_worlds.workspace_id(self.name))

    @property
    def cluster(self) -> str:
        return self._own(stack_worlds.cluster_id(self.name))

    def _own(self, resource_id: str) -> str:
        return resource_id.replace(stack_worlds.SUBSCRIPTION, _subscription(self.seed, self.attachment))

    @property
    def compute(self) -> str:
        return f"{self.workspace}/computes/{self.compute_name}"

    @property
    def compute_name(self) -> str:
        return f"pool-{self.seed}"

    @property
    def place(self) -> Place:
        """The ids around its attachment."""
        return Place(self.name, self.workspace, self.cluster, self.compute)

    @property
    def workloads(self) -> dict[str, Any]:
        asked: dict[str, Any] = self.request["workloads"]
        return asked

    @property
    def may_stay(self) -> bool:
        """Whether the compute may be there after Azure was asked to let it go: Azure fails, or it comes back."""
        return any("reappearAfterSeconds" in s or s.get("outcome") == "fail" for s in self.scripts)

    def body(self) -> dict[str, Any]:
        """What is sent to detach it."""
        asked = {} if self.attachment is None or self.attachment.clean_up is None else self.attachment.clean_up
        more = {"cleanUp": asked} if asked else {}
        return {"workspaceId": self.workspace, "computeName": self.compute_name, **self.request, **more}

    def azure(self) -> dict[str, Any]:
        """The seed for the simulated Azure, but for jobs, which come in their time, and for what is attached first."""
        first = self.attachment is not None
        seed = {} if first else stack_worlds.additions(self.name, "x" + self.name, workspaces=(self.name,))
        computes = [(self.compute_name, self.cluster)] if self.attached and not first else []
        computes.append(("elsewhere", self.place.other_cluster))
        inner = {"namespace": self.namespace}
        properties = {"computeType": "Kubernetes", "properties": inner}
        seed["computes"] = [
            {"workspaceId": self.workspace, "name": n, "properties": {**properties, "resourceId": c}}
            for n, c in computes
        ]
        # The kinds of objects that only the extension brings are there.
        seed["extensions"] = [extension(self.cluster)] if self.in_cluster and not first else []
        for kind, served in (("endpoints", self.endpoints), ("batchEndpoints", self.batch)):
            seed[kind] = [{"workspaceId": self.workspace, "name": s.name, **self._on(s, kind)} for s in served]
        seed["deployments"] = [
            {"endpointId": f"{self.workspace}/onlineEndpoints/{s.name}", "name": "blue"} for s in self.endpoints
        ]
        seed["batchDeployments"] = [
            {"endpointId": f"{self.workspace}/batchEndpoints/{s.name}", "name": "nightly", "compute": self._where(s)}
            for s in self.batch
        ]
        # A workspace keeps its jobs for years: what is read of them must not matter.
        old = {"workspaceId": self.workspace, "count": _OLD_JOBS, "computeId": self.compute}
        seed["oldJobs"] = [old] if self.seed % 4 == 0 else []
        seed["schedules"] = [
            {
                "workspaceId": self.workspace,
                "name": s.name,
                "isEnabled": s.enabled,
                "action": {
                    "actionType": "CreateJob",
                    "jobDefinition": {"jobType": "Command", "computeId": self._where(s)},
                },
            }
            for s in self.schedules
        ]
        return seed

    def _where(self, served: Served) -> str:
        return self.compute if served.here else f"{self.workspace}/computes/elsewhere"

    def _on(self, served: Served, kind: str) -> dict[str, Any]:
        return {"compute": self._where(served), "traffic": {"blue": 100}} if kind == "endpoints" else {}


def draw(seed: int) -> World:
    """The world of a seed."""
    chance = random.Random(seed)
    name = f"oracle-{seed}"
    attachment = draw_attachment(seed)
    workspace = stack_worlds.workspace_id(name).replace(stack_worlds.SUBSCRIPTION, _subscription(seed, attachment))
    compute = f"{workspace}/computes/pool-{seed}"
    request = _request(chance)
    faults, scripts, dark = _faults(chance, workspace, compute)
    serves = chance.random() < 0.3
    world = World(
        seed=seed,
        request=request,
        jobs=tuple(_jobs(chance, compute)),
        endpoints=tuple(_served(chance, f"score-{seed}", 2) if serves else ()),
        batch=tuple(_served(chance, f"batch-{seed}", 2) if chance.random() < 0.15 else ()),
        schedules=tuple(_served(chance, f"nightly-{seed}", 3) if chance.random() < 0.4 else ()),
        builds_images=chance.random() < 0.05,
        attached=chance.random() > 0.04,
        faults=tuple(faults),
        scripts=tuple(scripts),
        dark=dark,
        answers=tuple(_answers(chance)),
        cancel=chance.uniform(0, 15 * MINUTE) if chance.random() < 0.12 else None,
        retry=chance.random() < 0.3,
        attachment=attachment,
    )
    return _calmed(_with_cluster(world))


def _subscription(seed: int, attachment: Attachment | None) -> str:
    return stack_worlds.SUBSCRIPTION if attachment is None else f"0c0ffee0-0000-4000-9000-{seed:012d}"


def _calmed(world: World) -> World:
    """Most worlds that are about clean-up come to it: little stands against the detach."""
    if world.attachment is None or random.Random(f"calm {world.seed}").random() < 0.3:
        return world
    request = {**world.request, "approval": "none"}
    world = replace(world, request=request, jobs=(), endpoints=(), batch=(), builds_images=False, in_cluster=())
    return replace(world, faults=(), scripts=(), dark=False, cancel=None)


def _with_cluster(world: World) -> World:
    """The same, and what is in the cluster itself."""
    chance = random.Random(f"cluster {world.seed}")
    works = chance.random() < 0.35
    namespace = chance.choice(("default", f"team-{world.seed}"))
    _, _, subscription, _, group, _, _, _, workspace = world.workspace.split("/")
    owner = Owner(world.compute_name, workspace, group, subscription)
    listed = [(served.name, served.here) for served in world.endpoints]
    return replace(
        world,
        namespace=namespace,
        in_cluster=tuple(draw_work(chance, owner, namespace, listed)) if works else (),
        outage=draw_outage(chance, works=works),
    )


def extension(cluster: str) -> dict[str, Any]:
    """For a seed: the extension, as somebody installed it."""
    settings = {"enableTraining": "True"}
    properties = {"extensionType": "Microsoft.AzureML.Kubernetes", "configurationSettings": settings}
    return {"clusterId": cluster, "name": "azureml", "properties": properties}


def _request(chance: random.Random) -> dict[str, Any]:
    workloads = {
        "policy": chance.choices((REFUSE, WAIT, CANCEL, FORCE), (2, 4, 4, 2))[0],
        "endpoints": chance.choice((REFUSE, "delete")),
        "deadline": f"PT{chance.choice((8, 15, 30))}M",
        "onDeadline": chance.choice(("fail", "approve", "force")),
    }
    asked = "required" if chance.random() < 0.25 else "none"
    return {"workloads": workloads, "approval": asked, "approvalTimeout": f"PT{chance.choice((10, 20))}M"}


def _jobs(chance: random.Random, compute: str) -> list[Job]:
    jobs = []
    for number in range(chance.choice((0, 0, 1, 1, 2, 3, 5))):
        uses, shape = chance.choice(_SHAPES)
        properties: dict[str, Any] = shape(compute)
        status = chance.choice((*LIVE, "Running", "Running"))
        if chance.random() < 0.15:
            status, uses = chance.choice(("Completed", "Failed", "Canceled")), NO
        elif chance.random() < 0.05:
            status = NO_STATUS_OF_AZURE
        if chance.random() < 0.15:
            properties["isArchived"] = True
        late = chance.uniform(0, 15 * MINUTE) if chance.random() < 0.2 else 0.0
        ends = chance.uniform(MINUTE, 40 * MINUTE) if chance.random() < 0.7 else None
        job = Job(
            f"job-{number}", uses, {**properties, "status": status}, late, ends, chance.choice(("Completed", "Failed"))
        )
        jobs.append(job)
    return jobs


def _other(compute: str) -> str:
    return compute.rpartition("/")[0] + "/elsewhere"


# How a job may name its compute, and what that means for it (source: the workspace REST API).
_SHAPES = (
    (YES, lambda c: {"computeId": c}),
    (YES, lambda c: {"computeId": c}),
    (YES, lambda c: {"computeId": c.upper()}),
    (YES, lambda c: {"jobType": "Sweep", "computeId": c}),
    (YES, lambda c: {"jobType": "AutoML", "computeId": c}),
    (YES, lambda c: {"jobType": "Pipeline", "settings": {"default_compute": c}, "jobs": {"a": {"type": "command"}}}),
    (
        YES,
        lambda c: {
            "jobType": "Pipeline",
            "settings": {"default_compute": _other(c)},
            "jobs": {"a": {"type": "command"}, "b": {"type": "command", "computeId": c}},
        },
    ),
    (
        NO,
        lambda c: {
            "jobType": "Pipeline",
            "settings": {"default_compute": _other(c)},
            "jobs": {"a": {"type": "command"}},
        },
    ),
    (UNCLEAR, lambda _: {"jobType": "Pipeline", "settings": {}, "jobs": {"a": {"type": "command"}}}),
    (UNCLEAR, lambda _: {"jobType": "Quantum", "computeId": None}),
    (YES, lambda c: {"jobType": "Quantum", "computeId": c}),
    (NO, lambda c: {"computeId": _other(c)}),
    (NO, lambda _: {"computeId": None}),
)


def _served(chance: random.Random, name: str, most: int) -> list[Served]:
    number = chance.randint(1, most)
    return [Served(f"{name}-{n}", chance.random() < 0.6, chance.random() < 0.8) for n in range(number)]


def _answers(chance: random.Random) -> list[Answer]:
    """What people say to the first question and to the next; nothing is an answer too."""
    answers = []
    for _ in range(2):
        verdict = chance.choices(("approve", "reject", "silence"), (5, 2, 2))[0]
        answers.append(Answer(verdict, chance.choice((0.0, chance.uniform(0, 12 * MINUTE)))))
    return answers


def _faults(
    chance: random.Random, workspace: str, compute: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], bool]:
    faults: list[dict[str, Any]] = []
    scripts: list[dict[str, Any]] = []
    for path in (f"^{workspace}/jobs", f"^{workspace}/onlineEndpoints", f"^{compute}\\?", f"^{workspace}/schedules"):
        if chance.random() < 0.25:
            nth = sorted(chance.sample(range(1, 12), chance.randint(1, 3)))
            fault = {
                "method": "GET",
                "path": path,
                "nth": nth,
                "status": chance.choice((429, 500, 502, 503, 504)),
            }
            faults.append(fault | chance.choice(({}, {"headers": {"Retry-After": "20"}}, {"action": "reset"})))
    if chance.random() < 0.25:
        strike = {"method": "DELETE", "path": f"^{compute}\\?", "when": chance.choice(("before", "after"))}
        faults.append(strike | chance.choice(({"action": "reset"}, {"status": 503}, {"status": 504})))
    if chance.random() < 0.15:
        faults.append({"method": "POST", "path": f"^{workspace}/jobs/.*/cancel", "status": 503, "nth": [1, 2]})
    if chance.random() < 0.15:
        faults.append({"method": "PUT", "path": f"^{workspace}/schedules/", "status": 503, "nth": [1, 3]})
    if chance.random() < 0.15:
        ways = ({"status": 503}, {"when": "after", "action": "reset"})
        faults.append({"method": "DELETE", "path": f"^{workspace}/onlineEndpoints/", **chance.choice(ways)})
    dark = chance.random() < 0.05
    if dark:
        faults = [{"method": "GET", "path": f"^{workspace}/jobs\\?", "every": True, "status": 500}]
    if chance.random() < 0.35:
        oddity = chance.choice(
            (
                {"statusGone": True},
                {"lagSeconds": 120},
                {"durationSeconds": 1500},
                {"reappearAfterSeconds": 5},
                {"outcome": "fail", "code": "InternalServerError", "message": "The cluster did not answer."},
            )
        )
        scripts.append({"kind": "compute.detach", "resource": f"{compute}$", **oddity})
    return faults, scripts, dark
