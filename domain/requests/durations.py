"""Durations of requests: how long workloads may take to end, and a person to answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter

DEFAULT_DEADLINE, DEFAULT_APPROVAL_TIMEOUT = "PT24H", "P3D"
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
