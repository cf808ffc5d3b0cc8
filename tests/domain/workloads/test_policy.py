from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.times import aged
from domain.workloads.policy import (
    Policy,
    counts,
    in_the_way,
    listed,
    policy_of,
    progress,
    to_cancel,
)
from domain.workloads.uses import (
    BATCH_DEPLOYMENT,
    ENDPOINT,
    IMAGE_BUILDS,
    JOB,
    Use,
)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RUNNING = Use(JOB, "train-42", "Running", id="/jobs/train-42", since="2026-11-21T10:00:00Z")
CANCELING = Use(JOB, "train-43", "CancelRequested", id="/jobs/train-43", since="2026-11-21T11:30:00Z")
UNCLEAR = Use(JOB, "flow-1", "Running", clear=False, id="/jobs/flow-1")
SERVING, BATCH = Use(ENDPOINT, "score", "Succeeded"), Use(BATCH_DEPLOYMENT, "nightly/blue", "Succeeded")
UNCLEAR_ENDPOINT, BUILDS = Use(ENDPOINT, "odd", "unknown", clear=False), Use(IMAGE_BUILDS, "research", "configured")
ALL = [RUNNING, CANCELING, UNCLEAR, SERVING, BATCH, UNCLEAR_ENDPOINT, BUILDS]


@pytest.mark.parametrize(
    ("policy", "standing"),
    [
        (Policy(), ALL),
        (Policy("wait"), [SERVING, BATCH, UNCLEAR_ENDPOINT, BUILDS]),
        (Policy("cancel"), [SERVING, BATCH, UNCLEAR_ENDPOINT, BUILDS]),
        (Policy("force"), []),
        (Policy("refuse", "delete"), [RUNNING, CANCELING, UNCLEAR, UNCLEAR_ENDPOINT, BUILDS]),
        (Policy("wait", "delete"), [UNCLEAR_ENDPOINT, BUILDS]),
    ],
)
def test_what_a_policy_does_nothing_about_refuses_the_detach(policy: Policy, standing: list[Use]) -> None:
    assert in_the_way(ALL, policy) == standing


def test_only_jobs_that_clearly_use_the_compute_are_cancelled_and_only_once() -> None:
    assert to_cancel(ALL, Policy("cancel")) == [RUNNING]
    assert to_cancel(ALL, Policy("wait")) == []


def test_a_person_reads_how_far_it_is() -> None:
    assert aged(progress([RUNNING, CANCELING, UNCLEAR]), NOW) == (
        "3 jobs left, 1 cancelling, 1 of which nobody knows where, oldest train-42 for 2 h"
    )
    assert aged(progress([CANCELING]), NOW) == "1 job left, 1 cancelling, oldest train-43 for 30 min"
    assert progress([Use(JOB, "a", "Queued", since="yesterday")]) == "1 job left"


def test_a_program_reads_counts() -> None:
    assert counts([RUNNING, CANCELING, SERVING]) == {"jobs": 2, "endpoints": 1, "canceling": 1}
    assert counts([]) == {}


def test_a_long_list_is_cut() -> None:
    assert listed([RUNNING] * 12).endswith("and 2 more")
    assert listed([RUNNING]) == "job train-42 (Running)"


def test_defaults_are_filled_in() -> None:
    assert policy_of({}) == Policy("refuse", "refuse", "fail")
    assert policy_of({"workloads": {"policy": "wait", "onDeadline": "force"}}) == Policy("wait", "refuse", "force")
