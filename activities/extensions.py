"""The cluster extension Microsoft.AzureML.Kubernetes: installed when missing, adopted when it serves, or updated."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from activities import holding
from activities.extension_change import CannotGoOn, change_extension, install_again, is_to_change, passes, wanted_of
from activities.long_running import WAITING, poll
from activities.steps import StepAtWork
from domain.arm_ids import EXTENSION, MANAGED_CLUSTER, ArmId, extension_id, parse_arm_id
from domain.extension_settings import EXTENSION_TYPE, UPDATE, Wanted
from domain.extension_settings.changes import difference
from domain.extension_settings.checks import UNKNOWN, WARNING
from domain.extension_settings.keys import CERTIFICATE
from domain.operations import Intent
from domain.outcomes import Again, Created, Done, Finding, Outcome, Stop
from domain.problems import AzureAnswer, Problem
from gateways import arm, claims

API = arm.EXTENSIONS_API
_HELD_PAUSE = 30.0


def install_extension(step: StepAtWork) -> Outcome:
    """Have the extension on the cluster as the request says: adopt it, change it, install it, or only look."""
    cluster, wanted = _cluster(step), wanted_of(step)
    # Held before it is looked at: nobody of ours can remove, after the look, what the look has found.
    changing = is_to_change(wanted, _find(cluster))
    hold = holding.obtain if changing else holding.reserve
    other = hold(claims.extension_target(str(cluster)), step.operation.id)
    if other is not None:
        return Again(_HELD_PAUSE, f"operation {other.id} has the cluster's extension in hand")
    found = _find(cluster)
    if not changing and is_to_change(wanted, found):
        return Again(None, "the extension has just been removed or changed")
    if found is None:
        return change_extension(step, None) if changing else Stop(_missing(cluster, wanted))
    if step.intent is not None and _got_through(step.intent, wanted, found):
        return _earlier_attempt(step.intent, found)
    unready = _unready(found)
    if unready is not None:
        return unready
    if is_to_change(wanted, found):
        return change_extension(step, found)
    return _adopt(wanted, found)


def extension_ready(step: StepAtWork) -> Outcome:
    """See the installation through: the operation has ended and the extension itself says Succeeded."""
    value = step.operation.value("install_extension")
    progress = poll(value.get("operationUrl"))
    if progress.state == WAITING:
        return Again(progress.retry_after, "the extension is being installed")
    found = arm.find(value["extensionId"], API)
    if found is None:
        if progress.error is not None:
            return Stop(_install_failed(value["extensionId"], {}, progress.error))
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
    problem = _install_failed(value["extensionId"], extension, error)
    ours = value.get("updated") or any(c.type == EXTENSION for c in step.operation.created)
    if ours and passes(problem.message, error.message if error else None):
        try:
            return install_again(step, value["extensionId"])
        except CannotGoOn as end:
            return end.outcome
    return Stop(problem)


def _cluster(step: StepAtWork) -> ArmId:
    return parse_arm_id(str(step.operation.cluster_id), MANAGED_CLUSTER)


def _find(cluster: ArmId) -> Mapping[str, Any] | None:
    """The cluster's extension of our type, whatever its name: a cluster has one at most."""
    for item in arm.items(f"{cluster}/providers/{EXTENSION}", API):
        if str(item.get("properties", {}).get("extensionType", "")).lower() == EXTENSION_TYPE.lower():
            return item
    return None


def _state(body: Mapping[str, Any]) -> str:
    return str(body.get("properties", {}).get("provisioningState", "")).lower()


def _unready(found: Mapping[str, Any]) -> Outcome | None:
    state = _state(found)
    if state in ("failed", "canceled"):
        return Stop(_install_failed(str(found.get("id")), found, None))
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


def _earlier_attempt(intent: Intent, found: Mapping[str, Any]) -> Done:
    target = str(found.get("id"))
    detail = "an earlier attempt of this step got through"
    if intent.action == "create":
        return Done({"extensionId": target}, detail, (Created(EXTENSION, target),))
    return Done({"extensionId": target, "updated": True}, detail)


def _adopt(wanted: Wanted, found: Mapping[str, Any]) -> Outcome:
    target, properties = str(found.get("id")), found["properties"]
    differences = difference(wanted, properties)
    if differences:
        return Stop(_differs(target, [str(d) for d in differences], wanted))
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


def _missing(cluster: ArmId, wanted: Wanted) -> Problem:
    return Problem(
        code="ExtensionMissing",
        message=f"The cluster {cluster.name} has no extension {EXTENSION_TYPE}, and the request says never to install it.",
        remedy="Install the extension, or set manage to ensure; then start the attach again.",
        command=f"az resource show --ids {extension_id(cluster, wanted.name)}",
    )


def _differs(target: str, differences: list[str], wanted: Wanted) -> Problem:
    settings = " ".join(f"{name}={value}" for name, value in sorted(wanted.settings.items()))
    _, _, subscription, _, group, _, _, kind, name, *_, extension = target.split("/")
    return Problem(
        code="ExtensionDiffers",
        message=f"The cluster has the extension already, but not as needed: {'; '.join(differences)}.",
        remedy=f"Update the extension's settings (manage={UPDATE} does it), then start the attach again.",
        command=f"az k8s-extension update --subscription {subscription} --resource-group {group} --cluster-name {name} "
        f"--cluster-type {kind} --name {extension} --configuration-settings {settings}",
    )


def _install_failed(step: StepAtWork, extension: Mapping[str, Any], error: AzureAnswer | None) -> Problem:
    properties = extension.get("properties", {})
    said = answers_in(properties.get("errorInfo") or {})
    for status in properties.get("statuses") or []:
        if str(status.get("level", "")).lower() == "error":
            said += answers_in(status)
    name = {"extension": str(extension["name"])} if extension.get("name") else {}
    return explain(catalogue.EXTENSION, [*said, *([error] if error else [])], {**step.facts, **name})
