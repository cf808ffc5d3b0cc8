"""The invariants of an app that does nothing twice and loses nothing, asserted after scenarios and faults.

One shared checker (reliability anchors D3). It goes by the evidence alone: rows of Table Storage, the simulated
Azure's log and the engine's memory - never by what the product says of itself.

What is true only once everything has settled (claims given back, waiters ended) is looked at again until it is, for a
few seconds; what can never become true again (a second effect, a gap in a journal) counts at once.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from local.stack import Stack
from tests.faults.evidence import Evidence, Head, Instance, Row, Tables, gather, moment

_CLUSTER = re.compile(
    r"/providers/Microsoft\.(ContainerService/managedClusters|Kubernetes/connectedClusters)/[^/]+$", re.I
)
_COMPUTE = re.compile(r"/workspaces/[^/]+/computes/[^/]+$", re.I)
_EXTENSION = re.compile(r"/providers/Microsoft\.KubernetesConfiguration/extensions/[^/]+$", re.I)
_LONE_RUN = re.compile(r"(?P<operation>.+)-(?P<run>\d+)(?::(?P<step>[a-z_]+))?$")
_DONE_WORK = frozenset({200, 201, 202})
_ENDS = ("succeeded", "skipped", "failed", "canceled")
_ASKED_TO_GO_ON = ("operation", "decided")
_JOB_OVER = frozenset({"completed", "failed", "canceled"})
# Real seconds that things get to settle.
SETTLING = 8.0
# A step polls at least so seldom that a day of it stays below this; pick-ups without progress end at five.
_MOST_ATTEMPTS = 2000
_MOST_SENDINGS = 30
_MOST_PICK_UPS = 5
# The clock of a record is read before the row is written, in threads of their own.
_TOLERANCE = timedelta(seconds=5)


@dataclass(frozen=True)
class Violation:
    """One broken invariant. ``settles``: it may be on its way to being kept."""

    invariant: str
    message: str
    settles: bool = False

    def __str__(self) -> str:
        return f"{self.invariant}: {self.message}"


@dataclass
class Invariants:
    """The checker of one stack; it remembers journals, so that a line that changes later is seen."""

    stack: Stack
    tables: Tables
    _journals: dict[str, list[str]] = field(default_factory=dict)
    _excused: list[tuple[str, str]] = field(default_factory=list)

    def excuse(self, invariant: str, text: str) -> None:
        """Pass over, from now on, violations of an invariant whose message has this text (a name, an id)."""
        self._excused.append((invariant, text))

    def check(self, settling: float = SETTLING) -> list[Violation]:
        """What is broken, after giving things ``settling`` real seconds to come to rest."""
        deadline = time.monotonic() + settling
        while True:
            evidence = gather(self.stack, self.tables)
            found = [violation for rule in _RULES for violation in rule(evidence)]
            found += self._append_only(evidence)
            found = [violation for violation in found if not self._is_excused(violation)]
            waiting = [violation for violation in found if violation.settles]
            if len(waiting) < len(found) or not waiting or time.monotonic() > deadline:
                return found
            time.sleep(0.2)

    def _is_excused(self, violation: Violation) -> bool:
        return any(violation.invariant == name and text in violation.message for name, text in self._excused)

    def _append_only(self, evidence: Evidence) -> Iterator[Violation]:
        """Lines of a journal that were there stay as they were."""
        for operation_id, before in self._journals.items():
            now = [_line(row) for row in evidence.journals.get(operation_id, [])]
            for number, line in enumerate(before):
                if number >= len(now) or now[number] != line:
                    found = now[number] if number < len(now) else "gone"
                    yield Violation("journal append-only", f"{operation_id}: line {number + 1} was {line}, is {found}")
                    break
        for operation_id, rows in evidence.journals.items():
            self._journals[operation_id] = [_line(row) for row in rows]


def check(stack: Stack, settling: float = SETTLING) -> list[Violation]:
    """What is broken on a stack; the list is empty when every invariant holds."""
    tables = Tables(stack)
    try:
        return Invariants(stack, tables).check(settling)
    finally:
        tables.close()


# -- one at a time ----------------------------------------------------------------------------------------------------


def _one_live_operation(evidence: Evidence) -> Iterator[Violation]:
    """At most one operation at work on a compute, now and at any time that journals tell of."""
    live = Counter(head.compute_id.lower() for head in evidence.heads.values() if not head.final and not _refused(head))
    for compute, count in live.items():
        if count > 1:
            yield Violation("one live operation", f"{count} live operations on {compute}")
    spells: dict[str, list[tuple[datetime, datetime | None, str]]] = defaultdict(list)
    for head in evidence.heads.values():
        if not _refused(head):
            spells[head.compute_id.lower()] += [(begin, end, str(head)) for begin, end in _spells(evidence, head)]
    for of_compute in spells.values():
        for (_, end, earlier), (begin, _, later) in pairwise(sorted(of_compute, key=lambda spell: spell[0])):
            if end is None or end > begin + _TOLERANCE:
                yield Violation("one live operation", f"{later} began before {earlier} on the same compute had ended")


def _one_extension_change(evidence: Evidence) -> Iterator[Violation]:
    """Changes of one cluster's extension never overlap."""
    by_cluster = defaultdict(list)
    for effect in evidence.effects:
        if effect["kind"].startswith("extension."):
            by_cluster[effect["resourceId"].lower().split("/providers/microsoft.kubernetesconfiguration/")[0]].append(
                effect
            )
    for cluster, effects in by_cluster.items():
        for earlier, later in pairwise(sorted(effects, key=lambda e: float(e["startedAt"]))):
            if earlier["endedAt"] is None or earlier["endedAt"] > later["startedAt"]:
                yield Violation(
                    "one extension change", f"two at a time on {cluster}: {earlier['kind']}, {later['kind']}"
                )


# -- what reaches Azure -----------------------------------------------------------------------------------------------


def _cluster_stays(evidence: Evidence) -> Iterator[Violation]:
    """The app deletes nothing but attachments, and those by Detach."""
    for request in _of_app(evidence):
        if request["method"] != "DELETE":
            continue
        if _CLUSTER.search(request["path"]):
            yield Violation("cluster never deleted", f"DELETE {request['path']}")
        elif not _COMPUTE.search(request["path"]):
            yield Violation("only what was asked", f"DELETE {request['path']}")
        elif request["query"].get("underlyingResourceAction") != "Detach":
            yield Violation("DELETE only with Detach", f"DELETE {request['path']} with {request['query']}")
    if evidence.underlying_deletes:
        yield Violation("cluster never deleted", f"{evidence.underlying_deletes} deletes of what lies under a compute")


def _effects_once(evidence: Evidence) -> Iterator[Violation]:
    """What an operation changes it changes once, after saying that it will, and it is what was asked for."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for request in _of_app(evidence):
        if request.get("workStatus") not in _DONE_WORK:
            continue
        path, method = request["path"], request["method"]
        when = moment(request["simulatedTime"])
        assert when is not None
        head = _asker(evidence, method, path, when)
        if head is None:
            yield Violation("only what was asked", f"{method} {path} at {when}: no operation at work then asks for it")
            continue
        counts[(head.id, method, path.lower())] += 1
        if not _intended(evidence.journals.get(head.id, []), path, when):
            yield Violation(
                "intent before effect", f"{head}: {method} {path} without an intent in the journal before it"
            )
    for (operation_id, method, path), count in counts.items():
        if count > _times_asked(evidence, operation_id) + _failed_changes(evidence, path):
            yield Violation("each effect once", f"{operation_id}: {method} {path} took effect {count} times")


def _long_running_once(evidence: Evidence) -> Iterator[Violation]:
    """Of a long-running operation on one resource the app starts one for each of its own operations, at most."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for effect in evidence.effects:
        if effect["principal"]["objectId"] != evidence.app:
            continue
        when = datetime.fromtimestamp(effect["startedAt"], tz=evidence.now.tzinfo)
        head = _asker(evidence, effect["method"], effect["resourceId"], when)
        counts[(head.id if head else "nobody", effect["kind"], effect["resourceId"].lower())] += 1
    for (operation_id, kind, resource), count in counts.items():
        if count > _times_asked(evidence, operation_id) + _failed_changes(evidence, resource):
            yield Violation("each effect once", f"{operation_id}: {kind} of {resource} was started {count} times")


def _no_detach_under_jobs(evidence: Evidence) -> Iterator[Violation]:
    """No compute is taken from a job that runs."""
    for request in _of_app(evidence):
        if request["method"] != "DELETE" or request.get("workStatus") not in _DONE_WORK:
            continue
        when = moment(request["simulatedTime"])
        for job in evidence.jobs:
            properties = job["body"]["properties"]
            created = moment((job["body"].get("systemData") or {}).get("createdAt"))
            on_it = str(properties.get("computeId") or "").lower() == request["path"].lower()
            over = str(properties.get("status")).lower() in _JOB_OVER
            if on_it and not over and when is not None and (created is None or created < when):
                yield Violation("no detach under jobs", f"job {job['id']} ({properties['status']}) lost its compute")


def _retries_bounded(evidence: Evidence) -> Iterator[Violation]:
    """Neither requests nor steps nor pick-ups are repeated without end."""
    sent: Counter[tuple[str, str]] = Counter()
    for request in _of_app(evidence):
        sent[(request["method"], request["path"].lower())] += 1
    for (method, path), count in sent.items():
        asked = sum(1 for head in evidence.heads.values() if _asks(head, method, path))
        if count > _MOST_SENDINGS * max(1, asked):
            yield Violation("retries bounded", f"{method} {path} was sent {count} times for {asked} operations")
    for head in evidence.heads.values():
        for step in head.steps:
            if step["attempts"] > _MOST_ATTEMPTS:
                yield Violation("retries bounded", f"{head}: {step['name']} was tried {step['attempts']} times")
        if head.pick_ups > _MOST_PICK_UPS:
            yield Violation("retries bounded", f"{head}: picked up {head.pick_ups} times without progress")


# -- records ----------------------------------------------------------------------------------------------------------


def _journal_whole(evidence: Evidence) -> Iterator[Violation]:
    """Numbered from 1 without a gap, as many as the head counts, in the order of time and of steps, each end once."""
    for operation_id, rows in evidence.journals.items():
        head = evidence.heads.get(operation_id)
        if head is None:
            yield Violation("journal whole", f"{operation_id}: a journal without an operation")
            continue
        numbers = [row["sequence"] for row in rows]
        # The head was read in an earlier page of the same query than its newest lines may be.
        if numbers != list(range(1, len(rows) + 1)) or len(rows) != head.journal_length:
            yield Violation(
                "journal whole", f"{head}: lines {numbers}, head counts {head.journal_length}", settles=True
            )
        times = [moment(row["time"]) for row in rows]
        for number, (earlier, later) in enumerate(pairwise(times), start=1):
            if earlier is None or later is None or later < earlier - _TOLERANCE:
                yield Violation("journal whole", f"{head}: line {number + 1} is older than line {number}")
        yield from _in_step_order(head, rows)
    for head in evidence.heads.values():
        if head.id not in evidence.journals:
            yield Violation("journal whole", f"{head}: no journal", settles=True)


def _in_step_order(head: Head, rows: list[Row]) -> Iterator[Violation]:
    said = [(row["step"], row["event"]) for row in rows]
    if not said or said[0] != ("operation", "accepted"):
        yield Violation("journal whole", f"{head}: begins with {said[:1]}")
    plan = [step["name"] for step in head.steps]
    begun = [step for step, event in said if event == "started"]
    for name, count in Counter(begun).items():
        if count > 1:
            yield Violation("journal whole", f"{head}: {name} began {count} times")
    if [name for name in plan if name in begun] != list(dict.fromkeys(begun)):
        yield Violation("steps in order", f"{head}: began {begun}, planned {plan}")
    for (earlier, _), (later, event) in pairwise([(s, e) for s, e in said if s in plan]):
        if event == "started" and earlier != later and _not_over_before(said, earlier, later):
            yield Violation("steps in order", f"{head}: {later} began before {earlier} had ended")
    # A person may have asked to go on with it: then what had failed ends once more.
    parts = _parts(said)
    for step in head.steps:
        ends = [[event for name, event in part if name == step["name"] and event in _ENDS] for part in parts]
        last = [event for part in ends for event in part][-1:]
        wanted = [step["status"].lower()] if step["status"].lower() in _ENDS else []
        if any(len(part) > 1 for part in ends) or (wanted and last != wanted) or (not wanted and ends[-1]):
            yield Violation("journal whole", f"{head}: {step['name']} is {step['status']}, its ends are {ends}")
    closing = [[event for name, event in part if name == "operation" and event in _ENDS] for part in parts]
    if any(len(part) > 1 for part in closing) or closing[-1] != ([head.status.lower()] if head.final else []):
        yield Violation("journal whole", f"{head}: its ends are {closing}")


def _parts(said: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """A journal cut where a person asked to go on with the operation."""
    parts: list[list[tuple[str, str]]] = [[]]
    for line in said:
        if line == _ASKED_TO_GO_ON:
            parts.append([])
        parts[-1].append(line)
    return parts


def _not_over_before(said: list[tuple[str, str]], earlier: str, later: str) -> bool:
    before = said[: said.index((later, "started"))]
    return not any((earlier, end) in before for end in _ENDS)


def _index_whole(evidence: Evidence) -> Iterator[Violation]:
    """A list shows an operation where it belongs, once, and nothing that is not there."""
    for operation_id, keys in evidence.index.items():
        head = evidence.heads.get(operation_id)
        if head is None:
            yield Violation("index whole", f"{operation_id}: index rows without an operation", settles=True)
            continue
        wanted = {
            "recent": 1,
            "status": 1,
            "kind": 1,
            "workspace": 1,
            "compute": 1,
            "cluster": int(bool(head.cluster_id)),
        }
        found = Counter(key.split(";", 1)[0] for key in keys)
        if {name: count for name, count in wanted.items() if count} != dict(found):
            yield Violation("index whole", f"{head}: {dict(found)}", settles=True)
        elif not any(key.startswith(f"status;{head.status};") for key in keys):
            yield Violation("index whole", f"{head}: {keys}", settles=True)


# -- at rest ----------------------------------------------------------------------------------------------------------


def _claims_free(evidence: Evidence) -> Iterator[Violation]:
    """Whoever holds something is at work."""
    for hold in evidence.holds:
        head = evidence.heads.get(hold.operation)
        if head is None or head.final:
            yield Violation("claims free", f"{hold}: {head or 'no such operation'}", settles=True)
        elif not _own_target(head, hold.target):
            yield Violation("claims free", f"{hold} is none of its own targets", settles=True)
    for head in evidence.heads.values():
        step = head.step("claim")
        if head.final or step is None or step["status"] != "Succeeded":
            continue
        if not any(h.operation == head.id and h.target.startswith("compute ") for h in evidence.holds):
            yield Violation("claims held", f"{head} is at work and holds no claim on its compute", settles=True)


def _somebody_at_work(evidence: Evidence) -> Iterator[Violation]:
    """Every operation has ended, or the engine has an instance of its present run that will go on."""
    for head in evidence.heads.values():
        if head.final:
            continue
        instance = evidence.instances.get(f"{head.id}-{head.run}")
        if instance is None or not instance.live:
            state = instance.status if instance else "unknown to the engine"
            yield Violation("final or at work", f"{head}: its instance is {state}", settles=True)
        elif not _goes_on(evidence, instance):
            yield Violation("final or at work", f"{head}: nothing will ever wake {instance.id}", settles=True)


def _no_orphans(evidence: Evidence) -> Iterator[Violation]:
    """No instance is left of an operation that has ended, of an old run, or of a cluster that nothing happened to."""
    due = {row["cluster"]: row["pending"] for row in evidence.reactions}
    for instance in evidence.instances.values():
        if not instance.live:
            continue
        if instance.id.startswith("cluster-"):
            if not any(due.values()) and not any(not head.final for head in evidence.heads.values()):
                yield Violation("no orphaned instance", f"{instance.id} looks at a cluster without news", settles=True)
            continue
        named = _LONE_RUN.match(instance.id)
        head = evidence.heads.get(named["operation"]) if named else None
        if named is None or head is None:
            yield Violation("no orphaned instance", f"{instance.id} belongs to no operation", settles=True)
        elif head.final or head.run != int(named["run"]):
            yield Violation("no orphaned instance", f"{instance.id} is {instance.status}; {head}", settles=True)
        elif not _goes_on(evidence, instance):
            yield Violation("no orphaned instance", f"nothing will ever wake {instance.id}", settles=True)


def _reactions_done(evidence: Evidence) -> Iterator[Violation]:
    """A cluster that is due a look has somebody to look at it."""
    looking = any(i.live and i.id.startswith("cluster-") for i in evidence.instances.values())
    for row in evidence.reactions:
        if row["pending"] != (row["seen"] > row["handled"]):
            yield Violation(
                "reactions", f"{row['cluster']}: pending is {row['pending']} at {row['seen']}/{row['handled']}"
            )
        elif row["pending"] and not looking:
            yield Violation("reactions", f"{row['cluster']} is due a look and nobody looks", settles=True)


_RULES: tuple[Callable[[Evidence], Iterator[Violation]], ...] = (
    _one_live_operation,
    _one_extension_change,
    _cluster_stays,
    _effects_once,
    _long_running_once,
    _no_detach_under_jobs,
    _retries_bounded,
    _journal_whole,
    _index_whole,
    _claims_free,
    _somebody_at_work,
    _no_orphans,
    _reactions_done,
)


# -- questions to the evidence ----------------------------------------------------------------------------------------


def _of_app(evidence: Evidence) -> Iterator[Row]:
    for request in evidence.requests:
        if (request["principal"] or {}).get("objectId") == evidence.app:
            yield request


def _asks(head: Head, method: str, path: str) -> bool:
    """Whether what a request does is what an operation was asked to do."""
    path = path.lower()
    if head.kind == "detach":
        return method == "DELETE" and path == head.compute_id.lower()
    extension = _EXTENSION.search(path)
    on_cluster = extension is not None and path[: extension.start()] == str(head.cluster_id).lower()
    if method == "PATCH":
        return on_cluster and _asks_for_update(head)
    return method == "PUT" and (path == head.compute_id.lower() or on_cluster)


def _asks_for_update(head: Head) -> bool:
    request = json.loads(head.row["request"])
    return bool((request.get("extension") or {}).get("manage") == "update")


def _asker(evidence: Evidence, method: str, path: str, when: datetime) -> Head | None:
    """The operation that was at work when a request came and asks for it."""
    for head in evidence.heads.values():
        if not _asks(head, method, path):
            continue
        for begin, end in _spells(evidence, head):
            if begin - _TOLERANCE <= when and (end is None or when <= end + _TOLERANCE):
                return head
    return None


def _spells(evidence: Evidence, head: Head) -> list[tuple[datetime, datetime | None]]:
    """From when to when an operation was at work, by its journal; more than once when a person asked to go on."""
    spells: list[tuple[datetime, datetime | None]] = []
    may_begin = True
    for row in evidence.journals.get(head.id, []):
        when = moment(row["time"])
        assert when is not None
        if (row["step"], row["event"]) == _ASKED_TO_GO_ON:
            may_begin = True
        elif row["event"] in ("started", "retried") and may_begin:
            spells.append((when, None))
            may_begin = False
        elif row["step"] == "operation" and row["event"] in _ENDS and spells:
            spells[-1] = (spells[-1][0], when)
    return spells


def _times_asked(evidence: Evidence, operation_id: str) -> int:
    """Once, and once more for each time that a person asked to go on."""
    said = [(row["step"], row["event"]) for row in evidence.journals.get(operation_id, [])]
    return 1 + said.count(_ASKED_TO_GO_ON)


def _failed_changes(evidence: Evidence, resource: str) -> int:
    """How often Azure failed a change of an extension: for a reason that passes it is sent again."""
    return sum(
        1
        for effect in evidence.effects
        if effect["kind"] in ("extension.create", "extension.update")
        and effect["resourceId"].lower() == resource.lower()
        and effect["status"] == "Failed"
    )


def _intended(journal: list[Row], path: str, when: datetime) -> bool:
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


def _own_target(head: Head, target: str) -> bool:
    return target in (f"compute {head.compute_id}".lower(), f"extension {head.cluster_id}".lower())


def _refused(head: Head) -> bool:
    """An operation that never got its compute: another one has it."""
    step = head.step("claim")
    return step is not None and step["status"] == "Failed"


def _goes_on(evidence: Evidence, instance: Instance) -> bool:
    """Whether something will wake an instance: a message, an activity, a timer, or a child that is at work itself."""
    if instance.pending:
        return True
    children = [i for i in evidence.instances.values() if i.live and i.id.startswith(f"{instance.id}:")]
    return any(child.pending for child in children)


def _line(row: Row) -> str:
    return "|".join(str(row.get(name)) for name in ("sequence", "time", "step", "event", "attempt", "message", "data"))
