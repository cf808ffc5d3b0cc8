"""The relay of an Azure Arc cluster: made before the extension, which needs its connection string; planned, reverted.

The connection string is fetched right before it is sent and kept nowhere afterwards.

``ensure_relay`` is no until although it waits for the cluster's claim, and for a namespace to be made: it makes the
next thing as soon as the one before exists, under the claim. Its calls after the fifth are an until of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from activities.runtime import locks
from activities.runtime.step import StepAtWork, wait_for_earlier_attempt
from activities.runtime.undo import revert
from domain.access.relay import (
    API_VERSION,
    CONNECTION_ID_SETTING,
    CONNECTION_STRING_SETTING,
    HYBRID_CONNECTION,
    OWN_CONNECTION_STRING,
    RELAY_RULE,
    Relay,
    RelayAllowed,
    connection_body,
    may_use,
    namespace_body,
    no_other,
    relay_in,
    relay_of,
    relay_settings,
    rule_body,
)
from domain.arm_ids import CONNECTED_CLUSTER, RELAY, ArmId, parse_arm_id
from domain.catalogue.explain import make_problem
from domain.extension.wanted import REQUIRE, wanted_extension
from domain.operation.outcomes import (
    Again,
    Created,
    Done,
    Outcome,
    Stop,
)
from domain.operation.plan import PlannedChange
from domain.operation.results import RelayEnsured
from domain.problems import Problem
from domain.redaction import learn
from gateways import policy
from gateways.azure import arm
from gateways.azure.arm import ArmError
from gateways.azure.extensions import find_extension
from gateways.policy import PolicyUnavailable
from gateways.storage import claims

_FAILED = frozenset({"failed", "canceled", "disabled"})


def ensure_relay(step: StepAtWork) -> Outcome:
    """Have namespace, hybrid connection and authorisation rule of an Arc cluster, as the CLI makes them."""
    cluster = step.operation.cluster
    needless = _needless(step, cluster)
    if needless is not None:
        return Done(detail=needless, skipped=True)
    installed = find_extension(cluster)
    refused = relay_refused(step, installed)
    if refused is not None:
        return Stop(refused)
    target = claims.extension_target(str(cluster))
    found = _relay_of(installed)
    if found is not None:
        # Whoever is installing it reverts its relay with it, should that fail.
        other = locks.reserve(target, step.operation.id)
        if other is not None:
            return locks.wait_for(other)
        if find_extension(cluster) is None:
            return Again(None, "the extension has just been removed")
        return Done(_value(found) if found.namespace else None, "the extension exists already", skipped=True)
    # Whoever installs the extension makes its relay: two at once would both take it for theirs.
    other = locks.obtain(target, step.operation.id)
    if other is not None:
        return locks.wait_for(other)
    if find_extension(cluster) is not None:
        return Again(None, "the extension has just been installed")
    return _make(step, relay_of(_as_spelt(step, cluster)), str(step.operation.resolved.cluster_location))


def planned_relay(step: StepAtWork) -> list[PlannedChange]:
    """What ``ensure_relay`` would make. Raises ArmError."""
    cluster = step.operation.cluster
    if _needless(step, cluster) is not None or find_extension(cluster) is not None:
        return []
    relay = relay_of(_as_spelt(step, cluster))
    missing = [
        t for t in (relay.namespace, relay.connection, relay.rule) if arm.find(arm.path_of(t), API_VERSION) is None
    ]
    return [PlannedChange("ensure_relay", "create", target, "the way to an Azure Arc cluster") for target in missing]


def planned_relay_id(step: StepAtWork) -> str | None:
    """Id of the relay namespace that the cluster has or is to get; None when it has none.

    Raises ArmError, and LookupError for a relay that is not the cluster's to use.
    """
    cluster = step.operation.cluster
    if _needless(step, cluster) is not None:
        return None
    installed = find_extension(cluster)
    if relay_refused(step, installed) is not None:
        raise LookupError("The extension of the cluster names a relay that is not the cluster's own.")
    found = _relay_of(installed)
    return (found or relay_of(_as_spelt(step, cluster))).namespace or None


def relay_parts(step: StepAtWork) -> tuple[dict[str, str], dict[str, str]] | Again | Stop:
    """What the extension of an Arc cluster is sent about its relay: plain settings, protected settings (a secret).

    Both are empty when there is no relay to tell of. Raises ArmError.
    """
    ensured = step.operation.result_of(RelayEnsured)
    if ensured is None:
        return {}, {}
    named = {"properties": {"configurationSettings": {CONNECTION_ID_SETTING: ensured.connection_id}}}
    refused = relay_refused(step, named)
    if refused is not None:
        return Stop(refused)
    relay = Relay(ensured.namespace_id, ensured.connection_id)
    try:
        keys = arm.post(arm.path_of(relay.rule, RELAY_RULE).below("listKeys"), API_VERSION)
    except ArmError as error:
        if error.not_found:
            return Stop(make_problem("RelayGone", {**step.facts, "relay": relay.namespace}, error.answer))
        raise
    connection = str(keys.body["primaryConnectionString"])
    learn(connection)
    learn(connection.partition("SharedAccessKey=")[2])
    return relay_settings(relay), {CONNECTION_STRING_SETTING: connection}


def undo_relay(step: StepAtWork) -> Outcome:
    """Remove what this operation made of the relay, unless the cluster still has an extension that works with it."""
    return revert(step, (RELAY, HYBRID_CONNECTION, RELAY_RULE), API_VERSION, _extension_left)


def _extension_left(step: StepAtWork) -> str | None:
    return "The cluster's extension works with it." if find_extension(step.operation.cluster) is not None else None


def _make(step: StepAtWork, relay: Relay, location: str) -> Outcome:
    """Each part that is not there; what was there before stays as it is and is not ours."""
    made: list[Created] = []
    intended = {i.resource_id.lower() for i in step.record.intents}
    parts: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
        (RELAY, relay.namespace, namespace_body(location)),
        (HYBRID_CONNECTION, relay.connection, connection_body()),
        (RELAY_RULE, relay.rule, rule_body()),
    )
    for kind, target, body in parts:
        path = arm.path_of(target, kind)
        found = arm.find(path, API_VERSION)
        if found is None:
            if target.lower() in intended:
                too_early = wait_for_earlier_attempt(step)
                if too_early is not None:
                    return too_early
            step.intend("create", target)
            found = arm.put(path, API_VERSION, body)
            made.append(Created(kind, target))
        elif target.lower() in intended:
            made.append(Created(kind, target))
        state = str((found.body.get("properties") or {}).get("provisioningState") or "").lower()
        if state in _FAILED:
            return Stop(make_problem("RelayFailed", {**step.facts, "relay": target, "state": state}))
        if kind == RELAY and state != "succeeded":
            return Again(None, f"the relay namespace is {state or 'being made'}")
    detail = None if made else "the relay exists already"
    return Done(_value(relay), detail, tuple(made))


def _needless(step: StepAtWork, cluster: ArmId) -> str | None:
    """Why no relay is to be made, if it is not."""
    if cluster.resource_type != CONNECTED_CLUSTER:
        return "only Azure Arc clusters are reached through a relay"
    wanted = wanted_extension(step.operation.attach_request)
    if OWN_CONNECTION_STRING in wanted.protected or wanted.settings.get("relayserver.enabled", "").lower() == "false":
        return "the request brings its own connection, or wants no relay"
    if wanted.manage == REQUIRE and find_extension(cluster) is None:
        return "the extension is not there, and the request says never to install it"
    return None


def allowed_relays(step: StepAtWork) -> RelayAllowed:
    """Which relays the policy lets the operation use besides the cluster's own: none while the policy is unknown."""
    try:
        return policy.relays_of(str(step.operation.workspace_id))
    except PolicyUnavailable:
        return no_other


def relay_refused(step: StepAtWork, extension: Mapping[str, Any] | None) -> Problem | None:
    """Why the relay that an existing extension names is neither read nor granted on; None when it may be used.

    Who may write the extension's settings may name any relay there: its keys would go into the cluster, and the
    workspace's identity would get a role on it.
    """
    try:
        relay = _relay_of(extension)
    except ValueError:
        return make_problem("RelayNotOwn", step.facts)
    if relay is None or not relay.namespace or may_use(relay, step.operation.cluster, allowed_relays(step)):
        return None
    return make_problem("RelayNotOwn", step.facts)


def _relay_of(extension: Mapping[str, Any] | None) -> Relay | None:
    """The relay that an extension names, empty when it names none; None when there is no extension.

    Raises ValueError when what it names is no relay.
    """
    if extension is None:
        return None
    properties = extension.get("properties") or {}
    return relay_in(properties.get("configurationSettings") or {}) or Relay("", "")


def _value(relay: Relay) -> RelayEnsured:
    return RelayEnsured(relay.namespace, relay.connection)


def _as_spelt(step: StepAtWork, cluster: ArmId) -> ArmId:
    """The cluster's id in ARM's own spelling: the relay's name follows from it, letter case included."""
    spelt = step.operation.resolved.cluster_spelling
    return parse_arm_id(str(spelt), CONNECTED_CLUSTER) if spelt else cluster
