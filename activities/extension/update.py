"""One change of a cluster's extension: its installation, or the PATCH that brings it in line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from activities.access.relay import relay_parts
from activities.extension.protected_settings import Secrets, protected_settings
from activities.runtime.step import StepAtWork, wait_for_earlier_attempt
from domain.arm_ids import (
    CONNECTED_CLUSTER,
    EXTENSION,
    MANAGED_CLUSTER,
    ArmId,
    extension_id,
    parse_arm_id,
    same_resource,
)
from domain.catalogue.explain import make_problem
from domain.compute.attachment import protected_lost
from domain.extension.changes import difference, settings_to_change, update_findings
from domain.extension.checks import FAIL, UNKNOWN, check_on_cluster
from domain.extension.cluster_facts import ClusterFacts, facts
from domain.extension.keys import looks_secret, secret_name
from domain.extension.wanted import (
    EXTENSION_TYPE,
    RELEASE_NAMESPACE,
    REQUIRE,
    UPDATE,
    Wanted,
    wanted_extension,
)
from domain.extension.wire import (
    asked_name,
    protected_name,
    protected_to_send,
    wire_settings,
)
from domain.operation.outcomes import (
    Again,
    Created,
    Done,
    Finding,
    Outcome,
    Stop,
)
from domain.operation.plan import PlannedChange
from domain.operation.record import SUCCEEDED
from domain.problems import Problem
from gateways.azure import arm
from gateways.settings import read_settings
from gateways.storage import record_list as operation_list
from gateways.storage.record_list import Filter

# The documented wait is about an hour: often enough to be soon after it, seldom enough not to disturb.
_PAUSE = 300.0
_MOST_RECORDS = 50
# Sent again with every change (activities/access/relay.py).
_OF_THE_RELAY = frozenset({"relayServerConnectionString"})


def wanted_of(step: StepAtWork) -> Wanted:
    """The extension that the operation asks for."""
    return wanted_extension(step.operation.attach_request)


def is_to_change(wanted: Wanted, found: Mapping[str, Any] | None) -> bool:
    """Whether the extension, or its absence, is to be changed for this request."""
    if found is None:
        return wanted.manage != REQUIRE
    if wanted.manage != UPDATE:
        return False
    # What is protected cannot be read back and compared: asked to update, it is sent.
    return bool(difference(wanted, found.get("properties", {}))) or bool(protected_to_send(wanted))


def planned_extension(step: StepAtWork, found: Mapping[str, Any] | None) -> PlannedChange | None:
    """What ``install_extension`` changes, by the extension as it is; None when nothing."""
    wanted = wanted_of(step)
    if not is_to_change(wanted, found):
        return None
    if found is None:
        target = extension_id(_cluster(step), wanted.name)
        return PlannedChange("install_extension", "create", target, f"installs {EXTENSION_TYPE}")
    changes = settings_to_change(wanted, _facts(step), found.get("properties", {}))
    named = ", ".join(sorted([*changes, *protected_to_send(wanted)])) or "its version or release train"
    return PlannedChange("install_extension", "update", str(found.get("id")), f"changes {named}")


def protected_problem(step: StepAtWork, found: Mapping[str, Any]) -> Problem | None:
    """Why the extension may not be changed as asked: protected settings that are not sent again would be lost."""
    wanted, properties = wanted_of(step), found.get("properties", {})
    sent = {*protected_to_send(wanted)}
    if not sent:
        return None
    sent |= {*sent_by_earlier_operations(step, wanted)}
    before = properties.get("configurationSettings") or {}
    listed = {asked_name(name) for name in properties.get("configurationProtectedSettings") or {}} - _OF_THE_RELAY
    lost = protected_lost(before, wanted.settings, frozenset(listed), frozenset(map(asked_name, sent)))
    if not lost:
        return None
    return make_problem("ProtectedSettingsLost", {**step.facts, "lost": ", ".join(lost)})


def settings_findings(step: StepAtWork) -> list[Finding]:
    """What is to be said of the extension's settings on this cluster before it is installed or changed."""
    wanted, operation = wanted_of(step), step.operation
    asked = (operation.request.get("extension") or {}).get("configurationSettings") or {}
    there = {*wanted.settings} - {*asked} if operation.kind == "reattach" else ()
    return check_on_cluster(wanted, _facts(step), read_settings().hard_checks, there)


def change_extension(step: StepAtWork, found: Mapping[str, Any] | None) -> Outcome:
    """Install the extension, or change the one that is there, unless a rule speaks against it."""
    wanted, cluster_facts = wanted_of(step), _facts(step)
    findings = settings_findings(step)
    failed = [f for f in findings if f.outcome == FAIL]
    if failed:
        return Stop(_settings_refused(step, failed), tuple(findings))
    too_early = wait_for_earlier_attempt(step)
    if too_early is not None:
        return too_early
    if found is None:
        return _install(step, wanted, cluster_facts, findings)
    return _update(step, wanted, cluster_facts, found, findings)


def change_again(step: StepAtWork, target: str, why: str) -> Outcome:
    """Send an installation or change once more, after Azure failed it for a reason that passes."""
    found = arm.find(target, arm.EXTENSIONS_API)
    ours = any(same_resource(c.id, target) for c in step.operation.created)
    outcome = change_extension(step, None if ours or found is None else found.body)
    return Again(_PAUSE, f"sent again, after this: {why}") if isinstance(outcome, Done) else outcome


def _install(step: StepAtWork, wanted: Wanted, cluster_facts: ClusterFacts, findings: list[Finding]) -> Outcome:
    plain, names = wire_settings(wanted, cluster_facts)
    secrets = protected_settings(wanted, names, step.facts)
    if not isinstance(secrets, Secrets):
        return secrets
    relay = relay_parts(step)
    if not isinstance(relay, tuple):
        return relay
    target = extension_id(cluster_facts.cluster, wanted.name)
    properties: dict[str, Any] = {
        "extensionType": EXTENSION_TYPE,
        **_version(wanted),
        "releaseTrain": wanted.release_train,
        "scope": {"cluster": {"releaseNamespace": RELEASE_NAMESPACE}},
        "configurationSettings": {**relay[0], **plain},
    }
    protected = {**relay[1], **secrets.values}
    if protected:
        properties["configurationProtectedSettings"] = protected
    step.intend("create", target)
    answer = arm.put(target, arm.EXTENSIONS_API, {**_identity(cluster_facts), "properties": properties})
    value = {"extensionId": target, "protected": references(wanted, names)}
    made = (Created(EXTENSION, target),)
    told = (*findings, *secrets.findings)
    return Done(value, created=made, findings=told, operation_url=answer.operation_url)


def _update(
    step: StepAtWork,
    wanted: Wanted,
    cluster_facts: ClusterFacts,
    found: Mapping[str, Any],
    findings: list[Finding],
) -> Outcome:
    target, before = str(found.get("id")), found.get("properties", {})
    changes = settings_to_change(wanted, cluster_facts, before)
    names: tuple[str, ...] = protected_to_send(wanted)
    if names:
        # Protected settings are replaced as a whole: what this PATCH leaves out is lost.
        earlier = sent_by_earlier_operations(step, wanted)
        wanted = replace(wanted, protected={**earlier, **wanted.protected})
        names = (*names, *earlier)
        findings.append(_cannot_see_protected(names))
    secrets = protected_settings(wanted, names, step.facts)
    if not isinstance(secrets, Secrets):
        return secrets
    properties: dict[str, Any] = {"configurationSettings": changes} if changes else {}
    if wanted.version is not None:
        properties |= _version(wanted)
    if wanted.release_train.lower() not in ("stable", str(before.get("releaseTrain") or "").lower()):
        properties["releaseTrain"] = wanted.release_train
    if secrets.values:
        relay = relay_parts(step)
        if not isinstance(relay, tuple):
            return relay
        properties["configurationProtectedSettings"] = {**relay[1], **secrets.values}
    step.intend("update", target)
    answer = arm.patch(target, arm.EXTENSIONS_API, {"properties": properties})
    findings += update_findings(wanted, changes, before, bool(secrets.values))
    value = {
        "extensionId": target,
        "protected": references(wanted, names),
        "updated": True,
        "replaced": _replaced(changes, before),
    }
    changed = [*changes, *secrets.values, *(k for k in ("version", "releaseTrain") if k in properties)]
    detail = f"changed: {', '.join(sorted(changed))}"
    return Done(value, detail, findings=(*findings, *secrets.findings), operation_url=answer.operation_url)


def references(wanted: Wanted, names: Iterable[str]) -> dict[str, str]:
    """What a step keeps of protected settings: names and ids of secrets, by which they can be sent again."""
    return {name: wanted.protected[name] for name in names}


def references_sent(step: StepAtWork, wanted: Wanted, *, update: bool) -> dict[str, str]:
    """The same for an attempt that was cut short after it had sent them."""
    sent = references(wanted, protected_to_send(wanted))
    return {**sent_by_earlier_operations(step, wanted), **sent} if update and sent else sent


def _identity(cluster_facts: ClusterFacts) -> dict[str, Any]:
    """An Arc cluster's extension has an identity of its own and a region; on AKS the service sees to both."""
    if not cluster_facts.connected:
        return {}
    return {"identity": {"type": "SystemAssigned"}, "location": cluster_facts.location}


def _version(wanted: Wanted) -> dict[str, Any]:
    if wanted.version is None:
        return {"autoUpgradeMinorVersion": True}
    return {"autoUpgradeMinorVersion": False, "version": wanted.version}


def _cluster(step: StepAtWork) -> ArmId:
    return parse_arm_id(str(step.operation.cluster_id), MANAGED_CLUSTER, CONNECTED_CLUSTER)


def _facts(step: StepAtWork) -> ClusterFacts:
    resolved = step.operation.value("resolve")
    return facts(_cluster(step), str(resolved["clusterLocation"]), resolved.get("cluster"))


def sent_by_earlier_operations(step: StepAtWork, wanted: Wanted) -> dict[str, str]:
    """Protected settings that our own earlier operations sent and this request does not name, newest first."""
    found: dict[str, str] = {}
    given = {protected_name(name) for name in wanted.protected}
    asked = Filter(cluster_id=step.operation.cluster_id)
    for operation in operation_list.page(asked, _MOST_RECORDS).operations:
        installed = operation.step("install_extension")
        if operation.id == step.operation.id or installed is None or installed.status != SUCCEEDED:
            continue
        made = [created for created in operation.created if created.type == EXTENSION]
        if any(created.undone for created in made):
            break
        for name, secret_id in (installed.value.get("protected") or {}).items():
            if protected_name(name) not in given:
                found.setdefault(name, secret_id)
        if made:
            break  # It was installed then: nothing older is in it.
    return found


def _cannot_see_protected(names: tuple[str, ...]) -> Finding:
    return Finding(
        "protectedSettings",
        UNKNOWN,
        f"Protected settings are replaced as a whole; sent: {', '.join(sorted(names))}. Others, set without Moor, "
        "cannot be seen and are lost.",
        remedy="Name them in the request, too, if there are any.",
    )


def _replaced(changes: Mapping[str, str], before: Mapping[str, Any]) -> dict[str, str | None]:
    """The plain settings that a change replaces, for an undo; what looks like a secret is left out."""
    actual = before.get("configurationSettings") or {}
    values = {name: actual.get(name) for name in changes if secret_name(name) is None}
    return {name: value for name, value in values.items() if value is None or not looks_secret(str(value))}


def _settings_refused(step: StepAtWork, failed: list[Finding]) -> Problem:
    problem = make_problem("ExtensionSettingsRefused", {**step.facts, "reasons": " ".join(f.message for f in failed)})
    remedies = " ".join(f.remedy for f in failed if f.remedy)
    return replace(problem, remedy=remedies or problem.remedy)
