"""What a plan tells: the changes in the order of the steps, and nothing of what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from activities.checks.plan import Planner, plan
from activities.runtime.step import StepAtWork
from domain.operation.codec import encode
from domain.operation.outcomes import Done, Finding
from domain.operation.plan import Plan, PlannedChange
from domain.operation.record import StepRecord
from domain.operation.results import Surveyed
from domain.operation.steps import BY_NAME
from domain.workloads.uses import Workload
from gateways.azure.arm import ArmError
from tests.activities.making import at_work

INSTALL, ATTACH = PlannedChange("install_extension", "create", "/e"), PlannedChange("attach_compute", "create", "/c")
PASS, WARNING, FAIL = (Finding("c", outcome, "m") for outcome in ("pass", "warning", "fail"))


def changing(*changes: PlannedChange) -> Planner:
    return lambda step: changes


def refusing(step: StepAtWork) -> Sequence[PlannedChange]:
    raise ArmError(503, "ServerBusy", "busy")


# In another order than that of the steps, with one that the planned operation has not.
PLANNERS = {"attach_compute": changing(ATTACH), "detach_compute": refusing, "install_extension": changing(INSTALL)}


def planning(
    *planned: str, findings: tuple[Finding, ...] = (), kind: str = "attach", survey: Surveyed | None = None
) -> StepAtWork:
    earlier = () if survey is None else (StepRecord("survey", "do", "Succeeded", value=encode(survey)),)
    left_out = tuple(name for name in BY_NAME if name not in planned)
    step = at_work("plan", earlier=earlier, findings=findings, plan_only=True, left_out=left_out)
    return replace(step, operation=replace(step.operation, kind=kind))


def planned(step: StepAtWork) -> Plan:
    outcome = plan(step, PLANNERS)
    assert isinstance(outcome, Done)
    assert isinstance(outcome.value, Plan)
    return outcome.value


def test_changes_are_in_the_order_of_the_steps_and_only_theirs() -> None:
    told = planned(planning("claim", "install_extension", "attach_compute"))
    assert (told.kind, told.verdict, told.changes) == ("attach", "ok", (INSTALL, ATTACH))
    assert planned(planning("attach_compute")).changes == (ATTACH,)
    assert planned(planning("claim", "record")).changes == ()


@pytest.mark.parametrize(
    ("findings", "verdict"), [((), "ok"), ((PASS,), "ok"), ((WARNING, PASS), "warnings"), ((WARNING, FAIL), "refused")]
)
def test_the_verdict_is_that_of_the_findings(findings: tuple[Finding, ...], verdict: str) -> None:
    told = planned(planning("attach_compute", findings=findings))
    assert (told.verdict, told.findings) == (verdict, findings)


def test_of_what_is_refused_no_step_is_asked() -> None:
    told = planned(planning("detach_compute", findings=(FAIL,)))
    assert told.changes == ()


def test_a_plan_with_a_gap_is_none() -> None:
    with pytest.raises(ArmError):
        plan(planning("detach_compute", kind="detach"), PLANNERS)


@pytest.mark.parametrize("kind", ["detach", "reattach"])
def test_what_uses_the_compute_is_told_where_it_is_looked_for(kind: str) -> None:
    found = Surveyed((Workload("job", "train", "Running"),))
    assert planned(planning(kind=kind, survey=found)).workloads == found.workloads
    assert planned(planning(kind=kind)).workloads == ()
    assert planned(planning(survey=found)).workloads is None


@pytest.mark.parametrize(
    ("names", "detail"),
    [((), "0 changes"), (("attach_compute",), "1 change"), (("install_extension", "attach_compute"), "2 changes")],
)
def test_how_many_there_are_in_words(names: tuple[str, ...], detail: str) -> None:
    outcome = plan(planning(*names), PLANNERS)
    assert isinstance(outcome, Done)
    assert outcome.detail == detail
