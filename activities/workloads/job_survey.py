"""The jobs that use a compute, in proportion to what runs: a workspace's list is read whole once, then from its top.

A look is one of these. Nothing is known: the list is read from end to end, over as many activities as that takes. It is
known: the newest pages are read down to what the last look has seen, and the live jobs that were not on them alone.
Where no live job is left, what could have come in between is looked for once more; in doubt the list is read again.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from activities.runtime.step import StepAtWork
from domain.arm_ids import WORKSPACE, ArmPath
from domain.workloads.jobs_seen import FRESH, SHORT, Gap, JobsSeen, LiveJob, Reading, StillReading, key_of
from domain.workloads.uses import Use, use_by_job
from gateways import bounds, clock
from gateways.azure import arm
from gateways.azure.arm import TOO_MUCH, ArmError, Page
from gateways.bounds import Pages, TooMuch

# Seconds after which an activity begins no more pages, and none of what follows them: a page takes 30 at most.
_LAST_PAGE_AT, _REST_AT = 25.0, 10.0
_PAGES = 250
# Live jobs that one look reads alone, while at least one of them is live.
_READ_ALONE = 8
# An archived job can still run: All, not the default ActiveOnly.
_ALL = {"listViewType": "All"}


def jobs_on(step: StepAtWork, target: str, *, certain: bool = True) -> list[Use]:
    """The jobs that use the compute, or may. ``certain``: that there are none is not answered in doubt.

    Raises StillReading while the list is not read to its end, and ArmError: TOO_MUCH where it has none within bounds.
    """
    served = step.jobs.served if step.jobs is not None else None
    try:
        return _jobs_on(step, target, certain)
    finally:
        if served is not None:
            step.jobs = replace(step.jobs or JobsSeen(clock.now()), served=served)


def _jobs_on(step: StepAtWork, target: str, certain: bool) -> list[Use]:
    seen, now = step.jobs, clock.now()
    if seen is not None and seen.ended is None and not seen.pages and not seen.restarts:
        seen = seen.started_over(now)  # Of jobs it tells nothing yet.
    workspace = arm.path_of(target.rpartition("/computes/")[0], WORKSPACE)
    if seen is None or (seen.ended is None and step.record.started and seen.began < step.record.started):
        seen = (seen or JobsSeen(now)).started_over(now)
    if seen.ended is None:
        begins = seen.pages == 0
        seen = _read_on(step, workspace, target, seen)
        if begins and seen.pages <= SHORT and bounds.elapsed() < _REST_AT:
            step.jobs = None
            return [job.use(workspace) for job in seen.live]
        if bounds.elapsed() >= _REST_AT:
            raise StillReading("the jobs of the workspace are listed")
    seen, shown = _newest(step, workspace, target, seen)
    if not seen.settled:
        if seen.reading.shift > seen.added:  # More has come above what was read than stands on top.
            raise _over_again(step, seen.broken_off(now))
        seen = replace(seen, added=0, settled=True, restarts=0)
    seen = step.jobs = replace(seen, live=_alone(workspace, target, seen, shown))
    # The list is where those show that cannot be read alone.
    left = [job for job in seen.live if job.readable] if certain else seen.live
    if left or not certain or (not seen.live and not seen.more and _is_certain(workspace, seen)):
        return [job.use(workspace) for job in seen.live]
    if seen.live and seen.ended is not None and now - seen.ended < FRESH:
        return [job.use(workspace) for job in seen.live]
    raise _over_again(step, seen.started_over(now))


def note_failure(step: StepAtWork) -> int:
    """Count a look that Azure has refused; how many there were in a row."""
    seen = step.jobs or JobsSeen(clock.now())
    step.jobs = replace(seen, failures=seen.failures + 1)
    return step.jobs.failures


def note_success(step: StepAtWork) -> None:
    """Failures before this count no more: the look has come to its end, or to none."""
    if step.jobs is not None and step.jobs.failures:
        step.jobs = replace(step.jobs, failures=0)


def note_canceled(step: StepAtWork, job: Use) -> None:
    """Somebody has asked for the end of a job: until it is read again, that is its status."""
    if step.jobs is not None:
        name = job.id.rpartition("/")[2]
        live = (replace(each, status="CancelRequested") if each.name == name else each for each in step.jobs.live)
        step.jobs = replace(step.jobs, live=tuple(live))


def _over_again(step: StepAtWork, seen: JobsSeen) -> StillReading:
    step.jobs = seen
    _check(step, seen)
    return StillReading("the jobs of the workspace have to be listed again")


def _check(step: StepAtWork, seen: JobsSeen) -> None:
    """Raises ArmError where a bound of the whole reading is passed: the next look begins with nothing known."""
    passed = seen.beyond(clock.now(), timedelta(seconds=step.record.outage_seconds + step.in_outage))
    if passed is not None:
        step.jobs = None
        raise ArmError(400, TOO_MUCH, passed)


def _read_on(step: StepAtWork, workspace: ArmPath, target: str, seen: JobsSeen) -> JobsSeen:
    """Read the list on, to its end; what was read is left in ``step.jobs`` after every page.

    Raises StillReading when the activity has worked for long enough, and ArmError.
    """
    pages = 0
    while True:
        if pages and (pages >= _PAGES or bounds.elapsed() >= _LAST_PAGE_AT):
            raise StillReading(_so_far(seen))
        pages += 1
        reading = seen.reading
        try:
            page, reading = _page(workspace, reading)
        except ArmError as error:
            if not _is_stale(error, reading):
                raise
            raise _over_again(step, seen.broken_off(clock.now())) from None
        url = reading.url or ""
        if seen.has_read(url):
            step.jobs = None
            raise ArmError(400, TOO_MUCH, "the list of jobs leads back to a page that was read already")
        keys = [key_of(job) for job in page.items]
        try:
            after = reading.after(keys, page.link)
        except Gap:
            raise _over_again(step, seen.broken_off(clock.now())) from None
        seen = seen.with_page(keys, _live(page.items, target), url, after)
        if page.link is None and not after.backs:
            seen = step.jobs = seen.whole(clock.now())
            return seen
        step.jobs = seen
        _check(step, seen)


def _so_far(seen: JobsSeen) -> str:
    """Changes seldom: what a poll says that differs from the last one is a row of the journal."""
    most = 10_000
    return "lists the jobs of the workspace" + (f": over {seen.items // most * most:,}" if seen.items > most else "")


def _newest(step: StepAtWork, workspace: ArmPath, target: str, seen: JobsSeen) -> tuple[JobsSeen, frozenset[str]]:
    """What the newest pages show, down to what the last look has seen, and the names of the jobs on them.

    Raises ArmError, and StillReading where they lead to nothing known: the list is read again then.
    """
    reading, keys = Reading(), list[str]()
    live, shown = dict[str, LiveJob](), set[str]()
    for _ in range(_PAGES):
        page, reading = _page(workspace, reading)
        found = [key_of(job) for job in page.items]
        try:
            reading = reading.after(found, page.link)
        except Gap:
            break
        keys += found
        shown |= {name for job in page.items if (name := str(job.get("id") or "").rpartition("/")[2])}
        live |= {job.name: job for job in _live(page.items, target)}
        if seen.reaches(keys) or (page.link is None and not reading.backs):
            kept = [job for job in seen.live if job.name not in shown or job.name in live]
            return replace(seen, live=tuple(kept)).with_newest(keys, live.values()), frozenset(shown)
        if bounds.elapsed() >= _LAST_PAGE_AT:
            break
    raise _over_again(step, seen.broken_off(clock.now()))


def _page(workspace: ArmPath, reading: Reading) -> tuple[Page, Reading]:
    """The next page, and the reading as it was asked for. Raises ArmError."""
    collection, pages = workspace.below("jobs"), Pages()
    try:
        pages.turn(reading.url or collection)
        try:
            page = arm.page(collection, arm.WORKSPACES_API, _ALL, reading.url)
        except ArmError as error:
            if reading.link is None or reading.at is None or error.transient or error.status in arm.NOT_THE_LINK:
                raise
            # Azure takes its link as it is only.
            reading = reading.by_link()
            page = arm.page(collection, arm.WORKSPACES_API, _ALL, reading.url)
    except TooMuch as bound:
        raise ArmError(0, TOO_MUCH, str(bound)) from None
    if not all(isinstance(job, Mapping) for job in page.items):
        raise arm.unexpected("a list of jobs with something else in it", 400)
    return page, reading


def _is_stale(error: ArmError, reading: Reading) -> bool:
    """Whether Azure does not take a link any more that it has given."""
    return reading.link is not None and error.refuses_link


def _live(jobs: Sequence[Mapping[str, Any]], target: str) -> list[LiveJob]:
    return [LiveJob.of(use) for job in jobs if (use := use_by_job(job, target)) is not None]


def _alone(workspace: ArmPath, target: str, seen: JobsSeen, shown: frozenset[str]) -> tuple[LiveJob, ...]:
    """The live jobs as they are now: those that no page has shown are read, a part of them while one is live.

    Raises ArmError.
    """
    live = {job.name: job for job in seen.live}
    unread = [job.name for job in seen.live if job.readable and job.name not in shown]
    first = random.randrange(len(unread)) if unread else 0  # noqa: S311 - in turns, so that none is old for long
    found = any(job.name in shown for job in seen.live)
    for read, name in enumerate((*unread[first:], *unread[:first])):
        if found and (read >= _READ_ALONE or bounds.elapsed() >= _REST_AT):
            break
        if bounds.elapsed() >= _LAST_PAGE_AT:
            break  # Those that are left count as they were.
        answer = arm.find(workspace.below("jobs", name), arm.WORKSPACES_API)
        use = None if answer is None else use_by_job(answer.body, target)
        if use is None:
            del live[name]
        else:
            live[name], found = replace(LiveJob.of(use), name=name), True
    return tuple(live.values())


def _is_certain(workspace: ArmPath, seen: JobsSeen) -> bool:
    """Whether nothing can have come that the newest pages do not show: a job that says that it is older than these.

    The last job of the list has to stand where it stood, but for what has come on top since. Right after the whole list
    was read it may stand further up: jobs are deleted at any time. Raises ArmError.
    """
    fresh = seen.ended is not None and clock.now() - seen.ended < FRESH
    if not seen.length:
        return fresh
    last = seen.length + seen.added - 1
    try:
        end = arm.page(workspace.below("jobs"), arm.WORKSPACES_API, {**_ALL, "$skip": str(last)})
    except ArmError as error:
        if error.transient or error.status in arm.NOT_THE_LINK:
            raise
        return fresh
    keys = [key_of(job) for job in end.items]
    return end.link is None and (keys == [seen.tail] or (fresh and len(keys) <= 1))
