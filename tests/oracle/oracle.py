"""What must and must not hold at the end of a detach, by the world and Azure's own log; nothing here is the product's.

Each rule reads a story and yields what is wrong with it. A rule claims no more than the evidence carries: where two
clocks meet, what came within ``SLACK`` may have come in either order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

from tests.oracle.cluster_work import NO, UNCLEAR, YES, ClusterWork
from tests.oracle.player import Story
from tests.oracle.reading import (
    LAG,
    SLACK,
    deletes_of,
    gone_before,
    jobs_may_stay,
    looks_of,
    minutes,
    moment,
    of_app,
    overtaken,
    ran,
    said_of,
    time_of,
)
from tests.oracle.rules_cleanup import may_clean_up, others_stay, own_goes_when_asked, own_stays_unless_asked
from tests.oracle.rules_cluster import cluster_untouched, cluster_work_respected, cluster_work_told
from tests.oracle.worlds import CANCEL, FORCE, REFUSE, WAIT, Job, World

_NEEDED_FAILURES = 4

Rule = Callable[[Story], Iterator[str]]


def judge(story: Story) -> list[str]:
    """Everything that is wrong with a story; nothing is right if it has no end."""
    if story.unfinished:
        return [f"it has not ended: {story.operation.get('status')}, {story.operation.get('progress')}"]
    rules = _MEANWHILE if story.stuck else RULES
    return [f"{rule.__name__}: {wrong}" for rule in rules for wrong in rule(story)]


def only_detach(story: Story) -> Iterator[str]:
    """A compute is deleted by Detach and no other way, once for each time that was asked; the cluster stays."""
    for request in of_app(story, "DELETE", r"/computes/[^/]+$"):
        if request["query"].get("underlyingResourceAction") != "Detach":
            yield f"DELETE with {request['query']}"
        if request["path"].lower() != story.world.compute.lower():
            yield f"DELETE of another compute: {request['path']}"
    taken = [d for d in deletes_of(story) if d["workStatus"] in (200, 202)]
    if len(taken) > 1 + len(said_of(story, "retry")):
        yield f"it was detached {len(taken)} times"
    if story.cluster is None or of_app(story, "DELETE", r"/managedClusters/[^/]+$"):
        yield "the cluster was deleted"


def nothing_else_changed(story: Story) -> Iterator[str]:
    """The app changes the compute, jobs that it was asked to cancel, and schedules and endpoints where asked."""
    world = story.world
    uses = {job.name for job in world.jobs if job.uses == YES}
    for request in of_app(story, r"PUT|PATCH|POST|DELETE", ""):
        path = request["path"].removeprefix(world.workspace)
        cancel = re.fullmatch(r"/jobs/([^/]+)/cancel", path)
        if cancel is not None:
            if world.workloads["policy"] != CANCEL:
                yield f"a job was cancelled under {world.workloads['policy']}"
            if cancel[1] not in uses:
                yield f"{cancel[1]} was cancelled, which does not clearly use the compute"
        elif (named := re.match(r"/(onlineEndpoints|batchEndpoints)/([^/]+)", path)) is not None:
            if world.workloads["endpoints"] != "delete":
                yield f"{request['method']} {path} under endpoints=refuse"
            if not any(s.here and s.name == named[2] for s in (*world.endpoints, *world.batch)):
                yield f"{request['method']} {path}, which does not use the compute"
        elif (named := re.fullmatch(r"/schedules/([^/]+)", path)) is not None:
            if not any(s.here and s.enabled and s.name == named[1] for s in world.schedules):
                yield f"{request['method']} {path}, which would start nothing on the compute"
        elif may_clean_up(world.attachment, request["method"], path):
            continue
        elif not re.fullmatch(r"/computes/[^/]+", path) and not re.search(r"/list[A-Z]\w*$|/runCommand$", path):
            yield f"{request['method']} {request['path']}"


def detached_only_if_allowed(story: Story) -> Iterator[str]:
    """When the DELETE was sent nothing ran there that the policy protects, as far as a look right before could tell."""
    world = story.world
    for delete in deletes_of(story):
        when = time_of(delete)
        looks = [look for look in looks_of(story) if look <= when]
        if not looks and world.workloads["policy"] != FORCE:
            yield "no listing of jobs before the DELETE"
        if looks and not jobs_may_stay(story, when):
            for job in _jobs(world):
                if ran(story, job, looks[-1], when):
                    yield f"DELETE at {when} while {job.name} ({job.uses}) ran, policy {world.workloads}"
        if world.workloads["policy"] == FORCE:
            continue
        if world.builds_images:
            yield "DELETE of the compute that builds the workspace's images"
        for served in (*world.endpoints, *world.batch):
            if served.here and not gone_before(story, served.name, when):
                yield f"DELETE while {served.name} is deployed there, endpoints={world.workloads['endpoints']}"


def approved_first(story: Story) -> Iterator[str]:
    """Where an approval is required there is no DELETE before one, and none after a no."""
    needed = story.world.request["approval"] == "required"
    for delete in deletes_of(story):
        when = time_of(delete)
        if needed and not any(said.sent <= when for said in said_of(story, "approve")):
            yield f"DELETE at {when} without an approval"
        rejected = [s.taken for s in story.said if s.verb == "reject" and s.status == 202 and s.taken < when]
        if rejected and not any(rejected[-1] < s.taken for s in said_of(story, "retry")):
            yield f"DELETE at {when} after a rejection at {rejected[-1]}"


def canceled_in_time(story: Story) -> Iterator[str]:
    """After a cancel nothing is detached any more, and an operation is canceled only if somebody asked for that."""
    for said in story.said:
        if said.verb == "cancel" and said.status == 202:
            again = [r.taken for r in said_of(story, "retry") if r.taken > said.taken]
            for delete in deletes_of(story):
                if time_of(delete) > said.taken + LAG and not again:
                    yield f"DELETE at {time_of(delete)} although canceled at {said.taken}"
    if story.operation["status"] == "Canceled" and not said_of(story, "cancel"):
        yield "canceled, and nobody asked for that"


def end_is_true(story: Story) -> Iterator[str]:
    """The status says what is so: the compute is gone, or it is there as before."""
    operation, there = story.operation, story.world.compute.lower() in story.resources
    taken = [d for d in deletes_of(story) if d["workStatus"] in (200, 202)]
    status, result = operation["status"], operation.get("result") or {}
    if status == "Succeeded":
        if there:
            yield "Succeeded, and the compute is there"
        if result.get("detached") is not True or bool(result.get("alreadyGone")) == bool(taken):
            yield f"Succeeded with {result} after {len(taken)} detaches"
        if operation["error"] is not None:
            yield f"Succeeded with an error: {operation['error']}"
        return
    if not taken and there != story.world.attached:
        yield f"{status}, nothing was detached, and the compute is {'there' if there else 'gone'}"
    if status == "Canceled" and taken:
        yield "Canceled after the compute was detached"
    if not there and story.world.attached:
        yield f"{status}, and the compute is gone all the same: {operation['error']}"


def problem_fits(story: Story) -> Iterator[str]:
    """A failure names a cause that was there, says what to do, and has a step that failed of it."""
    operation, world = story.operation, story.world
    if operation["status"] != "Failed":
        return
    problem = operation["error"] or {}
    code = problem.get("code")
    if not problem.get("message") or not problem.get("remedy"):
        yield f"a problem without message or remedy: {problem}"
    failed = [step["name"] for step in operation["steps"] if step["status"] == "Failed"]
    if problem.get("step") not in failed:
        yield f"the problem is of step {problem.get('step')}, failed have {failed}"
    since = min([story.asked, *(s.sent for s in said_of(story, "retry"))])
    lasted = moment(operation["finishedDateTime"]) - since
    waits = world.workloads["policy"] in (WAIT, CANCEL)
    waited_for = bool(_blocking(world) or _come_back(world))
    overdue = waits and waited_for and lasted >= minutes(world.workloads["deadline"])
    failing = bool(world.scripts and world.scripts[0].get("outcome") == "fail")
    fits = {
        "ComputeInUse": bool(_protected(world) or _come_back(world)),
        "ComputeUseUnknown": bool(world.faults),
        "DrainDeadlineExceeded": overdue,
        "ApprovalRejected": bool(said_of(story, "reject")),
        "ApprovalTimedOut": lasted >= minutes(world.request["approvalTimeout"]),
        "DeadlineExceeded": failing or overtaken(story),
    }.get(str(code), failing)
    if not fits:
        yield f"nothing in this world explains {code}: {problem.get('message')}"


def succeeded_if_it_could(story: Story) -> Iterator[str]:
    """Nothing stands in the way, nobody objects and Azure recovers: then it succeeds."""
    if story.operation["status"] == "Succeeded" or not _could(story.world):
        return
    failures = [r for r in story.requests if r["fault"] and r["method"] == "GET"]
    code = (story.operation["error"] or {}).get("code")
    if overtaken(story):
        return
    if code != "ComputeUseUnknown" or len(failures) < _NEEDED_FAILURES:
        yield f"{story.operation['status']} ({code}) although nothing stood in the way"


def orphans_told(story: Story) -> Iterator[str]:
    """Work that was left to the compute is reported, and no other."""
    if story.operation["status"] != "Succeeded" or not deletes_of(story):
        return
    detached, ended = time_of(deletes_of(story)[-1]), moment(story.operation["finishedDateTime"])
    told = {work["name"] for work in (story.operation["result"] or {}).get("orphaned", [])}
    unknown = any(f["check"] == "orphanedWork" and f["outcome"] == "unknown" for f in story.operation["findings"])
    looks = [look for look in looks_of(story) if look > detached]
    if not looks:
        if not unknown:
            yield "nobody looked for what was left, and no finding says so"
        return
    for job in story.world.jobs:
        if job.uses == YES and job.name not in told and not unknown and ran(story, job, looks[-1], ended + SLACK):
            yield f"{job.name} was left to the compute and is not reported"
        if job.name in told and (job.uses == NO or not ran(story, job, ended + SLACK, detached)):
            yield f"{job.name} is reported as left, and was not"
    for served in (*story.world.endpoints, *story.world.batch):
        stays = served.here and not gone_before(story, served.name, ended)
        reported = any(name.split("/")[0] == served.name for name in told)
        if reported != stays and not unknown:
            yield f"{served.name}: reported is {reported}, left is {stays}"


def schedules_as_they_should(story: Story) -> Iterator[str]:
    """Schedules of the compute are off after a detach and on again without one; the others are as they were."""
    gone = any(d["workStatus"] in (200, 202) for d in deletes_of(story)) and (
        story.operation["status"] == "Succeeded" or story.world.compute.lower() not in story.resources
    )
    for schedule in story.world.schedules:
        found = story.resources[f"{story.world.workspace}/schedules/{schedule.name}".lower()]
        wanted = schedule.enabled and not (schedule.here and gone)
        if found["properties"]["isEnabled"] is not wanted:
            yield f"{schedule.name} is {'on' if not wanted else 'off'} after {story.operation['status']}"


def at_rest(story: Story) -> Iterator[str]:
    """It is final, holds nothing, and none of its steps is under way."""
    if story.operation["finishedDateTime"] is None:
        yield f"not finished: {story.operation['status']}"
    if story.claims:
        yield f"still held: {story.claims}"
    for step in story.operation["steps"]:
        if step["status"] in ("Running", "Waiting", "NeedsApproval"):
            yield f"{step['name']} is {step['status']}"


RULES: tuple[Rule, ...] = (
    only_detach,
    nothing_else_changed,
    detached_only_if_allowed,
    approved_first,
    cluster_work_respected,
    cluster_untouched,
    others_stay,
    own_stays_unless_asked,
    canceled_in_time,
    end_is_true,
    problem_fits,
    succeeded_if_it_could,
    orphans_told,
    cluster_work_told,
    own_goes_when_asked,
    schedules_as_they_should,
    at_rest,
)


# What holds of an operation that is still waiting for Azure to let the compute go.
_MEANWHILE: tuple[Rule, ...] = RULES[:8]


def _jobs(world: World) -> list[Job]:
    return [job for job in world.jobs if job.uses in (YES, UNCLEAR)]


def _blocking(world: World) -> list[Job | ClusterWork]:
    """Jobs and work in the cluster that a detach has to wait for; what stands for an endpoint goes with that."""
    asked = world.outage != (0.0, None)
    return [*_jobs(world), *(w for w in world.in_cluster if w.uses != NO and w.endpoint is None and asked)]


def _come_back(world: World) -> list[str]:
    """What is left of endpoints that were deleted while nobody could ask the cluster for it."""
    here = {served.name for served in world.endpoints if served.here}
    found = [work.name for work in world.in_cluster if work.uses != NO and work.endpoint in here]
    return found if world.outage is not None and world.workloads["endpoints"] == "delete" else []


def _protected(world: World) -> list[str]:
    """What keeps the compute from being detached at all under the policy of the request."""
    policy = world.workloads["policy"]
    if policy == FORCE:
        return []
    found = [job.name for job in _blocking(world)] if policy == REFUSE else []
    if world.workloads["endpoints"] != "delete":
        found += [served.name for served in (*world.endpoints, *world.batch) if served.here]
    return [*found, *(["imageBuildCompute"] if world.builds_images else [])]


def _could(world: World) -> bool:
    policy = world.workloads["policy"]
    if world.cancel is not None or world.dark or world.request["approval"] == "required" or _protected(world):
        return False
    if _come_back(world) and policy != FORCE:
        return False
    if any(script.get("outcome") == "fail" for script in world.scripts):
        return False
    if policy == FORCE or world.workloads["onDeadline"] == FORCE:
        return True
    in_time = minutes(world.workloads["deadline"]) - LAG / 2
    for job in _blocking(world):
        goes = policy == CANCEL and job.uses == YES and isinstance(job, Job)
        if not goes and (job.ends_after is None or timedelta(seconds=job.at + job.ends_after) > in_time):
            return False
    return True
