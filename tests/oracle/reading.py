"""What a story tells: requests of the app, looks, answers, and who was where when."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from local.app_roles import APP_OBJECT
from tests.oracle.player import Said, Story
from tests.oracle.worlds import FORCE, REFUSE, Job

SLACK = timedelta(seconds=2)
# A machine that stands still for five real seconds lets that much simulated time pass.
LAG = timedelta(minutes=10)
# Every step that may be tried again has at least so long.
SHORTEST_BOUND = timedelta(minutes=30)
_ENDED = ("Completed", "Failed", "Canceled")
_DONE = range(200, 205)
_PAGED = {"api-version", "listViewType"}


def of_app(story: Story, method: str, path: str) -> list[dict[str, Any]]:
    """Requests of the app to Resource Manager; ``method`` and ``path`` are regular expressions."""
    return [
        r
        for r in story.requests
        if (r["principal"] or {}).get("objectId") == APP_OBJECT
        and re.fullmatch(method, r["method"])
        and re.search(path, r["path"], re.I)
    ]


def deletes_of(story: Story) -> list[dict[str, Any]]:
    """The DELETEs of the compute that Azure did something about, in order of time."""
    found = [d for d in of_app(story, "DELETE", r"/computes/[^/]+$") if d.get("workStatus") is not None]
    return sorted(found, key=time_of)


def looks_of(story: Story) -> list[datetime]:
    """When listings of jobs began that saw every page."""
    looks: list[tuple[datetime, bool]] = []
    for page in sorted(of_app(story, "GET", r"/jobs$"), key=time_of):
        if set(page["query"]) <= _PAGED:
            looks.append((time_of(page), page["status"] == 200))
        elif looks and page["status"] != 200:
            looks[-1] = (looks[-1][0], False)
    return [when for when, whole in looks if whole]


def said_of(story: Story, verb: str) -> list[Said]:
    """What was said and taken, or may have been: nobody heard the app's answer."""
    return [said for said in story.said if said.verb == verb and said.status in (0, 202)]


def jobs_may_stay(story: Story, when: datetime) -> bool:
    """Whether jobs could be left running at that moment."""
    world = story.world
    policy, at_deadline = world.workloads["policy"], world.workloads["onDeadline"]
    if policy in (FORCE, REFUSE) or at_deadline == "fail":
        return bool(policy == FORCE)
    if when < story.asked + minutes(world.workloads["deadline"]) - SLACK:
        return False
    needed = 1 + (world.request["approval"] == "required")
    return bool(at_deadline == "force") or sum(said.sent <= when for said in said_of(story, "approve")) >= needed


def ran(story: Story, job: Job, begun: datetime, until: datetime) -> bool:
    """Whether a job was there before ``begun`` and had not ended by ``until``."""
    found = story.resources.get(f"{story.world.workspace}/jobs/{job.name}".lower())
    if found is None:
        return False
    about = found["systemData"]
    if moment(about["createdAt"]) > begun - SLACK:
        return False
    over = found["properties"]["status"] in _ENDED
    return not over or moment(about["lastModifiedAt"]) > until + SLACK


def maybe_ran(story: Story, job: Job, when: datetime) -> bool:
    """Whether a job may have been there at that moment, and not at its end."""
    found = story.resources.get(f"{story.world.workspace}/jobs/{job.name}".lower())
    if found is None or moment(found["systemData"]["createdAt"]) > when + SLACK:
        return False
    over = found["properties"]["status"] in _ENDED
    return not over or moment(found["systemData"]["lastModifiedAt"]) > when - SLACK


def gone_before(story: Story, name: str, when: datetime) -> bool:
    """Whether an endpoint or a batch deployment was deleted by then."""
    taken = of_app(story, "DELETE", rf"/(onlineEndpoints/{name}|batchEndpoints/{name}/deployments/[^/]+)$")
    return any(r.get("workStatus") in _DONE and time_of(r) < when for r in taken)


def time_of(request: dict[str, Any]) -> datetime:
    """When a request came in."""
    return moment(request["simulatedTime"])


def moment(text: str) -> datetime:
    """A time as Azure and the app tell it."""
    return datetime.fromisoformat(text)


def minutes(text: str) -> timedelta:
    """A duration as this oracle asks for it: in minutes."""
    return timedelta(minutes=int(text.removeprefix("PT").removesuffix("M")))


def overtaken(story: Story) -> bool:
    """Whether a step ran out of its time only because no host was there: a busy machine may take long to start one."""
    problem = story.operation.get("error") or {}
    failed = next((s for s in story.operation.get("steps", ()) if s["name"] == problem.get("step")), None)
    if problem.get("code") != "DeadlineExceeded" or failed is None or not failed["startedDateTime"]:
        return False
    begin, end = moment(failed["startedDateTime"]), moment(failed["finishedDateTime"])
    away = sum((max(timedelta(), min(end, back) - max(begin, killed)) for killed, back in story.away), timedelta())
    return end - begin - away < SHORTEST_BOUND
