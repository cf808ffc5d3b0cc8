"""How long a step may take: what its orchestrator says, or longer where the request itself says how long."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from domain.requests.durations import approval_timeout, drain_deadline

# The step itself ends with what it has to say at the request's own deadline; this is for a step that did not get to it.
_MARGIN = timedelta(hours=1)


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
