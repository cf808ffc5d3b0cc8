"""The cluster extension Microsoft.AzureML.Kubernetes: installed when missing, adopted when it serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from activities import holding
from activities.long_running import WAITING, poll, wait_for_earlier_attempt
from activities.steps import StepAtWork
from domain.arm_ids import EXTENSION, MANAGED_CLUSTER, ArmId, extension_id, parse_arm_id
from domain.azure_errors import answers_in
from domain.catalogue import entry as catalogue
from domain.catalogue.explain import explain, make_problem
from domain.extension_settings import (
    EXTENSION_NAME,
    EXTENSION_TYPE,
    RELEASE_NAMESPACE,
    RELEASE_TRAIN,
    difference_from_training,
    training_settings,
)
from domain.outcomes import Again, Created, Done, Outcome, Stop
from domain.problems import AzureAnswer, Problem
from gateways import arm, claims

API = arm.EXTENSIONS_API
_HELD_PAUSE = 30.0


def install_extension(step: StepAtWork) -> Outcome:
    """Have the extension on the cluster: adopt the one that is there, wait for whoever changes it, else install it."""
    cluster = _cluster(step)
    # Held before it is looked at: nobody of ours can remove, after the look, what the look has found.
    hold = holding.obtain if _find(cluster) is None else holding.reserve
    other = hold(claims.extension_target(str(cluster)), step.operation.id)
    if other is not None:
        return Again(_HELD_PAUSE, f"operation {other.id} has the cluster's extension in hand")
    found = _find(cluster)
    if found is not None:
        return _adopt(step, found)
    if hold is holding.reserve:
        return Again(None, "the extension has just been removed")
    too_early = wait_for_earlier_attempt(step)
    if too_early is not None:
        return too_early
    target = extension_id(cluster, EXTENSION_NAME)
    step.intend("create", target)
    answer = arm.put(target, API, _install_body(cluster, str(step.operation.value("resolve")["clusterLocation"])))
    return Done({"extensionId": target, "operationUrl": answer.operation_url}, created=(Created(EXTENSION, target),))


def extension_ready(step: StepAtWork) -> Outcome:
    """See the installation through: the operation has ended and the extension itself says Succeeded."""
    value = step.operation.value("install_extension")
    progress = poll(value.get("operationUrl"))
    if progress.state == WAITING:
        return Again(progress.retry_after, "the extension is being installed")
    found = arm.find(value["extensionId"], API)
    if found is None:
        if progress.error is not None:
            return Stop(_install_failed(step, {}, progress.error))
        return Again(None, "the extension does not show yet")
    state = _state(found.body)
    if state == "succeeded":
        return Done({"version": found.body["properties"].get("currentVersion")})
    if state in ("failed", "canceled") or progress.error is not None:
        return Stop(_install_failed(step, found.body, progress.error))
    return Again(None, f"the extension is {found.body['properties'].get('provisioningState')}")


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


def _adopt(step: StepAtWork, found: Mapping[str, Any]) -> Outcome:
    target = str(found.get("id"))
    state = _state(found)
    if step.intent is not None:
        created = (Created(EXTENSION, target),)
        return Done({"extensionId": target}, "an earlier attempt of this step got through", created)
    if state in ("failed", "canceled"):
        return Stop(_install_failed(step, found, None))
    if state != "succeeded":
        return Again(_HELD_PAUSE, f"somebody else is changing the extension ({state or 'state unknown'})")
    difference = difference_from_training(found["properties"].get("configurationSettings") or {})
    if difference:
        facts = {**step.facts, "extension": target.rsplit("/", 1)[-1], "difference": "; ".join(difference)}
        return Stop(make_problem("ExtensionDiffers", facts))
    return Done({"extensionId": target}, "the extension is there already")


def _install_body(cluster: ArmId, location: str) -> dict[str, Any]:
    return {
        "properties": {
            "extensionType": EXTENSION_TYPE,
            "autoUpgradeMinorVersion": True,
            "releaseTrain": RELEASE_TRAIN,
            "scope": {"cluster": {"releaseNamespace": RELEASE_NAMESPACE}},
            "configurationSettings": training_settings(cluster, location),
        }
    }


def _install_failed(step: StepAtWork, extension: Mapping[str, Any], error: AzureAnswer | None) -> Problem:
    properties = extension.get("properties", {})
    said = answers_in(properties.get("errorInfo") or {})
    for status in properties.get("statuses") or []:
        if str(status.get("level", "")).lower() == "error":
            said += answers_in(status)
    name = {"extension": str(extension["name"])} if extension.get("name") else {}
    return explain(catalogue.EXTENSION, [*said, *([error] if error else [])], {**step.facts, **name})
