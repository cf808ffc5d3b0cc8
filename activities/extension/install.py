"""The cluster extension Microsoft.AzureML.Kubernetes: install, adopt or change it; plan, revert, remove."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from activities.access.relay import relay_parts, relay_refused
from activities.extension.failed import (
    delete_failed,
    has_failed,
    is_being_replaced,
    last_sent,
    left_failed,
    may_be_replaced,
    replaced_finding,
    state_of,
    why_failed,
    with_evidence,
)
from activities.extension.protected_settings import (
    Secrets,
    protected_problem,
    protected_settings,
    references,
    references_possible,
    references_sent,
)
from activities.extension.update import update_extension
from activities.runtime import locks
from activities.runtime.dependents import user_of_cluster
from activities.runtime.pauses import shows_by_now
from activities.runtime.step import StepAtWork, wait_for_earlier_attempt
from activities.runtime.undo import (
    REMOVING,
    attaches,
    clean_up,
    is_deleting,
    kept_behind,
    made_by,
    planned_clean_up,
    revert_in_time,
)
from domain.arm_ids import CONNECTED_CLUSTER, EXTENSION, ArmId, extension_id
from domain.catalogue.explain import make_problem
from domain.extension.changes import difference, is_to_change, settings_to_change
from domain.extension.checks import FAIL, UNKNOWN, WARNING, check_on_cluster
from domain.extension.cluster_facts import ClusterFacts, facts
from domain.extension.keys import CERTIFICATE
from domain.extension.wanted import EXTENSION_TYPE, RELEASE_NAMESPACE, UPDATE, Wanted, wanted_extension
from domain.extension.wire import protected_to_send, version_properties, wire_settings
from domain.operation.outcomes import Again, Back, Created, Done, Finding, Outcome, Stop
from domain.operation.plan import PlannedChange
from domain.operation.record import Intent
from domain.operation.results import ExtensionSent
from domain.operation.steps import INSTALL_EXTENSION, REMOVE_EXTENSION
from domain.preflight.facts import ExtensionFacts
from domain.problems import AzureAnswer, Problem
from gateways import clock
from gateways.azure import arm
from gateways.azure.extensions import find_extension, offers_type
from gateways.azure.long_running import WAITING, poll
from gateways.settings import read_hard_checks
from gateways.storage import claims

API = arm.EXTENSIONS_API
_REMOVAL_PAUSE = 15.0
# What passes takes about an hour (troubleshooting guide): a step may go back five times, a quarter of an hour apart.
_SENT_AGAIN_AFTER, _PAUSE = 900.0, 300.0


def install_extension(step: StepAtWork) -> Outcome:
    """Have the extension on the cluster as the request says: adopt it, change it, install it, or only look."""
    target = claims.extension_target(str(step.operation.cluster))
    outcome = _have(step, wanted_extension(step.operation.attach_request), target)
    if isinstance(outcome, Stop):
        # Who stops relies on nothing: whoever has installed the extension may revert that.
        claims.unreserve(target, step.operation.id)
    return outcome


def _have(step: StepAtWork, wanted: Wanted, target: str) -> Outcome:
    cluster = step.operation.cluster
    # Held before it is looked at, and both in the call that sends: nobody of ours removes what the look has found. So
    # the wait for the claim is no until of the list; calls after the fifth are one (orchestrators/run.py).
    before = find_extension(cluster)
    changing = is_to_change(wanted, before) or may_be_replaced(step, wanted, before)
    hold = locks.obtain if changing else locks.reserve
    other = hold(target, step.operation.id)
    if other is not None:
        return locks.wait_for(other)
    found = find_extension(cluster)
    if not changing and is_to_change(wanted, found):
        return Again(None, "the extension has just been removed or changed")
    if found is None:
        return _change(step, wanted, None) if changing else Stop(_missing(step, wanted))
    sent = last_sent(step)
    if sent is not None and step.begins_again and has_failed(found):
        # Azure has failed what this operation sent; the installation itself is sent again, not a change of it.
        return _change(step, wanted, None if sent.action == "create" else found)
    if sent is not None and _got_through(sent, wanted, found):
        return _earlier_attempt(step, wanted, found, sent)
    if changing and may_be_replaced(step, wanted, found):
        return delete_failed(step, found)
    if is_being_replaced(step) and is_deleting(found):
        return Again(_REMOVAL_PAUSE, REMOVING)
    unready = _unready(step, found)
    if unready is not None:
        return unready
    if is_to_change(wanted, found):
        return _change(step, wanted, found)
    return _adopt(step, wanted, found)


def outlook(step: StepAtWork) -> tuple[ExtensionFacts, PlannedChange | None]:
    """What ``install_extension`` would come to now, and what it would change; nothing is held. Raises ArmError."""
    wanted = wanted_extension(step.operation.attach_request)
    found = find_extension(step.operation.cluster)
    unready = _at_first_sight(step, wanted, found)
    if isinstance(unready, Stop):
        # Of an operation that is at work on it the next thing is to send it again, or to revert it: the attach waits.
        other = locks.changing(claims.extension_target(str(step.operation.cluster)), step.operation.id)
        found = find_extension(step.operation.cluster)  # As it is once that operation has ended.
        unready = locks.wait_for(other) if other is not None else _at_first_sight(step, wanted, found)
    if isinstance(unready, Stop) and found is not None and may_be_replaced(step, wanted, found):
        again = PlannedChange("install_extension", "create", str(found.get("id")), f"installs {EXTENSION_TYPE} again")
        told = (replaced_finding(wanted, found), *_settings_findings(step, wanted))
        return ExtensionFacts(change="installed", findings=told), again
    if isinstance(unready, Stop):
        return ExtensionFacts(problem=unready.problem), None
    foreign = relay_refused(step, found) if step.operation.cluster.resource_type == CONNECTED_CLUSTER else None
    if foreign is not None:
        return ExtensionFacts(problem=foreign), None
    change = _planned(step, wanted, found)
    lost = protected_problem(step.operation, found, step.facts) if change is not None and found is not None else None
    if lost is not None:
        return ExtensionFacts(problem=lost), None
    if found is None and offers_type(step.operation.cluster) is False:
        return ExtensionFacts(problem=make_problem("ExtensionTypeNotInRegion", step.facts)), None
    waits = unready.detail if isinstance(unready, Again) else None
    if change is not None:
        done = "installed" if change.action == "create" else "changed"
        return ExtensionFacts(waits=waits, change=done, findings=tuple(_settings_findings(step, wanted))), change
    problem = _differs(step, wanted, found) if found is not None and waits is None else None
    return ExtensionFacts(problem=problem, waits=waits), None


def extension_ready(step: StepAtWork) -> Outcome:
    """See the installation through: the operation has ended and the extension itself says Succeeded."""
    sent = step.operation.needed(ExtensionSent)
    progress = poll(step.operation.operation_url("install_extension"))
    if progress.state == WAITING:
        return Again(progress.retry_after, "the extension is being installed")
    found = arm.find(arm.path_of(sent.extension_id, EXTENSION), API)
    if found is None:
        if progress.error is not None:
            return _failed(step, sent, {}, progress.answers)
        return Again(None, "the extension does not show yet")
    state = state_of(found.body)
    if state == "succeeded":
        return Done()
    if state in ("failed", "canceled") or (progress.error is not None and state not in ("creating", "updating")):
        return _failed(step, sent, found.body, progress.answers)
    return Again(None, f"the extension is {found.body['properties'].get('provisioningState')}")


def _failed(step: StepAtWork, sent: ExtensionSent, extension: Mapping[str, Any], said: list[AzureAnswer]) -> Outcome:
    problem = why_failed(step, sent.protected, extension, said)
    ours = sent.updated or any(c.type == EXTENSION for c in step.operation.created)
    if not ours or not (problem.transient or step.failed_before):
        return Stop(*with_evidence(step, problem, updated=sent.updated))
    left = _SENT_AGAIN_AFTER - _since_sent(step)
    if left > 0 and not step.failed_before:
        return Again(min(left, _PAUSE), f"to be sent again, after this: {problem.message}")
    return Back(INSTALL_EXTENSION.name, f"sent again, after this: {problem.message}", problem)


def _since_sent(step: StepAtWork) -> float:
    """Seconds since this operation sent the installation or the change."""
    install = step.operation.step(INSTALL_EXTENSION.name)
    intents = install.intents if install is not None else ()
    return (clock.now() - intents[-1].time).total_seconds() if intents else _SENT_AGAIN_AFTER


def undo_extension(step: StepAtWork) -> Outcome:
    """Remove the extension that this operation installed, unless somebody else relies on it by now."""
    return revert_in_time(step, EXTENSION, API, _in_use)


def _in_use(step: StepAtWork) -> str | None:
    holder = locks.obtain(claims.extension_target(str(step.operation.cluster_id)), step.operation.id)
    return f"Operation {holder.id} relies on it." if holder is not None else user_of_cluster(step.operation)


@clean_up("extension")
def remove_extension(step: StepAtWork, cluster: ArmId) -> Outcome:
    """Remove the extension that Moor installed on the cluster, when no attachment in any visible workspace uses it."""
    target = _installed(step, cluster)
    path = arm.path_of(target, EXTENSION) if target else None
    found = arm.find(path, API) if path else None
    if target is None or path is None or found is None:
        gone = bool(step.record.intents)
        return Done(detail="removed" if gone else "Moor installed none that is still there", skipped=not gone)
    if is_deleting(found.body):
        return Done(detail=REMOVING)
    why = _in_use(step)
    if why is not None:
        return kept_behind(step, [target], why)
    step.intend("delete", target)
    answer = arm.delete(path, API)
    return Done(detail=REMOVING, operation_url=answer.operation_url)


@clean_up("extension")
def extension_gone(step: StepAtWork, cluster: ArmId) -> Outcome:
    """See the removal of the extension through."""
    removal = step.operation.step(REMOVE_EXTENSION.name)
    intent = removal.intent if removal is not None else None
    if intent is None:
        return Done(detail="this operation removes none", skipped=True)
    found = arm.find(arm.path_of(intent.resource_id, EXTENSION), API)
    if found is None:
        return Done(detail="removed")
    if shows_by_now(intent.time) and not is_deleting(found.body) and step.may_go_back(REMOVE_EXTENSION.name):
        return Back(REMOVE_EXTENSION.name, f"the extension is {state_of(found.body)}")
    return Again(_REMOVAL_PAUSE, REMOVING)


@planned_clean_up("extension", "remove_extension")
def planned_extension_removal(step: StepAtWork, cluster: ArmId) -> list[str]:
    """What ``remove_extension`` removes. Raises ArmError for what may pass."""
    target = _installed(step, cluster)
    if target is None or arm.find(arm.path_of(target, EXTENSION), API) is None:
        return []
    held = claims.read(claims.extension_target(str(cluster))) is not None
    used = held or user_of_cluster(step.operation, without_own=True) is not None
    return [] if used else [target]


def _installed(step: StepAtWork, cluster: ArmId) -> str | None:
    """Id of the extension that Moor installed on the cluster; None when it did not."""
    installed = (each for maker in attaches(step.operation, cluster) for each in made_by(maker, (EXTENSION,)))
    return next(installed, None)


def _planned(step: StepAtWork, wanted: Wanted, found: Mapping[str, Any] | None) -> PlannedChange | None:
    """What ``install_extension`` changes, by the extension as it is; None when nothing."""
    if not is_to_change(wanted, found):
        return None
    if found is None:
        target = extension_id(step.operation.cluster, wanted.name)
        return PlannedChange("install_extension", "create", target, f"installs {EXTENSION_TYPE}")
    changes = settings_to_change(wanted, _facts(step), found.get("properties", {}))
    named = ", ".join(sorted([*changes, *protected_to_send(wanted)])) or "its version or release train"
    return PlannedChange("install_extension", "update", str(found.get("id")), f"changes {named}")


def _settings_findings(step: StepAtWork, wanted: Wanted) -> list[Finding]:
    """What is to be said of the extension's settings on this cluster before it is installed or changed."""
    operation = step.operation
    asked = (operation.request.get("extension") or {}).get("configurationSettings") or {}
    there = {*wanted.settings} - {*asked} if operation.kind == "reattach" else ()
    return check_on_cluster(wanted, _facts(step), read_hard_checks(), there)


def _change(step: StepAtWork, wanted: Wanted, found: Mapping[str, Any] | None) -> Outcome:
    """Install the extension, or change the existing one, unless a rule speaks against it."""
    cluster_facts, findings = _facts(step), _settings_findings(step, wanted)
    failed = [f for f in findings if f.outcome == FAIL]
    if failed:
        return Stop(_settings_refused(step, failed), tuple(findings))
    too_early = wait_for_earlier_attempt(step)
    if too_early is not None:
        return too_early
    if found is None:
        return _install(step, wanted, cluster_facts, findings)
    return update_extension(step, wanted, cluster_facts, found, findings)


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
        **version_properties(wanted),
        "releaseTrain": wanted.release_train,
        "scope": {"cluster": {"releaseNamespace": RELEASE_NAMESPACE}},
        "configurationSettings": {**relay[0], **plain},
    }
    protected = {**relay[1], **secrets.values}
    if protected:
        properties["configurationProtectedSettings"] = protected
    step.intend("create", target)
    answer = arm.put(target, arm.EXTENSIONS_API, {**_identity(cluster_facts), "properties": properties})
    value = ExtensionSent(target, references(wanted, names))
    made = (Created(EXTENSION, target),)
    told = (*findings, *secrets.findings)
    return Done(value, created=made, findings=told, operation_url=answer.operation_url)


def _identity(cluster_facts: ClusterFacts) -> dict[str, Any]:
    """An Arc cluster's extension has an identity of its own and a region; on AKS the service sees to both."""
    if not cluster_facts.connected:
        return {}
    return {"identity": {"type": "SystemAssigned"}, "location": cluster_facts.location}


def _facts(step: StepAtWork) -> ClusterFacts:
    resolved = step.operation.resolved
    return facts(step.operation.cluster, str(resolved.cluster_location), resolved.cluster)


def _settings_refused(step: StepAtWork, failed: list[Finding]) -> Problem:
    problem = make_problem("ExtensionSettingsRefused", {**step.facts, "reasons": " ".join(f.message for f in failed)})
    remedies = " ".join(f.remedy for f in failed if f.remedy)
    return replace(problem, remedy=remedies or problem.remedy)


def _at_first_sight(step: StepAtWork, wanted: Wanted, found: Mapping[str, Any] | None) -> Stop | Again | None:
    """What an attach that finds the extension so would come to at once; None when it would do something."""
    if found is not None:
        return _unready(step, found)
    return None if is_to_change(wanted, None) else Stop(_missing(step, wanted))


def _unready(step: StepAtWork, found: Mapping[str, Any]) -> Stop | Again | None:
    if has_failed(found):
        return Stop(left_failed(step, references_possible(step.operation), found))
    state = state_of(found)
    if state != "succeeded":
        return Again(locks.HELD_PAUSE, f"somebody else is changing the extension ({state or 'state unknown'})")
    return None


def _got_through(intent: Intent, wanted: Wanted, found: Mapping[str, Any]) -> bool:
    """Whether what an earlier attempt of this step set out to do shows: it was cut short before it could say so."""
    if intent.action == "create":
        return True
    if difference(wanted, found["properties"]):
        return False
    changed = str((found.get("systemData") or {}).get("lastModifiedAt") or "")
    try:
        return datetime.fromisoformat(changed) >= intent.time
    except (ValueError, TypeError):
        return False


def _earlier_attempt(step: StepAtWork, wanted: Wanted, found: Mapping[str, Any], sent: Intent) -> Done:
    target, detail = str(found.get("id")), "an earlier attempt of this step got through"
    update = sent.action == "update"
    value = ExtensionSent(target, references_sent(step.operation, wanted, update=update), update)
    return Done(value, detail, () if update else (Created(EXTENSION, target),))


def _missing(step: StepAtWork, wanted: Wanted) -> Problem:
    return make_problem("ExtensionMissing", {**step.facts, "extension": wanted.name})


def _differs(step: StepAtWork, wanted: Wanted, found: Mapping[str, Any]) -> Problem | None:
    """How the existing extension is not what is asked for; None when it is."""
    differences = difference(wanted, found["properties"])
    if not differences:
        return None
    text = "; ".join(str(d) for d in differences)
    words = {**step.facts, "extension": str(found.get("id")).rsplit("/", 1)[-1], "difference": text}
    problem = make_problem("ExtensionDiffers", words)
    settings = shlex.join(f"{name}={value}" for name, value in sorted(wanted.settings.items()))
    return replace(problem, command=str(problem.command).replace("<settings>", settings))


def _adopt(step: StepAtWork, wanted: Wanted, found: Mapping[str, Any]) -> Outcome:
    problem = _differs(step, wanted, found)
    if problem is not None:
        return Stop(problem)
    target = str(found.get("id"))
    return Done(ExtensionSent(target), "the extension exists already", findings=_adopted(wanted, found))


def _adopted(wanted: Wanted, found: Mapping[str, Any]) -> tuple[Finding, ...]:
    findings = []
    train = str(found["properties"].get("releaseTrain") or "")
    if train and train.lower() != wanted.release_train.lower():
        findings.append(Finding("releaseTrain", WARNING, f"The extension is on the release train {train}."))
    if CERTIFICATE in wanted.protected:
        message = "The certificate that the extension has cannot be read and compared with the one in the vault."
        remedy = f"Set manage to {UPDATE} to send the one in the vault."
        findings.append(Finding("tlsCertificate", UNKNOWN, message, remedy=remedy))
    return tuple(findings)
