"""Questions that rules put to the evidence: who asked for what, when an operation was at work, what goes on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.faults.evidence import Evidence, Head, Instance, Row, moment, unpacked

EXTENSION = re.compile(r"/providers/Microsoft\.KubernetesConfiguration/extensions/[^/]+$", re.I)
# Actions that look: how to reach a cluster, and a command that reads in one that cannot be reached.
LOOK = re.compile(r"/(listCluster(User|Admin)Credential|runCommand)$", re.I)
REGISTER = re.compile(r"^/subscriptions/[^/]+/providers/[^/]+/register$", re.I)
ROLE_ASSIGNMENT = re.compile(r"/providers/Microsoft\.Authorization/roleAssignments/[^/]+$", re.I)
RELAY = re.compile(
    r"/providers/Microsoft\.Relay/namespaces/[^/]+(/hybridConnections/[^/]+(/authorizationRules/[^/]+)?)?$", re.I
)
# A smoke test's job, and the environment that azure-ai-ml makes for it under a name made from its content.
SMOKE_TEST = re.compile(r"/workspaces/[^/]+/jobs/moor-[0-9a-f]{12}-\d+(/cancel)?$", re.I)
ANONYMOUS = re.compile(r"/workspaces/[^/]+/environments/CliV2AnonymousEnvironment/versions/[0-9a-f]+$", re.I)
KEYS = re.compile(r"/providers/Microsoft\.Relay/.*/listKeys$", re.I)
ENDS = ("succeeded", "skipped", "failed", "canceled")
# The clock of a record is read before the row is written, in threads of their own.
TOLERANCE = timedelta(seconds=5)


@dataclass(frozen=True)
class Violation:
    """One broken invariant. ``settles``: it may be on its way to being kept.

    ``about`` names what breaks it (ids of operations and resources, a time) and stays the same however often it is
    looked at, while the message may tell of more.
    """

    invariant: str
    message: str
    about: tuple[str, ...]
    settles: bool = False

    @property
    def key(self) -> tuple[str, tuple[str, ...]]:
        """What tells it from other violations."""
        return self.invariant, self.about

    def __str__(self) -> str:
        return f"{self.invariant}: {self.message}"


def of_app(evidence: Evidence) -> Iterator[Row]:
    for request in evidence.requests:
        looks = request["method"] == "POST" and LOOK.search(request["path"])
        if (request["principal"] or {}).get("objectId") == evidence.app and not looks:
            yield request


SCHEDULE = re.compile(r"/workspaces/[^/]+/schedules/[^/]+$", re.I)
ENDPOINT = re.compile(r"/(onlineEndpoints/[^/]+|(onlineEndpoints|batchEndpoints)/[^/]+/deployments/[^/]+)$", re.I)
Rule = Callable[[Evidence], Iterator[Violation]]


def asks(head: Head, method: str, path: str) -> bool:
    """Whether what a request does is what an operation was asked to do, or takes back what that has made."""
    if (method, path) not in head.answers:
        head.answers[method, path] = _asks(head, method, path.lower())
    return head.answers[method, path]


def _asks(head: Head, method: str, path: str) -> bool:
    on_compute = path == head.compute_id.lower()
    if head.kind in ("detach", "reattach") and _asks_to_detach(head, method, path, on_compute=on_compute):
        return True
    if head.kind == "detach":
        return method == "DELETE" and _asks_for_clean_up(head, path)
    if SMOKE_TEST.search(path) or ANONYMOUS.search(path):
        of_workspace = path.startswith(f"{str(head.compute_id).lower().partition('/computes/')[0]}/")
        return of_workspace and json.loads(head.row["request"]).get("smokeTest") == "training"
    if method == "POST":
        return REGISTER.search(path) is not None or KEYS.search(path) is not None
    extension = EXTENSION.search(path)
    on_cluster = extension is not None and path[: extension.start()] == str(head.cluster_id).lower()
    if method == "PATCH":
        return on_cluster and _asks_for_update(head)
    if method == "DELETE" and not any(made["id"].lower() == path for made in unpacked(head.row, "created") or ()):
        return False
    return method in ("PUT", "DELETE") and (on_compute or on_cluster or _asks_for_access(head, path))


def _asks_to_detach(head: Head, method: str, path: str, *, on_compute: bool) -> bool:
    return (
        (method == "DELETE" and on_compute)
        or (method == "POST" and _asks_for_cancel(head, path))
        or (method == "PUT" and SCHEDULE.search(path) is not None and _in_workspace_of(head, path))
        or (method in ("PUT", "DELETE") and _asks_for_deletion(head, path))
    )


def _in_workspace_of(head: Head, path: str) -> bool:
    return path.startswith(f"{str(head.compute_id).lower().partition('/computes/')[0]}/")


def _asks_for_cancel(head: Head, path: str) -> bool:
    """Whether a detach was asked to cancel the jobs that use its compute."""
    of_workspace = _in_workspace_of(head, path) and "/jobs/" in path
    return of_workspace and path.endswith("/cancel") and policy(head).get("policy") == "cancel"


def _asks_for_clean_up(head: Head, path: str) -> bool:
    """Whether a detach was asked to remove what goes with the attachment."""
    clean_up = json.loads(head.row["request"]).get("cleanUp") or {}
    extension = EXTENSION.search(path)
    if extension is not None:
        return bool(clean_up.get("extension")) and path[: extension.start()] == str(head.cluster_id).lower()
    return ROLE_ASSIGNMENT.search(path) is not None and bool(clean_up.get("roleAssignments"))


def _asks_for_deletion(head: Head, path: str) -> bool:
    """Whether a detach was asked to delete the endpoints on its compute."""
    return (
        ENDPOINT.search(path) is not None and _in_workspace_of(head, path) and policy(head).get("endpoints") == "delete"
    )


def policy(head: Head) -> dict[str, str]:
    """What a detach was asked to do about workloads."""
    asked: dict[str, str] = json.loads(head.row["request"]).get("workloads") or {}
    return asked


def _asks_for_access(head: Head, path: str) -> bool:
    """Whether an attach was asked to grant roles, or needs the relay of an Arc cluster."""
    if ROLE_ASSIGNMENT.search(path) is not None:
        return bool(json.loads(head.row["request"]).get("grantRoles"))
    group, _, kind = str(head.cluster_id).lower().partition("/providers/")
    return RELAY.search(path) is not None and path.startswith(f"{group}/") and kind.startswith("microsoft.kubernetes/")


def _asks_for_update(head: Head) -> bool:
    """Whether an attach was asked to change an extension that is there."""
    request = json.loads(head.row["request"])
    if head.kind == "reattach":
        return bool(request.get("extension")) or request.get("cleanupLegacy") is True
    return bool((request.get("extension") or {}).get("manage") == "update")


def asker(evidence: Evidence, method: str, path: str, when: datetime) -> Head | None:
    """The operation that was at work when a request came and asks for it.

    Several may ask for the extension of one cluster: then it is the one that said that it would change it.
    """
    at_work = [head for head in evidence.heads.values() if asks(head, method, path) and _at_work(evidence, head, when)]
    said_so = [head for head in at_work if intended(evidence.journals.get(head.id, []), path, when)]
    return next(iter(said_so or at_work), None)


def _at_work(evidence: Evidence, head: Head, when: datetime) -> bool:
    spells = spells_of(evidence, head)
    return any(begin - TOLERANCE <= when and (end is None or when <= end + TOLERANCE) for begin, end in spells)


def spells_of(evidence: Evidence, head: Head) -> list[tuple[datetime, datetime | None]]:
    """From when to when an operation was at work, by its journal; more than once when a person asked to go on."""
    spells: list[tuple[datetime, datetime | None]] = []
    may_begin = True
    for row in evidence.journals.get(head.id, []):
        when = moment(row["time"])
        assert when is not None
        if asked_to_go_on(row):
            may_begin = True
        elif row["event"] in ("started", "retried") and may_begin:
            spells.append((when, None))
            may_begin = False
        elif row["step"] == "operation" and row["event"] in ENDS and spells:
            spells[-1] = (spells[-1][0], when)
    return spells


def asked_to_go_on(row: Row) -> bool:
    """Whether a line of a journal says that a person asked to go on with an operation."""
    return (row["step"], row["event"], row.get("message")) == ("operation", "decided", "retry")


def times_asked(evidence: Evidence, operation_id: str) -> int:
    """Once, and once more for each time that a person asked to go on."""
    return 1 + sum(asked_to_go_on(row) for row in evidence.journals.get(operation_id, []))


def failed_changes(evidence: Evidence, resource: str) -> int:
    """How often Azure failed a change of an extension, an attach or a detach: made again when the reason passes."""
    return sum(
        1
        for effect in evidence.effects
        if effect["kind"] in ("extension.create", "extension.update", "compute.attach", "compute.detach")
        and effect["resourceId"].lower() == resource.lower()
        and effect["status"] == "Failed"
    )


def intended(journal: list[Row], path: str, when: datetime) -> bool:
    """Whether a journal tells, before a moment, that a resource is to be changed."""
    path = path.removesuffix("/cancel")
    for row in journal:
        said = moment(row["time"])
        if (
            row["event"] == "intended"
            and said is not None
            and said <= when
            and path.lower() in str(row["data"]).lower()
        ):
            return True
    return False


def times_intended(journal: list[Row], path: str) -> int:
    """How often a journal tells that a resource is to be changed."""
    return sum(1 for row in journal if row["event"] == "intended" and path.lower() in str(row["data"]).lower())


def own_target(head: Head, target: str) -> bool:
    """Whether a claim's target is one that an operation may claim."""
    return target in (f"compute {head.compute_id}".lower(), f"extension {head.cluster_id}".lower())


def refused(head: Head) -> bool:
    """An operation that never got its compute: another one has it."""
    step = head.step("claim")
    return step is not None and step["status"] == "Failed"


def goes_on(evidence: Evidence, instance: Instance) -> bool:
    """Whether something will wake an instance: a message, an activity, a timer, or a child that is at work itself."""
    if instance.pending:
        return True
    children = [i for i in evidence.instances.values() if i.live and i.id.startswith(f"{instance.id}:")]
    return any(child.pending for child in children)


def line_of(row: Row) -> str:
    """A line of a journal as one text."""
    return "|".join(str(row.get(name)) for name in ("sequence", "time", "step", "event", "attempt", "message", "data"))
