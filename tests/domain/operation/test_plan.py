"""What comes of a plan: its verdict, and what it would change."""

from __future__ import annotations

import pytest

from domain.operation.outcomes import Finding
from domain.operation.plan import Plan, PlannedChange, make_plan
from domain.workloads.uses import Workload

CHANGE = PlannedChange("install_extension", "create", "/extension")
JOB = Workload("job", "train-1", "Running")


def finding(outcome: str) -> Finding:
    return Finding("nodePools", outcome, "m")


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ((), "ok"),
        (("pass",), "ok"),
        (("pass", "unknown"), "ok"),
        (("pass", "warning", "unknown"), "warnings"),
        (("warning", "fail"), "refused"),
        (("fail", "pass"), "refused"),
    ],
)
def test_the_worst_finding_is_the_verdict(outcomes: tuple[str, ...], verdict: str) -> None:
    findings = [finding(outcome) for outcome in outcomes]
    plan = make_plan("attach", findings, [CHANGE])
    assert (plan.kind, plan.verdict, plan.findings) == ("attach", verdict, tuple(findings))


def test_a_plan_that_is_refused_changes_nothing() -> None:
    assert make_plan("attach", [finding("fail")], [CHANGE]).changes == ()
    assert make_plan("attach", [finding("warning")], [CHANGE]).changes == (CHANGE,)


def test_no_workloads_is_something_else_than_none_looked_for() -> None:
    assert make_plan("attach", [], []).workloads is None
    assert make_plan("detach", [], [], []).workloads == ()
    assert make_plan("detach", [finding("fail")], [], [JOB]) == Plan(
        "detach", "refused", (finding("fail"),), (), (JOB,)
    )
