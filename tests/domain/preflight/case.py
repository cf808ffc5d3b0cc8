"""A case of the tables that test the checks, and what is asked of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.preflight.facts import Facts
from domain.preflight.table import CHECKS, run_checks


@dataclass(frozen=True)
class Case:
    """Facts, and what a check makes of them; ``says`` is in its message."""

    check: str
    name: str
    facts: Facts
    outcome: str
    says: str = ""
    hard: frozenset[str] = field(default_factory=frozenset)


def assert_judged(case: Case) -> None:
    """The check finds what the case says; what it does not pass comes with a remedy."""
    findings = [f for f in run_checks(case.facts, case.hard) if f.check == case.check]
    assert [f.outcome for f in findings] == [case.outcome], findings
    assert case.says in findings[0].message
    assert (findings[0].outcome == "pass") == (findings[0].remedy is None)


def untested(module: str, cases: Sequence[Case]) -> set[str]:
    """The checks of a module that lack a case of their worst or of a pass, and cases that belong to another module."""
    checks = {check.name: check for check in CHECKS if check.judge.__module__ == module}
    assert checks
    lacking = {case.check for case in cases} - set(checks)
    for name, check in checks.items():
        outcomes = {case.outcome for case in cases if case.check == name and not case.hard}
        # Nobody can see from here what a cluster reaches: that check never passes.
        wanted = {check.worst} if name == "outbound" else {check.worst, "pass"}
        lacking |= set() if wanted <= outcomes else {name}
    return lacking
