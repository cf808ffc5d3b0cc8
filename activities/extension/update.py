"""The PATCH that brings an extension of the cluster in line with what is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from activities.access.relay import relay_parts
from activities.extension.protected_settings import (
    Secrets,
    cannot_see_protected,
    protected_settings,
    references,
    sent_by_earlier_operations,
)
from activities.runtime.step import StepAtWork
from domain.arm_ids import EXTENSION
from domain.extension.changes import settings_to_change, update_findings
from domain.extension.cluster_facts import ClusterFacts
from domain.extension.keys import looks_secret, secret_name
from domain.extension.wanted import Wanted
from domain.extension.wire import protected_to_send, version_properties
from domain.operation.outcomes import Done, Finding, Outcome
from domain.operation.results import ExtensionSent
from gateways.azure import arm


def update_extension(
    step: StepAtWork,
    wanted: Wanted,
    cluster_facts: ClusterFacts,
    found: Mapping[str, Any],
    findings: list[Finding],
) -> Outcome:
    """Send the PATCH that brings the extension ``found`` in line with what is wanted."""
    target, before = str(found.get("id")), found.get("properties", {})
    changes = settings_to_change(wanted, cluster_facts, before)
    names: tuple[str, ...] = protected_to_send(wanted)
    if names:
        # Protected settings are replaced as a whole: what this PATCH leaves out is lost.
        earlier = sent_by_earlier_operations(step.operation, wanted)
        wanted = replace(wanted, protected={**earlier, **wanted.protected})
        names = (*names, *earlier)
        findings.append(cannot_see_protected(names))
    secrets = protected_settings(wanted, names, step.facts)
    if not isinstance(secrets, Secrets):
        return secrets
    properties: dict[str, Any] = {"configurationSettings": changes} if changes else {}
    if wanted.version is not None:
        properties |= version_properties(wanted)
    if wanted.release_train.lower() not in ("stable", str(before.get("releaseTrain") or "").lower()):
        properties["releaseTrain"] = wanted.release_train
    if secrets.values:
        relay = relay_parts(step)
        if not isinstance(relay, tuple):
            return relay
        properties["configurationProtectedSettings"] = {**relay[1], **secrets.values}
    step.intend("update", target)
    answer = arm.patch(arm.path_of(target, EXTENSION), arm.EXTENSIONS_API, {"properties": properties})
    findings += update_findings(wanted, changes, before, bool(secrets.values))
    value = ExtensionSent(target, references(wanted, names), updated=True, replaced=_replaced(changes, before))
    changed = [*changes, *secrets.values, *(k for k in ("version", "releaseTrain") if k in properties)]
    detail = f"changed: {', '.join(sorted(changed))}"
    return Done(value, detail, findings=(*findings, *secrets.findings), operation_url=answer.operation_url)


def _replaced(changes: Mapping[str, str], before: Mapping[str, Any]) -> dict[str, str | None]:
    """The plain settings that a change replaces, for an undo; what looks like a secret is left out."""
    actual = before.get("configurationSettings") or {}
    values = {name: actual.get(name) for name in changes if secret_name(name) is None}
    return {name: value for name, value in values.items() if value is None or not looks_secret(str(value))}
