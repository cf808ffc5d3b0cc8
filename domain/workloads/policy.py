"""What becomes of what uses a compute that is to be detached, by the request's policy, and the words for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.times import from_text, to_text
from domain.workloads.uses import (
    BATCH_DEPLOYMENT,
    CLUSTER_WORK,
    ENDPOINT,
    JOB,
    Use,
)

REFUSE, WAIT, CANCEL, FORCE = "refuse", "wait", "cancel", "force"
DELETE = "delete"
FAIL, APPROVE = "fail", "approve"
_NAMED = 10


@dataclass(frozen=True)
class Policy:
    """``workloads`` of a request: what becomes of jobs and of endpoints, and what happens at the deadline."""

    jobs: str = REFUSE
    endpoints: str = REFUSE
    on_deadline: str = FAIL

    @property
    def waits(self) -> bool:
        """Whether jobs are given time to end."""
        return self.jobs in (WAIT, CANCEL)


def policy_of(request: Mapping[str, Any]) -> Policy:
    """The policy of a request, defaults filled in."""
    asked = request.get("workloads") or {}
    return Policy(asked.get("policy", REFUSE), asked.get("endpoints", REFUSE), asked.get("onDeadline", FAIL))


def in_the_way(uses: Iterable[Use], policy: Policy) -> list[Use]:
    """The uses that refuse the detach: those that the policy does nothing about."""
    return [use for use in uses if policy.jobs != FORCE and not _dealt_with(use, policy)]


def _dealt_with(use: Use, policy: Policy) -> bool:
    if use.type in (JOB, CLUSTER_WORK):
        return policy.waits
    return use.type in (ENDPOINT, BATCH_DEPLOYMENT) and use.clear and policy.endpoints == DELETE


def jobs_left(uses: Iterable[Use]) -> list[Use]:
    """The jobs that have not ended, those that only the cluster knows of included."""
    return [use for use in uses if use.type in (JOB, CLUSTER_WORK)]


def to_cancel(uses: Iterable[Use], policy: Policy) -> list[Use]:
    """The jobs to cancel: those that clearly use the compute and are not being cancelled."""
    if policy.jobs != CANCEL:
        return []
    return [use for use in jobs_left(uses) if use.type == JOB and use.clear and not use.canceling]


def counts(uses: Sequence[Use]) -> dict[str, int]:
    """How many of each type there are, and how many jobs are being cancelled."""
    found: dict[str, int] = {}
    for use in uses:
        found[f"{use.type}s"] = found.get(f"{use.type}s", 0) + 1
    canceling = sum(1 for use in jobs_left(uses) if use.canceling)
    return {**found, **({"canceling": canceling} if canceling else {})}


def progress(uses: Sequence[Use]) -> str:
    """The jobs that are waited for: "3 jobs left, 1 cancelling, oldest train-42 since 2026-11-20T10:00:00.000Z".

    A person reads the age (``domain.times.aged``): what only ages is no change of the record.
    """
    jobs = jobs_left(uses)
    canceling = sum(1 for job in jobs if job.canceling)
    unclear = sum(1 for job in jobs if not job.clear)
    parts = [f"{len(jobs)} job{'' if len(jobs) == 1 else 's'} left"]
    parts += [f"{canceling} cancelling"] if canceling else []
    parts += [f"{unclear} of which nobody knows where"] if unclear else []
    aged = [(began, job) for job in jobs if (began := _began(job)) is not None]
    if aged:
        began, oldest = min(aged, key=lambda pair: pair[0])
        parts.append(f"oldest {oldest.name} since {to_text(began)}")
    return ", ".join(parts)


def listed(uses: Sequence[Use]) -> str:
    """The uses by name, the first ten of them."""
    more = f" and {len(uses) - _NAMED} more" if len(uses) > _NAMED else ""
    return ", ".join(str(use) for use in uses[:_NAMED]) + more


def _began(job: Use) -> datetime | None:
    try:
        return from_text(job.since) if job.since else None
    except ValueError:
        return None
