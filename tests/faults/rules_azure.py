"""What reaches Azure: nothing but what was asked for, once, announced before, and never under somebody's job."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from tests.faults.evidence import Evidence, moment
from tests.faults.questions import (
    ANONYMOUS,
    ENDPOINT,
    EXTENSION,
    KEYS,
    REGISTER,
    RELAY,
    ROLE_ASSIGNMENT,
    SCHEDULE,
    Rule,
    Violation,
    asker,
    asks,
    failed_changes,
    intended,
    of_app,
    policy,
    times_asked,
    times_intended,
)

_CLUSTER = re.compile(
    r"/providers/Microsoft\.(ContainerService/managedClusters|Kubernetes/connectedClusters)/[^/]+$", re.I
)
_COMPUTE = re.compile(r"/workspaces/[^/]+/computes/[^/]+$", re.I)
_DONE_WORK = frozenset({200, 201, 202})
# At the deadline such a detach goes on over running jobs, once it is approved or by itself.
_OVER_JOBS = ("force", "approve")
_JOB_OVER = frozenset({"completed", "failed", "canceled"})
_MOST_SENDINGS = 30
# What a region offers, what a subscription has registered, who uses a cluster: read for every operation there.
_SHARED = re.compile(r"/subscriptions/[^/]+/providers/|/workspaces/[^/]+/computes$", re.I)


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
                    "one extension change",
                    f"two at a time on {cluster}: {earlier['kind']}, {later['kind']}",
                    (cluster, str(later["startedAt"])),
                )


def _cluster_stays(evidence: Evidence) -> Iterator[Violation]:
    """The app deletes nothing but attachments, and those by Detach."""
    for request in of_app(evidence):
        if request["method"] != "DELETE":
            continue
        about = (request["path"], request["simulatedTime"])
        if _CLUSTER.search(request["path"]):
            yield Violation("cluster never deleted", f"DELETE {request['path']}", about)
        elif any(kind.search(request["path"]) for kind in (EXTENSION, RELAY, ROLE_ASSIGNMENT, ENDPOINT)):
            continue  # Taken back by the operation that made it, or asked for, or else a violation of its own.
        elif not _COMPUTE.search(request["path"]):
            yield Violation("only what was asked", f"DELETE {request['path']}", about)
        elif request["query"].get("underlyingResourceAction") != "Detach":
            yield Violation("DELETE only with Detach", f"DELETE {request['path']} with {request['query']}", about)
    if evidence.underlying_deletes:
        deletes = str(evidence.underlying_deletes)
        yield Violation("cluster never deleted", f"{deletes} deletes of what lies under a compute", (deletes,))


def _effects_once(evidence: Evidence) -> Iterator[Violation]:
    """What an operation changes it changes once, after saying that it will, and it is what was asked for."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for request in of_app(evidence):
        if request.get("workStatus") not in _DONE_WORK:
            continue
        path, method = request["path"], request["method"]
        when = moment(request["simulatedTime"])
        assert when is not None
        head = asker(evidence, method, path, when)
        if head is None:
            unasked = f"{method} {path} at {when}: no operation at work then asks for it"
            yield Violation("only what was asked", unasked, (path, str(when)))
            continue
        if REGISTER.search(path) or KEYS.search(path) or ANONYMOUS.search(path):
            continue  # Asked twice it does nothing twice, and several operations may need the same one.
        counts[(head.id, method, path.lower())] += 1
        if not intended(evidence.journals.get(head.id, []), path, when):
            yield Violation(
                "intent before effect",
                f"{head}: {method} {path} without an intent in the journal before it",
                (*head.ids, path),
            )
    for (operation_id, method, path), count in counts.items():
        # Paused, and enabled again when the compute stays: each said before, and each in every run that comes so far.
        said = times_intended(evidence.journals.get(operation_id, []), path) if SCHEDULE.search(path) else 0
        if count > max(said, times_asked(evidence, operation_id) + failed_changes(evidence, path)):
            message = f"{operation_id}: {method} {path} took effect {count} times"
            yield Violation("each effect once", message, (operation_id, method, path))


def _long_running_once(evidence: Evidence) -> Iterator[Violation]:
    """Of a long-running operation on one resource the app starts one for each of its own operations, at most."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for effect in evidence.effects:
        if effect["principal"]["objectId"] != evidence.app or REGISTER.search(effect["path"]):
            continue
        when = datetime.fromtimestamp(effect["startedAt"], tz=evidence.now.tzinfo)
        head = asker(evidence, effect["method"], effect["resourceId"], when)
        counts[(head.id if head else "nobody", effect["kind"], effect["resourceId"].lower())] += 1
    for (operation_id, kind, resource), count in counts.items():
        if count > times_asked(evidence, operation_id) + failed_changes(evidence, resource):
            message = f"{operation_id}: {kind} of {resource} was started {count} times"
            yield Violation("each effect once", message, (operation_id, kind, resource))


def _no_detach_under_jobs(evidence: Evidence) -> Iterator[Violation]:
    """No compute is taken from a job that runs, unless that was asked for or approved."""
    for request in of_app(evidence):
        if request["method"] != "DELETE" or request.get("workStatus") not in _DONE_WORK:
            continue
        when = moment(request["simulatedTime"])
        head = asker(evidence, "DELETE", request["path"], when) if when else None
        if head is not None and (policy(head).get("policy") == "force" or policy(head).get("onDeadline") in _OVER_JOBS):
            continue
        for job in evidence.jobs:
            properties = job["body"]["properties"]
            created = moment((job["body"].get("systemData") or {}).get("createdAt"))
            on_it = str(properties.get("computeId") or "").lower() == request["path"].lower()
            over = str(properties.get("status")).lower() in _JOB_OVER
            if on_it and not over and when is not None and (created is None or created < when):
                message = f"job {job['id']} ({properties['status']}) lost its compute"
                yield Violation("no detach under jobs", message, (job["id"], request["path"]))


def _extension_needed(evidence: Evidence) -> Iterator[Violation]:
    """No extension is removed from a cluster that has a compute."""
    for request in of_app(evidence):
        extension = EXTENSION.search(request["path"])
        if request["method"] != "DELETE" or extension is None or request.get("workStatus") not in _DONE_WORK:
            continue
        cluster, when = request["path"][: extension.start()].lower(), moment(request["simulatedTime"])
        for compute in evidence.computes:
            created = moment((compute["body"].get("systemData") or {}).get("createdAt"))
            on_it = str(compute["body"]["properties"].get("resourceId") or "").lower() == cluster
            if on_it and created is not None and when is not None and created < when:
                message = f"{compute['id']} lost the extension of its cluster"
                yield Violation("extension needed", message, (compute["id"], request["path"]))


def _sendings_bounded(evidence: Evidence) -> Iterator[Violation]:
    """No request is sent again and again without end."""
    sent: Counter[tuple[str, str]] = Counter()
    for request in of_app(evidence):
        sent[(request["method"], request["path"].lower())] += 1
    for (method, path), count in sent.items():
        shared = method == "GET" and _SHARED.search(path) is not None
        asked = sum(1 for head in evidence.heads.values() if shared or asks(head, method, path))
        if count > _MOST_SENDINGS * max(1, asked):
            message = f"{method} {path} was sent {count} times for {asked} operations"
            yield Violation("retries bounded", message, (method, path))


RULES: tuple[Rule, ...] = (
    _one_extension_change,
    _cluster_stays,
    _effects_once,
    _long_running_once,
    _no_detach_under_jobs,
    _extension_needed,
    _sendings_bounded,
)
