"""The endpoints that use a compute: online endpoints, and the deployments of batch endpoints.

A workspace with few of them is read whole by every look, and nothing is remembered. Where one activity does not get
through them, they are read page by page over as many as it takes, like the jobs (``job_survey``): what was found and
the links of the next pages are kept beside what is known of the jobs, and what was read to its end holds for a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from activities.runtime.step import StepAtWork
from domain.arm_ids import BATCH_ENDPOINT, ArmId, ArmPath
from domain.workloads.endpoints_seen import BATCH, EndpointsSeen
from domain.workloads.jobs_seen import JobsSeen, StillReading
from domain.workloads.uses import Use, use_by_batch_deployment, use_by_endpoint
from gateways import bounds, clock
from gateways.azure import arm
from gateways.azure.arm import TOO_MUCH, ArmError, Page

# Seconds after which an activity begins no more pages, and none of what follows them: a page takes 30 at most.
_LAST_PAGE_AT, _REST_AT = 25.0, 10.0
_LISTS = "the endpoints of the workspace are listed"


def served_by(step: StepAtWork, target: str, again: bool = False) -> list[Use]:
    """The endpoints and deployments that use the compute, or may; jobs are not looked at.

    ``again``: who asks has changed them, and wants to see them as they are after that; a reading serves one look then.

    Raises StillReading while they are not read to their end, and ArmError: TOO_MUCH where they have none within bounds.
    """
    workspace, now = step.operation.workspace, clock.now()
    seen = step.jobs.served if step.jobs is not None else None
    if seen is None:
        try:
            uses = list(_at_once(workspace, target))
        except StillReading:
            _keep(step, EndpointsSeen(now))
            raise
        if bounds.elapsed() < _REST_AT:
            return uses
        _keep(step, replace(EndpointsSeen(now).with_uses(uses), ended=clock.now()))
        raise StillReading(_LISTS)
    if not seen.is_fresh(now):
        begun = seen.ended is None and (seen.pages or seen.restarts)
        seen = seen if begun else EndpointsSeen(now)
        seen = _read_on(step, workspace, target, seen)
        if bounds.elapsed() >= _REST_AT:
            raise StillReading(_LISTS)
    if again:
        _keep(step, EndpointsSeen(now))
    return list(seen.uses)


def _at_once(workspace: ArmId, target: str) -> Iterator[Use]:
    """All of them, as long as that takes no longer than an activity may. Raises StillReading and ArmError."""
    for endpoint in _in_time(arm.items(workspace.path.below("onlineEndpoints"), arm.WORKSPACES_API)):
        if (use := use_by_endpoint(endpoint, target)) is not None:
            yield use
    for endpoint in _in_time(arm.items(workspace.path.below("batchEndpoints"), arm.WORKSPACES_API)):
        of_workspace = arm.path_of(endpoint.get("id"), BATCH_ENDPOINT, under=workspace)
        for deployment in _in_time(arm.items(of_workspace.below("deployments"), arm.WORKSPACES_API)):
            if (use := use_by_batch_deployment(deployment, target)) is not None:
                yield use


def _in_time(items: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for item in items:
        if bounds.elapsed() >= _LAST_PAGE_AT:
            raise StillReading(_LISTS)
        yield item


def _read_on(step: StepAtWork, workspace: ArmId, target: str, seen: EndpointsSeen) -> EndpointsSeen:
    """Read them on, to their end; what was read is left in the record after every page.

    Raises StillReading when the activity has worked for long enough, and ArmError.
    """
    first = True
    while seen.ended is None:
        if not first and bounds.elapsed() >= _LAST_PAGE_AT:
            raise StillReading(_LISTS)
        first = False
        try:
            seen = _one_page(workspace, target, seen)
        except ArmError as error:
            if not _is_stale(error, seen):
                raise
            seen = seen.broken_off()
        _keep(step, seen)
        passed = seen.beyond(clock.now())
        if passed is not None:
            _keep(step, None)
            raise ArmError(400, TOO_MUCH, passed)
    return seen


def _one_page(workspace: ArmId, target: str, seen: EndpointsSeen) -> EndpointsSeen:
    now = clock.now()
    if seen.waiting:
        try:
            page = _page(workspace.path.below("batchEndpoints", seen.waiting[0], "deployments"), seen.deployments)
        except ArmError as error:
            if not error.not_found:
                raise
            page = Page(())  # It has been deleted since its list was read.
        if page.link is not None and page.link == seen.deployments:
            raise ArmError(400, TOO_MUCH, "a list of deployments leads back to a page that was read already")
        return _with(seen, (use_by_batch_deployment(each, target) for each in page.items)).after_deployments(
            page.link, now
        )
    online = seen.kind != BATCH
    page = _page(workspace.path.below("onlineEndpoints" if online else "batchEndpoints"), seen.link)
    if seen.leads_back(page.link):
        raise ArmError(400, TOO_MUCH, "the list of endpoints leads back to a page that was read already")
    if online:
        return _with(seen, (use_by_endpoint(each, target) for each in page.items)).after_page(page.link, (), now)
    names = [arm.path_of(each.get("id"), BATCH_ENDPOINT, under=workspace).rpartition("/")[2] for each in page.items]
    return seen.after_page(page.link, names, now)


def _page(collection: ArmPath, link: str | None) -> Page:
    return arm.page(collection, arm.WORKSPACES_API, None, link)


def _with(seen: EndpointsSeen, uses: Iterator[Use | None]) -> EndpointsSeen:
    return seen.with_uses(use for use in uses if use is not None)


def _is_stale(error: ArmError, seen: EndpointsSeen) -> bool:
    """Whether Azure does not take a link any more that it has given."""
    by_link = seen.deployments if seen.waiting else seen.link
    return by_link is not None and error.refuses_link


def _keep(step: StepAtWork, seen: EndpointsSeen | None) -> None:
    step.jobs = replace(step.jobs or JobsSeen(clock.now()), served=seen)
