"""What an operation was accepted as: kept with its claim, so that whoever finds the claim can record the operation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.operation.record import RequestedBy
from domain.times import Moment


@dataclass(frozen=True)
class Acceptance:
    """A request that was accepted under an id. ``fingerprint`` is equal for requests that ask for the same thing."""

    id: str
    kind: str
    request: Mapping[str, Any]
    fingerprint: str
    requested_by: RequestedBy
    created_time: Moment
    workspace_id: str
    compute_name: str
    cluster_id: str | None = None
    plan_only: bool = False
