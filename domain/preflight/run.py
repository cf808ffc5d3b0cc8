"""Run every check, and say what comes of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from domain.catalogue.explain import make_problem
from domain.operation.outcomes import Finding
from domain.preflight.check import FAIL, UNKNOWN, WARNING, Check, cannot_tell
from domain.preflight.facts import CannotTell, Facts, Unread
from domain.preflight.table import CHECKS
from domain.problems import Problem

# Failures that go by a code of their own, the one under which Azure's false names are explained.
_KNOWN_AS = {"workspaceRoles": "WorkspaceIdentityLacksRole-moor"}


def run_checks(facts: Facts, hard: Collection[str] = (), checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """A finding of every check, and those of the extension's settings.

    A warning of a check in ``hard`` is a failure. So is what is unknown, of a check in ``hard`` or of one that the
    request depends on: not knowing is no success.
    """
    found = [finding for check in checks for finding in _findings(check, facts, hard)]
    if not isinstance(facts.extension, Unread):
        found += [_hardened(finding, hard) for finding in facts.extension.findings]
    return found


def _findings(check: Check, facts: Facts, hard: Collection[str]) -> Iterator[Finding]:
    try:
        judged = check.judge(facts)
    except CannotTell as why:
        judged = cannot_tell(f"Unknown: {why}.", "Remove the cause, or check it yourself.", _look(facts))
    finding = _hardened(judged.finding(check.name), hard)
    if finding.outcome == UNKNOWN and check.depends(facts):
        finding = replace(finding, outcome=FAIL, message=f"{finding.message} What is asked for depends on it.")
    yield finding


def _hardened(finding: Finding, hard: Collection[str]) -> Finding:
    if finding.check in hard and finding.outcome in (WARNING, UNKNOWN):
        return replace(finding, outcome=FAIL)
    return finding


def _look(facts: Facts) -> str:
    return f"az resource show --ids {facts.cluster_id}"


def refusal(
    findings: Sequence[Finding], words: Mapping[str, str], known: Mapping[str, Problem] | None = None
) -> Problem | None:
    """Why the findings stop the operation: the first failure, and how many more there are. None when none failed.

    ``known`` are problems by the names of the checks that failed with them; they keep their codes and Azure's words.
    """
    failed = [finding for finding in findings if finding.outcome == FAIL]
    if not failed:
        return None
    first, more = failed[0], len(failed) - 1
    rest = f" ({more} more: {', '.join(finding.check for finding in failed[1:])})" if more else ""
    problem = make_problem("PreflightFailed", {**words, "cause": first.message + rest})
    if first.check in _KNOWN_AS:
        problem = replace(make_problem(_KNOWN_AS[first.check], words), message=first.message + rest)
    if known and first.check in known:
        problem = replace(known[first.check], message=first.message + rest)
    return replace(problem, remedy=first.remedy or problem.remedy, command=first.command or problem.command)
