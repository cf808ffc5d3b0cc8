"""The components of the extension: all of them available, and what their health check reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from activities.cluster.reach import LOOK_ELSEWHERE, guarded, see_components
from activities.runtime.step import StepAtWork
from domain.arm_ids import CONNECTED_CLUSTER, EXTENSION
from domain.catalogue.entry import HEALTH, PODS
from domain.catalogue.explain import explain, make_problem
from domain.cluster.components import Health, judge, router_address
from domain.operation.outcomes import (
    Again,
    Done,
    Finding,
    Outcome,
    Stop,
)
from domain.operation.results import ComponentsSeen, ExtensionSent
from domain.problems import AzureAnswer, Problem
from domain.times import in_words
from gateways import dns
from gateways.azure import arm
from gateways.kubernetes.api import Unreachable

_MOST_TOLD = 6
# Seconds within which components that only gather metrics are waited for.
_LESSER_WITHIN = 120.0


@guarded
def components_healthy(step: StepAtWork) -> Outcome:
    """See that all of the extension's components are available: ready in ARM does not mean ready."""
    sent = step.operation.result_of(ExtensionSent)
    extension = arm.find(arm.path_of(sent.extension_id, EXTENSION), arm.EXTENSIONS_API) if sent is not None else None
    if extension is None:
        return Again(None, "the extension does not show")
    cluster = step.operation.cluster
    seen = see_components(cluster, last=step.out_of_time)
    if isinstance(seen, Unreachable):
        message = f"Whether the extension's components run cannot be seen: {seen.reason}."
        finding = Finding("components", "unknown", message, seen.remedy or LOOK_ELSEWHERE, PODS)
        return Done(detail="cannot be seen from here; Azure says that it is installed", findings=(finding,))
    settings = extension.body["properties"].get("configurationSettings") or {}
    name = str(extension.body.get("name") or "")
    connected = cluster.resource_type == CONNECTED_CLUSTER
    health = judge(seen, name, settings, connected=connected)
    if not health.ready:
        return _not_ready(step, health)
    if health.starting and _waited(step) < _LESSER_WITHIN:
        return Again(None, _told(health.lesser))
    address = router_address(seen)
    findings = [_components(health)]
    findings += _health_findings(step, health)
    findings += _router_findings(settings, address)
    return Done(ComponentsSeen(address or None), findings=tuple(findings))


def _not_ready(step: StepAtWork, health: Health) -> Outcome:
    """Wait, and at the end say why: the health check's own explanation first, when there is one."""
    trouble = _told(health.trouble)
    waited = _waited(step)
    if waited < step.call.bound:
        return Again(None, trouble)
    words = {**step.facts, "waited": in_words(waited), "trouble": trouble}
    problem = make_problem("ComponentsUnhealthy", words)
    if health.codes:
        known = _explained(step, health, health.codes[0])
        problem = replace(known, message=f"{known.message} {problem.message}", transient=True)
    return Stop(problem)


def _components(health: Health) -> Finding:
    """That everything runs, or all that jobs and endpoints need."""
    if not health.lesser:
        return Finding("components", "pass", f"All {health.expected} components of the extension are available.")
    message = f"Components that only gather metrics are not as they should be: {_told(health.lesser)}."
    remedy = "Jobs and endpoints run without them; metrics of the compute are missing until they are back."
    return Finding("components", "warning", message, remedy, PODS)


def _told(trouble: Sequence[str]) -> str:
    more = [f"{len(trouble) - _MOST_TOLD} more"] if len(trouble) > _MOST_TOLD else []
    return "; ".join([*trouble[:_MOST_TOLD], *more])


def _waited(step: StepAtWork) -> float:
    started = step.record.started
    assert started is not None
    return (step.call.now - started).total_seconds()


def _health_findings(step: StepAtWork, health: Health) -> list[Finding]:
    """What the health check reports although everything runs."""
    known = [_explained(step, health, code) for code in health.codes]
    return [
        Finding("healthCheck", "warning", f"{problem.message} ({code})", problem.remedy, problem.command)
        for code, problem in zip(health.codes, known, strict=True)
    ]


def _explained(step: StepAtWork, health: Health, code: str) -> Problem:
    own = next((each.text for each in health.reports if each.code == code), "")
    said = own or f"the ConfigMap arcml-healthcheck reports {code}"
    return explain(HEALTH, [AzureAnswer(code, said)], step.facts)


def _router_findings(settings: Mapping[str, Any], address: str | None) -> list[Finding]:
    if address is None:
        return []
    found = [Finding("router", "pass", f"The inference router is reached at {address}.")]
    name = settings.get("sslCname")
    if not name:
        return found
    there = dns.addresses(str(name))
    if not there & {address, *dns.addresses(address)}:
        seen = f"resolves to {', '.join(sorted(there))}" if there else "does not resolve"
        message = f"sslCname {name} {seen}, and the inference router is at {address}."
        remedy = f"Have the name system point {name} at {address}; clients that check the certificate need it."
        return [*found, Finding("routerName", "warning", message, remedy, f"nslookup {name}")]
    return [*found, Finding("routerName", "pass", f"sslCname {name} resolves to the inference router.")]
