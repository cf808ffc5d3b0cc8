"""For every check: a cluster that it is worried about, and a near miss that passes."""

from __future__ import annotations

import pytest

from domain.preflight.check import Check
from domain.preflight.table import CHECKS, run_checks
from tests.domain.preflight.case import Case
from tests.domain.preflight.cases_of_clusters import CLUSTERS
from tests.domain.preflight.cases_of_surroundings import SURROUNDINGS
from tests.domain.preflight.clusters import GOOD

CASES = (*CLUSTERS, *SURROUNDINGS)


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.check}: {c.name}")
def test_a_check(case: Case) -> None:
    findings = [f for f in run_checks(case.facts, case.hard) if f.check == case.check]
    assert [f.outcome for f in findings] == [case.outcome], findings
    assert case.says in findings[0].message
    if case.outcome != "pass":
        assert findings[0].remedy


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.name)
def test_every_check_has_a_worry_and_a_near_miss(check: Check) -> None:
    told = {case.outcome for case in CASES if case.check == check.name and not case.hard}
    assert check.worst in told
    assert ("pass" in told) is (check.name != "outbound"), "nobody can see from here what a cluster reaches"


def test_a_faultless_cluster_passes_everything() -> None:
    found = {f.check: f.outcome for f in run_checks(GOOD)}
    assert set(found) == {check.name for check in CHECKS}
    assert {name for name, outcome in found.items() if outcome != "pass"} == {"outbound"}
