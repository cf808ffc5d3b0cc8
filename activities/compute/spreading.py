"""Attaching right after roles were granted: role assignments take minutes to have effect everywhere.

Azure ML, too, goes by roles that may not have spread; it then fails the attach under the same false names as without
them. So the attach waits a while first, and one that fails under such a name within that time is made once more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from activities.runtime.step import StepAtWork
from domain.access.propagation import LACKS_ROLE, is_spreading, seconds_to_wait
from domain.operation.outcomes import Again
from domain.problems import Problem
from gateways import clock
from gateways.azure import arm

_CREATE, _REMOVE = "create", "detach"


def wait_for_roles(step: StepAtWork) -> Again | None:
    """Wait until roles that this operation granted have had the time they usually take; None when they have."""
    left = seconds_to_wait(step.operation.granted_time, clock.now())
    return Again(min(60.0, left + 1), "roles granted minutes ago have yet to spread") if left > 0 else None


def is_under_way(step: StepAtWork) -> bool:
    """Whether this step is attaching once more: then the first attach's operation tells nothing any more."""
    return step.intent is not None


def take_away(step: StepAtWork, target: str, problem: Problem) -> Again | None:
    """Detach what failed, so that it can be attached again; None when the failure is for good.

    A failed compute does not recover, and an existing one cannot be changed: detach, then attach (vendor's guide).
    """
    sent = _last_sent(step, target)
    if sent is None:
        return None
    if step.failed_before:
        return _remove(step, target, f"attaching again, as asked, after this: {problem.message}")
    if problem.code != LACKS_ROLE or not is_spreading(step.operation.granted_time, sent):
        return None
    return _remove(step, target, f"attaching again when the roles have spread, after this: {problem.message}")


def _remove(step: StepAtWork, target: str, why: str) -> Again:
    step.intend(_REMOVE, target)
    answer = arm.delete(target, arm.WORKSPACES_API, arm.DETACH_ONLY)
    return Again(answer.retry_after, why)


def attach_again(step: StepAtWork, target: str, body: Callable[[], Mapping[str, Any]]) -> Again:
    """Attach again what this step has taken away, now that it does not show."""
    if step.record.intents[-1].action == _REMOVE:
        step.intend(_CREATE, target)
        arm.put(target, arm.WORKSPACES_API, body())
    return Again(None, "Azure ML attaches the cluster once more")


def _last_sent(step: StepAtWork, target: str) -> datetime | None:
    times = [
        intent.time
        for record in step.operation.steps
        for intent in record.intents
        if intent.action == _CREATE and intent.resource_id.lower() == target.lower()
    ]
    return max(times) if times else None
