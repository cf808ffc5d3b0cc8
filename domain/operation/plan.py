"""Plans: what an operation would change, in order, and what stands against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from domain.operation.outcomes import Finding
from domain.workloads.uses import Workload

OK, WARNINGS, REFUSED = "ok", "warnings", "refused"


@dataclass(frozen=True)
class PlannedChange:
    """One change: ``action`` is create, update, delete, detach, start or stop.

    The step that makes it goes by the same value, so that a plan and what is done cannot differ.
    """

    step: str
    action: str
    resource_id: str
    detail: str | None = None


@dataclass(frozen=True)
class Plan:
    """The result of a plan. One that is refused changes nothing. ``workloads`` is None where none are looked for."""

    STEP: ClassVar[str] = "plan"

    kind: str
    verdict: str
    findings: tuple[Finding, ...] = ()
    changes: tuple[PlannedChange, ...] = ()
    workloads: tuple[Workload, ...] | None = None
    type: Literal["plan"] = "plan"


def make_plan(
    kind: str,
    findings: Sequence[Finding],
    changes: Sequence[PlannedChange],
    workloads: Sequence[Workload] | None = None,
) -> Plan:
    """The plan of an operation of that kind, with its verdict."""
    verdict = _verdict(findings)
    kept = () if verdict == REFUSED else tuple(changes)
    return Plan(kind, verdict, tuple(findings), kept, None if workloads is None else tuple(workloads))


def _verdict(findings: Sequence[Finding]) -> str:
    outcomes = {finding.outcome for finding in findings}
    if "fail" in outcomes:
        return REFUSED
    return WARNINGS if "warning" in outcomes else OK
