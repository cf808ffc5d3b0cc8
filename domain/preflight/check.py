"""What a check is, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from domain.operation.outcomes import Finding
from domain.preflight.facts import Facts
from domain.problems import Problem

PASS, WARNING, FAIL, UNKNOWN = "pass", "warning", "fail", "unknown"


@dataclass(frozen=True)
class Judgement:
    """A check's answer: the finding but for the check's name."""

    outcome: str
    message: str
    remedy: str | None = None
    command: str | None = None

    def finding(self, check: str) -> Finding:
        """The judgement under the name of its check."""
        return Finding(check, self.outcome, self.message, self.remedy, self.command)


def passes(message: str) -> Judgement:
    """All is well."""
    return Judgement(PASS, message)


def warns(message: str, remedy: str, command: str | None = None) -> Judgement:
    """It may work; somebody should look."""
    return Judgement(WARNING, message, remedy, command)


def fails(message: str, remedy: str, command: str | None = None) -> Judgement:
    """It will not work."""
    return Judgement(FAIL, message, remedy, command)


def cannot_tell(message: str, remedy: str, command: str | None = None) -> Judgement:
    """It cannot be seen from here."""
    return Judgement(UNKNOWN, message, remedy, command)


def fails_as(problem: Problem) -> Judgement:
    """The failure that an entry of the error catalogue describes."""
    return Judgement(FAIL, problem.message, problem.remedy, problem.command)


def _never(facts: Facts) -> bool:
    return False


def _always(facts: Facts) -> bool:
    return True


def on_aks(facts: Facts) -> bool:
    """Whether it is a cluster of AKS: of one connected by Azure Arc, ARM says less."""
    return not facts.connected


@dataclass(frozen=True)
class Check:
    """One named check. ``looks_at`` is for the documentation, ``worst`` the worst that it says without ``hard``.

    ``depends``: whether what is asked depends on the answer, so that not knowing refuses it. ``applies``: whether the
    cluster has such a thing at all; where it does not, the check says nothing.
    """

    name: str
    looks_at: str
    worst: str
    judge: Callable[[Facts], Judgement]
    depends: Callable[[Facts], bool] = _never
    applies: Callable[[Facts], bool] = _always
