"""The cluster extension Microsoft.AzureML.Kubernetes: installed when missing, adopted when it serves, or updated."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from activities.extension.update import (
    change_again,
    change_extension,
    is_to_change,
    planned_extension,
    protected_problem,
    references_sent,
    settings_findings,
    wanted_of,
)
from activities.runtime import locks as holding
from activities.runtime.step import StepAtWork
from domain.arm_ids import CONNECTED_CLUSTER, EXTENSION, MANAGED_CLUSTER, ArmId, parse_arm_id
from domain.catalogue import entry as catalogue
from domain.catalogue.explain import explain, make_problem
from domain.extension.changes import difference
from domain.extension.checks import UNKNOWN, WARNING
from domain.extension.keys import CERTIFICATE
from domain.extension.wanted import EXTENSION_TYPE, UPDATE, Wanted
from domain.operation.outcomes import (
    Again,
    Created,
    Done,
    Finding,
    Outcome,
    Stop,
)
from domain.operation.plan import PlannedChange
from domain.operation.record import Intent
from domain.preflight.facts import ExtensionFacts
from domain.problems import AzureAnswer, Problem, answers_in
from gateways.azure import arm
from gateways.azure.long_running import WAITING, poll
from gateways.storage import claims

API = arm.EXTENSIONS_API
_HELD_PAUSE = 30.0


def install_extension(step: StepAtWork) -> Outcome:
    """Have the extension on the cluster as the request says: adopt it, change it, install it, or only look."""
    cluster, wanted = _cluster(step), wanted_of(step)
    # Held before it is looked at: nobody of ours can remove, after the look, what the look has found.
    changing = is_to_change(wanted, find_extension(cluster))
    hold = holding.obtain if changing else holding.reserve
    other = hold(claims.extension_target(str(cluster)), step.operation.id)
    if other is not None:
        return Again(_HELD_PAUSE, f"operation {other.id} has the cluster's extension in hand")
    found = find_extension(cluster)
    if not changing and is_to_change(wanted, found):
        return Again(None, "the extension has just been removed or changed")
    if found is None:
        return change_extension(step, None) if changing else Stop(_missing(step, wanted))
    if step.intent is not None and _got_through(step.intent, wanted, found):
        return _earlier_attempt(step, wanted, found)
    unready = _unready(step, found)
    if unready is not None:
        return unready
    if is_to_change(wanted, found):
        return change_extension(step, found)
    return _adopt(step, wanted, found)


def outlook(step: StepAtWork) -> tuple[ExtensionFacts, PlannedChange | None]:
    """What ``install_extension`` would come to now, and what it would change; nothing is held. Raises ArmError."""
    wanted, found = wanted_of(step), find_extension(_cluster(step))
    if found is None and not is_to_change(wanted, None):
        return ExtensionFacts(problem=_missing(step, wanted)), None
    unready = _unready(step, found) if found is not None else None
    if isinstance(unready, Stop):
        return ExtensionFacts(problem=unready.problem), None
    change = planned_extension(step, found)
    lost = protected_problem(step, found) if change is not None and found is not None else None
    if lost is not None:
        return ExtensionFacts(problem=lost), None
    waits = unready.detail if isinstance(unready, Again) else None
    if change is not None:
        done = "installed" if change.action == "create" else "changed"
        return ExtensionFacts(waits=waits, change=done, findings=tuple(settings_findings(step))), change
    problem = _differs(step, wanted, found) if found is not None and waits is None else None
    return ExtensionFacts(problem=problem, waits=waits), None


def extension_ready(step: StepAtWork) -> Outcome:
    """See the installation through: the operation has ended and the extension itself says Succeeded."""
    value = step.operation.value("install_extension")
    progress = poll(step.operation.operation_url("install_extension"))
    if progress.state == WAITING:
        return Again(progress.retry_after, "the extension is being installed")
    found = arm.find(value["extensionId"], API)
    if found is None:
        if progress.error is not None:
            return _failed(step, value, {}, progress.error)
        return Again(None, "the extension does not show yet")
    state = _state(found.body)
    if state == "succeeded":
        return Done({"version": found.body["properties"].get("currentVersion")})
    if state in ("failed", "canceled") or (progress.error is not None and state not in ("creating", "updating")):
        return _failed(step, value, found.body, progress.error)
    return Again(None, f"the extension is {found.body['properties'].get('provisioningState')}")


def _failed(
    step: StepAtWork, value: Mapping[str, Any], extension: Mapping[str, Any], error: AzureAnswer | None
) -> Outcome:
    problem = _install_failed(step, extension, error)
    ours = value.get("updated") or any(c.type == EXTENSION for c in step.operation.created)
    if ours and (problem.transient or step.failed_before):
        return change_again(step, str(value["extensionId"]), problem.message)
    return Stop(problem)


def _cluster(step: StepAtWork) -> ArmId:
    return parse_arm_id(str(step.operation.cluster_id), MANAGED_CLUSTER, CONNECTED_CLUSTER)


def find_extension(cluster: ArmId) -> Mapping[str, Any] | None:
    """The cluster's extension of our type, whatever its name: a cluster has one at most."""
    for item in arm.items(f"{cluster}/providers/{EXTENSION}", API):
        if str(item.get("properties", {}).get("extensionType", "")).lower() == EXTENSION_TYPE.lower():
            return item
    return None


def _state(body: Mapping[str, Any]) -> str:
    return str(body.get("properties", {}).get("provisioningState", "")).lower()


def _unready(step: StepAtWork, found: Mapping[str, Any]) -> Stop | Again | None:
    state = _state(found)
    if state in ("failed", "canceled"):
        return Stop(_install_failed(step, found, None))
    if state != "succeeded":
        return Again(_HELD_PAUSE, f"somebody else is changing the extension ({state or 'state unknown'})")
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


def _earlier_attempt(step: StepAtWork, wanted: Wanted, found: Mapping[str, Any]) -> Done:
    target, detail = str(found.get("id")), "an earlier attempt of this step got through"
    update = step.intent is not None and step.intent.action == "update"
    value = {"extensionId": target, "protected": references_sent(step, wanted, update=update)}
    if update:
        return Done({**value, "updated": True}, detail)
    return Done(value, detail, (Created(EXTENSION, target),))


def _missing(step: StepAtWork, wanted: Wanted) -> Problem:
    return make_problem("ExtensionMissing", {**step.facts, "extension": wanted.name})


def _differs(step: StepAtWork, wanted: Wanted, found: Mapping[str, Any]) -> Problem | None:
    """How the extension that is there is not what is asked for; None when it will do."""
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
    return Done({"extensionId": target}, "the extension is there already", findings=_adopted(wanted, found))


def _adopted(wanted: Wanted, found: Mapping[str, Any]) -> tuple[Finding, ...]:
    findings = []
    train = str(found["properties"].get("releaseTrain") or "")
    if train and train.lower() != wanted.release_train.lower():
        findings.append(Finding("releaseTrain", WARNING, f"The extension is on the release train {train}."))
    if CERTIFICATE in wanted.protected:
        findings.append(
            Finding(
                "tlsCertificate",
                UNKNOWN,
                "The certificate that the extension has cannot be read and compared with the one in the vault.",
                remedy=f"Set manage to {UPDATE} to send the one in the vault.",
            )
        )
    return tuple(findings)


def _install_failed(step: StepAtWork, extension: Mapping[str, Any], error: AzureAnswer | None) -> Problem:
    properties = extension.get("properties", {})
    said = answers_in(properties.get("errorInfo") or {})
    for status in properties.get("statuses") or []:
        if str(status.get("level", "")).lower() == "error":
            said += answers_in(status)
    name = {"extension": str(extension["name"])} if extension.get("name") else {}
    return explain(catalogue.EXTENSION, [*said, *([error] if error else [])], {**step.facts, **name})
