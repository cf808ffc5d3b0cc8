"""What a check answers, and the finding that comes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.operation.outcomes import Finding
from domain.preflight.check import Check, Judgement, cannot_tell, fails, fails_as, on_aks, passes, warns
from domain.preflight.table import run_checks
from domain.problems import Problem
from tests.domain.preflight.clusters import ARC_ID, GOOD


@pytest.mark.parametrize(
    ("judged", "outcome"),
    [
        (passes("well"), "pass"),
        (warns("well", "r", "c"), "warning"),
        (fails("well", "r", "c"), "fail"),
        (cannot_tell("well", "r", "c"), "unknown"),
    ],
)
def test_an_answer_becomes_the_finding_of_its_check(judged: Judgement, outcome: str) -> None:
    advice = (None, None) if outcome == "pass" else ("r", "c")
    assert judged.finding("podIdentity") == Finding("podIdentity", outcome, "well", *advice)


def test_a_problem_of_the_catalogue_is_a_failure_with_its_texts() -> None:
    problem = Problem("ClusterStopped", "It is stopped.", remedy="Start it.", command="az aks start")
    assert fails_as(problem) == fails("It is stopped.", "Start it.", "az aks start")


def test_a_request_depends_on_no_check_that_does_not_say_so() -> None:
    assert not Check("a", "something", "fail", lambda facts: passes("well")).depends(GOOD)


def test_a_check_of_aks_alone_says_nothing_of_another_cluster() -> None:
    every = Check("a", "something", "fail", lambda facts: passes("well"))
    arc = replace(GOOD, cluster_id=ARC_ID)
    assert (every.applies(GOOD), every.applies(arc)) == (True, True)
    assert (on_aks(GOOD), on_aks(arc)) == (True, False)
    assert [f.check for f in run_checks(arc, checks=(every, replace(every, name="b", applies=on_aks)))] == ["a"]
