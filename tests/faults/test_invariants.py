"""The checker tells a violation once, to whom it concerns, and the rest at the end."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, cast

import pytest

from tests.faults import invariants
from tests.faults.evidence import Evidence, Hold
from tests.faults.invariants import Invariants
from tests.faults.questions import Violation
from tests.faults.test_rules import CLUSTER, COMPUTE, JOURNAL, PUT, WHOLE, line, request

HELD = Hold(f"compute {COMPUTE}".lower(), "op", False)


class Found:
    """What the checker finds, changed by tests."""

    def __init__(self) -> None:
        self.evidence: Evidence = WHOLE
        self.readings = 0

    def read(self, *_: Any) -> Evidence:
        self.readings += 1
        return self.evidence


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Found:
    made = Found()
    monkeypatch.setattr(invariants, "gather", made.read)
    return made


@pytest.fixture
def checker(found: Found) -> Invariants:
    return Invariants(cast(Any, None), cast(Any, None))


def names(violations: list[Violation]) -> list[str]:
    return [violation.invariant for violation in violations]


def nobody(violation: Violation) -> bool:
    return False


def test_a_violation_is_told_once_although_its_evidence_stays(checker: Invariants, found: Found) -> None:
    assert checker.check() == []
    found.evidence = replace(WHOLE, requests=[PUT, request("PUT", COMPUTE, 5.8)])
    assert names(checker.check()) == ["each effect once"]
    assert checker.check() == []
    # The same effect a third time: the count rises, and it is the same violation.
    found.evidence = replace(WHOLE, requests=[PUT, request("PUT", COMPUTE, 5.8), request("PUT", COMPUTE, 5.9)])
    assert checker.check() == []
    another = request("DELETE", CLUSTER, 5.5)
    found.evidence = replace(found.evidence, requests=[*found.evidence.requests, another])
    assert sorted(names(checker.check())) == ["cluster never deleted", "only what was asked"]
    assert checker.check_at_end() == []


def test_what_concerns_somebody_else_is_told_at_the_end(checker: Invariants, found: Found) -> None:
    found.evidence = replace(WHOLE, requests=[PUT, request("PUT", COMPUTE, 5.8)])
    assert checker.check(concerns=nobody) == []
    # It is kept, even when the evidence does not show it any more.
    found.evidence = WHOLE
    assert names(checker.check_at_end()) == ["each effect once"]
    assert checker.check_at_end() == []


def test_a_line_that_changes_is_told_once(checker: Invariants, found: Found) -> None:
    checker.check()
    found.evidence = replace(WHOLE, journals={"op": [*JOURNAL[:-1], line(9, "release", "succeeded", message="anew")]})
    assert names(checker.check()) == ["journal append-only"]
    assert checker.check() == []


def test_what_may_settle_is_waited_for_by_whom_it_concerns_only(checker: Invariants, found: Found) -> None:
    found.evidence = replace(WHOLE, holds=[HELD])
    assert checker.check(settling=600, concerns=nobody) == []
    assert found.readings == 1
    assert names(checker.check(settling=0)) == ["claims free"]
    assert found.readings > 1
    assert checker.check(settling=600) == []


def test_what_did_not_settle_for_anybody_is_told_at_the_end(checker: Invariants, found: Found) -> None:
    found.evidence = replace(WHOLE, holds=[HELD])
    assert checker.check(settling=600, concerns=nobody) == []
    assert names(checker.check_at_end(settling=0)) == ["claims free"]


def test_what_settles_in_time_is_no_violation(
    checker: Invariants, found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    found.evidence = replace(WHOLE, holds=[HELD])
    monkeypatch.setattr(time, "sleep", lambda _: setattr(found, "evidence", WHOLE))
    assert checker.check(settling=600) == []


def test_what_is_excused_is_passed_over(checker: Invariants, found: Found) -> None:
    found.evidence = replace(WHOLE, requests=[PUT, request("PUT", COMPUTE, 5.8)])
    checker.excuse("each effect once", "op:")
    assert checker.check() == []
    assert checker.check_at_end() == []
