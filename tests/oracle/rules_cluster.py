"""Work that only the cluster knows of: it keeps the compute as jobs do, nobody touches it, and what is left is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from local.app_roles import APP_OBJECT
from tests.oracle.cluster_work import NO, YES, ClusterWork
from tests.oracle.player import Story
from tests.oracle.reading import SLACK, deletes_of, jobs_may_stay, looks_of, maybe_ran, moment, time_of
from tests.oracle.rules_cleanup import may_clean_up
from tests.oracle.worlds import FORCE


def cluster_work_respected(story: Story) -> Iterator[str]:
    """When the DELETE was sent the cluster, if it could be asked, ran nothing that the policy protects."""
    for delete in deletes_of(story):
        when = time_of(delete)
        looks = [look for look in looks_of(story) if look <= when]
        if not looks or jobs_may_stay(story, when):
            continue
        begun, until = looks[-1] - SLACK, when + SLACK
        if not story.cluster_seen.reachable(begun, until):
            continue
        for work in story.world.in_cluster:
            span = story.cluster_seen.work.get(work.told_as)  # None when it was to come after the end.
            there = work.uses != NO and span is not None and span.covers(begun, until)
            if there and _stands_for_itself(story, work, begun):
                yield f"DELETE at {when} while {work.told_as} ({work.uses}) runs in the cluster"


def cluster_untouched(story: Story) -> Iterator[str]:
    """The app changes nothing in the cluster but when it cleans up; asking what it may do there is a POST."""
    for request in story.in_cluster:
        mine = (request["principal"] or {}).get("objectId") == APP_OBJECT
        asks = request["path"].endswith("/selfsubjectaccessreviews")
        cleans = may_clean_up(story.world.attachment, request["method"], request["path"])
        if mine and request["method"] != "GET" and not asks and not cleans:
            yield f"{request['method']} {request['path']}"


def cluster_work_told(story: Story) -> Iterator[str]:
    """What is left running in the cluster is reported, and no other; that it cannot be asked is said."""
    if story.operation["status"] != "Succeeded" or not deletes_of(story):
        return
    seen, ended = story.cluster_seen, moment(story.operation["finishedDateTime"])
    detached = time_of(deletes_of(story)[-1])
    told = {work["name"] for work in (story.operation["result"] or {}).get("orphaned", [])}
    known = {work.told_as for work in story.world.in_cluster}
    yield from (f"{name} is reported, and there is none" for name in told - known if re.match(r"[A-Z]\w+ ", name))
    for work in story.world.in_cluster:
        span = seen.work.get(work.told_as)
        gone = span is None or span.misses(detached, ended) or seen.out_of_reach(detached, ended)
        if work.told_as in told and (work.uses == NO or gone):
            yield f"{work.told_as} ({work.uses}) is reported as left, and was not"
        named = [
            f for f in story.operation["findings"] if f["check"] == "orphanedWork" and work.told_as in f["message"]
        ]
        if work.told_as in told and not any(work.name in (finding.get("command") or "") for finding in named):
            yield f"{work.told_as} is reported as left, and no command is told for it: {named}"
    yield from _missing(story, told, detached, ended)
    findings = [f for f in story.operation["findings"] if f["check"] == "clusterWork" and f["outcome"] == "unknown"]
    sure = story.world.workloads["policy"] != FORCE or not story.world.faults
    if sure and not findings and seen.out_of_reach(story.asked, ended):
        yield "the cluster could not be asked, and no finding says so"
    if findings and seen.reachable(story.asked, ended):
        yield f"the cluster could be asked: {findings[0]['message']}"


def _missing(story: Story, told: set[str], detached: datetime, ended: datetime) -> Iterator[str]:
    """Work that was left and is not reported, as far as the app had a reason to look for it."""
    seen = story.cluster_seen
    looks = [look for look in looks_of(story) if look > detached]
    unknown = any(f["check"] == "orphanedWork" and f["outcome"] == "unknown" for f in story.operation["findings"])
    # The cluster is asked where Azure ML itself knows of no job.
    if not looks or unknown or any(maybe_ran(story, job, looks[-1]) for job in story.world.jobs if job.uses != NO):
        return
    begun, until = looks[-1] - SLACK, ended + SLACK
    for work in story.world.in_cluster:
        span = seen.work.get(work.told_as)
        left = work.uses == YES and span is not None and span.covers(begun, until) and seen.reachable(begun, until)
        if left and work.endpoint is None and work.job is None and work.told_as not in told:
            yield f"{work.told_as} was left in the cluster and is not reported"


def _stands_for_itself(story: Story, work: ClusterWork, when: datetime) -> bool:
    """Whether Azure ML lists nothing that it stands for, and has not for a while."""
    if work.endpoint is None:
        return True
    path = f"{story.world.workspace}/onlineEndpoints/{work.endpoint}".lower()
    ends = [e["endedAt"] for e in story.effects if e["resourceId"].lower() == path and e["kind"] == "endpoint.delete"]
    gone = path not in story.resources and all(end is not None and end < when.timestamp() for end in ends)
    return gone and bool(ends)
