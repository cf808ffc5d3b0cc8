"""An extension that has failed: why, by Azure's words and by what the cluster shows; one that was left so before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from activities.cluster.reach import LOOK_ELSEWHERE, see_evidence
from activities.extension.protected_settings import without_protected
from activities.runtime.dependents import user_of_cluster
from activities.runtime.step import StepAtWork
from domain.arm_ids import EXTENSION
from domain.catalogue import entry as catalogue
from domain.catalogue.explain import explain, make_problem
from domain.cluster.components import INSTALLED, UPDATED, Report, Seen, reports_in, waiting_pods
from domain.extension.failure import answers_of
from domain.extension.wanted import UPDATE, Wanted
from domain.operation.outcomes import Again, Finding, Outcome
from domain.operation.record import Intent
from domain.problems import AzureAnswer, Problem
from gateways.azure import arm
from gateways.kubernetes.api import Unreachable

# Codes of problems that say less than the cluster itself may.
_SAY_LITTLE = frozenset({"HealthCheckFailed", "ExtensionTimedOut", "ExtensionFailed"})
_MOST_CODES, _MOST_PODS, _LONGEST = 12, 6, 1000
_CHECK = "healthCheck"
_DELETE, _PAUSE = "delete", 15.0


def state_of(extension: Mapping[str, Any]) -> str:
    """Its provisioning state, in lower case."""
    return str((extension.get("properties") or {}).get("provisioningState") or "").lower()


def has_failed(extension: Mapping[str, Any]) -> bool:
    """Whether it has ended badly: such an extension does not recover."""
    return state_of(extension) in ("failed", "canceled")


def why_failed(
    step: StepAtWork, protected: Mapping[str, str], extension: Mapping[str, Any], answers: Sequence[AzureAnswer] = ()
) -> Problem:
    """Why an extension has failed, by Azure's words. ``answers`` are those of the operation that has failed it.

    ``protected`` are the references of the secrets that may be among the words.
    """
    said = without_protected(protected, [*answers, *answers_of(extension.get("properties") or {})])
    name = {"extension": str(extension["name"])} if extension.get("name") else {}
    return explain(catalogue.EXTENSION, said, {**step.facts, **name})


def with_evidence(step: StepAtWork, problem: Problem, *, updated: bool) -> tuple[Problem, tuple[Finding, ...]]:
    """The problem with what the cluster shows of its cause, and findings of that: read now, because an undo removes it.

    ``updated``: it was a change of an existing extension. What cannot be seen is a finding, and changes nothing.
    Raises SlotsTaken, and StillRunning while a command in the cluster has not ended.
    """
    if problem.code not in _SAY_LITTLE or step.out_of_time:
        return problem, ()
    seen = see_evidence(step.operation.cluster)
    if isinstance(seen, Unreachable):
        message = f"What the extension's health check reports cannot be seen: {seen.reason}."
        return problem, (Finding(_CHECK, "unknown", message, seen.remedy or LOOK_ELSEWHERE, problem.command),)
    reports = reports_in(seen.reports, UPDATED if updated else INSTALLED)[:_MOST_CODES]
    return _explained(step, problem, reports) if reports else (_with_pods(problem, seen), ())


def _explained(step: StepAtWork, problem: Problem, reports: Sequence[Report]) -> tuple[Problem, tuple[Finding, ...]]:
    """The problem of the worst code, with all of them in its message; a finding of each."""
    known = [(each, explain(catalogue.HEALTH, [AzureAnswer(each.code, each.text)], step.facts)) for each in reports]
    findings = tuple(
        Finding(_CHECK, "fail", f"{its.message} ({report.code})", its.remedy, its.command) for report, its in known
    )
    message = " ".join(finding.message[:_LONGEST] for finding in findings)
    worst = known[0][1]
    return replace(worst, message=message, azure=problem.azure or worst.azure, transient=problem.transient), findings


def _with_pods(problem: Problem, seen: Seen) -> Problem:
    pods = waiting_pods(seen)[:_MOST_PODS]
    return replace(problem, message=f"{problem.message} In the cluster: {'; '.join(pods)}.") if pods else problem


def left_failed(step: StepAtWork, protected: Mapping[str, str], found: Mapping[str, Any]) -> Problem:
    """What is to be done about an extension that had failed before: the old cause is its history, not today's."""
    before = why_failed(step, protected, found)
    words = {**step.facts, "extension": _name(found), "history": before.message[:_LONGEST]}
    return make_problem("ExtensionLeftFailed", words, before.azure)


def may_be_replaced(step: StepAtWork, wanted: Wanted, found: Mapping[str, Any] | None) -> bool:
    """Whether the request allows to delete an extension that had failed before, and to install it again.

    It does where it allows changes (manage=update), unless something relies on it, or settings would be lost that
    nobody can read. Raises ArmError.
    """
    if found is None or not has_failed(found) or wanted.manage != UPDATE or last_sent(step) is not None:
        return False
    protected = (found.get("properties") or {}).get("configurationProtectedSettings")
    return not protected and user_of_cluster(step.operation) is None


def last_sent(step: StepAtWork) -> Intent | None:
    """What this step last set out to install or change; None when it has not got so far."""
    return next((each for each in reversed(step.record.intents) if each.action != _DELETE), None)


def is_being_replaced(step: StepAtWork) -> bool:
    """Whether this step has set out to delete an extension that had failed before."""
    return any(each.action == _DELETE for each in step.record.intents)


def delete_failed(step: StepAtWork, found: Mapping[str, Any]) -> Outcome:
    """Delete an extension that had failed before this operation; it is installed once it is gone. Raises ArmError."""
    target = arm.path_of(found.get("id"), EXTENSION, under=step.operation.cluster)
    step.intend(_DELETE, target)
    answer = arm.delete(target, arm.EXTENSIONS_API)
    return Again(answer.retry_after or _PAUSE, "the extension that had failed before is being deleted")


def replaced_finding(wanted: Wanted, found: Mapping[str, Any]) -> Finding:
    """That an extension which had failed is deleted, and which of its settings the request does not have."""
    before = (found.get("properties") or {}).get("configurationSettings")
    gone = sorted({*(before if isinstance(before, Mapping) else {})} - {*wanted.settings})
    settings = f" Settings that the request does not name: {', '.join(map(str, gone[:_MOST_CODES]))}." if gone else ""
    return Finding(
        "failedExtension", "warning", f"The failed extension {_name(found)} is deleted and installed again.{settings}"
    )


def _name(found: Mapping[str, Any]) -> str:
    return str(found.get("name") or found.get("id")).rsplit("/", 1)[-1]
