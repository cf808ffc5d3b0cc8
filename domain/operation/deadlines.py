"""How long a step may take: what its orchestrator says, or longer where the request itself says how long."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter

DEFAULT_DEADLINE, DEFAULT_APPROVAL_TIMEOUT = "PT24H", "P3D"
# The step itself ends with what it has to say at the request's own deadline; this is for a step that did not get to it.
_MARGIN = timedelta(hours=1)
_DURATION: TypeAdapter[timedelta] = TypeAdapter(timedelta)


def duration(text: str) -> timedelta:
    """An ISO 8601 duration; a month is 30 days, a year 365. Raises ValueError, for negative ones too."""
    if not text.startswith("P"):
        raise ValueError(f"{text!r} is not an ISO 8601 duration such as PT30M, PT8H or P2D")
    return _DURATION.validate_python(text)


def drain_deadline(request: Mapping[str, Any]) -> timedelta:
    """How long workloads may take to end: ``workloads.deadline``."""
    return duration((request.get("workloads") or {}).get("deadline") or DEFAULT_DEADLINE)


def approval_timeout(request: Mapping[str, Any]) -> timedelta:
    """How long a person may take to answer: ``approvalTimeout``."""
    return duration(request.get("approvalTimeout") or DEFAULT_APPROVAL_TIMEOUT)


def _waits(request: Mapping[str, Any]) -> bool:
    """Whether jobs are given time to end: those that came at the last moment too."""
    return (request.get("workloads") or {}).get("policy") in ("wait", "cancel")


def bound_of(request: Mapping[str, Any], step: str, bound: float) -> float:
    """The deadline of a step, in seconds after its start; ``bound`` is the orchestrator's."""
    match step:
        case "approval":
            return (approval_timeout(request) + _MARGIN).total_seconds()
        case "drain" | "detach_compute" if _waits(request):
            asks = (request.get("workloads") or {}).get("onDeadline") == "approve"
            more = approval_timeout(request) if asks else timedelta()
            return (drain_deadline(request) + more + _MARGIN).total_seconds()
    return bound
