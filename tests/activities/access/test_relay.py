"""The relay of an Arc cluster: made part by part before the extension, reverted unless the extension works with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from activities.access import relay
from activities.access.relay import ensure_relay, planned_relay, planned_relay_id, relay_parts, undo_relay
from activities.runtime import locks
from activities.runtime.step import StepAtWork
from domain.access.relay import (
    CONNECTION_ID_SETTING,
    CONNECTION_NAME_SETTING,
    CONNECTION_STRING_SETTING,
    relay_of,
)
from domain.arm_ids import EXTENSION, RELAY, parse_arm_id
from domain.operation.codec import encode
from domain.operation.outcomes import Again, Created, Done, Stop
from domain.operation.record import StepRecord
from domain.operation.results import RelayEnsured, Resolved
from gateways import policy
from local.policy import policy_of
from tests.activities.making import FakeArm, at_work, watch_intents
from tests.making import SUB, make_operation

ARC = f"/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.Kubernetes/connectedClusters/arc"
RELAY_HERE = relay_of(parse_arm_id(ARC))
PARTS = [RELAY_HERE.namespace, RELAY_HERE.connection, RELAY_HERE.rule]
EXTENSIONS = f"{ARC}/providers/{EXTENSION}"
KEEPS = {
    "id": f"{EXTENSIONS}/azureml",
    "name": "azureml",
    "properties": {"extensionType": "Microsoft.AzureML.Kubernetes"},
}
READY = {"properties": {"provisioningState": "Succeeded"}}


class ReadyAtOnce(FakeArm):
    """Azure makes a namespace in no time."""

    def put(self, target: str, version: str, body: Any) -> Any:
        return replace(super().put(target, version, body), body=READY)


@pytest.fixture(autouse=True)
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("obtain", "reserve"):
        monkeypatch.setattr(locks, name, lambda target, operation_id: None)


def ensuring(cluster: str = ARC, **extension: Any) -> StepAtWork:
    resolved = StepRecord("resolve", "do", value=encode(Resolved(cluster_location="westeurope")))
    return at_work("ensure_relay", earlier=(resolved,), cluster_id=cluster, request={"extension": extension})


def test_each_part_that_is_missing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    intents, azure = watch_intents(monkeypatch), ReadyAtOnce({PARTS[0]: READY}).install(monkeypatch)
    assert [change.resource_id for change in planned_relay(ensuring())] == PARTS[1:]
    assert planned_relay_id(ensuring()) == PARTS[0]
    outcome = ensure_relay(ensuring())
    assert isinstance(outcome, Done)
    assert [created.id for created in outcome.created] == PARTS[1:]
    assert outcome.value == RelayEnsured(PARTS[0], PARTS[1])
    assert intents == [("create", each) for each in PARTS[1:]]
    assert azure.calls == [("PUT", each) for each in PARTS[1:]]


@pytest.mark.parametrize(("state", "kind"), [("Creating", Again), ("Failed", Stop)])
def test_a_namespace_that_is_not_ready(monkeypatch: pytest.MonkeyPatch, state: str, kind: type) -> None:
    FakeArm({PARTS[0]: {"properties": {"provisioningState": state}}}).install(monkeypatch)
    assert isinstance(ensure_relay(ensuring()), kind)


def test_whoever_changes_the_extension_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeArm().install(monkeypatch)
    monkeypatch.setattr(locks, "obtain", lambda target, operation_id: make_operation(id="other"))
    assert ensure_relay(ensuring()) == Again(30.0, "operation other has the cluster's extension in hand")


@pytest.mark.parametrize(
    "step",
    [
        ensuring(ARC.replace("Microsoft.Kubernetes/connectedClusters", "Microsoft.ContainerService/managedClusters")),
        ensuring(configurationSettings={"relayserver.enabled": "false"}),
        ensuring(configurationProtectedSettings={"relayServerConnectionString": "id"}),
        ensuring(manage="require"),
    ],
    ids=["AKS", "none wanted", "one of its own", "never installed"],
)
def test_none_is_needed(monkeypatch: pytest.MonkeyPatch, step: StepAtWork) -> None:
    FakeArm().install(monkeypatch)
    outcome = ensure_relay(step)
    assert isinstance(outcome, Done)
    assert (outcome.skipped, outcome.created, planned_relay(step), planned_relay_id(step)) == (True, (), [], None)


def test_the_relay_of_an_extension_that_is_installed_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeArm(lists={EXTENSIONS: [naming(RELAY_HERE.connection)]}).install(monkeypatch)
    outcome = ensure_relay(ensuring())
    assert isinstance(outcome, Done)
    assert outcome.value == RelayEnsured(RELAY_HERE.namespace, RELAY_HERE.connection)
    assert planned_relay_id(ensuring()) == RELAY_HERE.namespace


def naming(connection: str) -> dict[str, Any]:
    """An extension whose settings name that relay."""
    settings = {CONNECTION_ID_SETTING: connection}
    return {**KEEPS, "properties": {"extensionType": "Microsoft.AzureML.Kubernetes", "configurationSettings": settings}}


STRANGERS = f"/subscriptions/{SUB}/resourceGroups/other/providers/{RELAY}/theirs/hybridConnections/arc"
FORGED = [
    STRANGERS,
    RELAY_HERE.connection.replace("/resourceGroups/rg/", "/resourceGroups/other/"),
    RELAY_HERE.connection.replace(SUB, "99999999-9999-4999-8999-999999999999"),
    f"{RELAY_HERE.namespace}/hybridConnections/another",
    f"@evil.example{RELAY_HERE.connection}",
    f".evil.example{RELAY_HERE.connection}",
    f"{RELAY_HERE.namespace}?x=/hybridConnections/arc",
    f"/subscriptions/{SUB}/resourceGroups/rg/hybridConnections/arc",
    f"{RELAY_HERE.connection}/authorizationRules/azureml_rw",
    f"{RELAY_HERE.connection}\n",
    "nonsense",
]


@pytest.mark.parametrize("connection", FORGED)
def test_a_forged_relay_is_neither_called_nor_granted_on(monkeypatch: pytest.MonkeyPatch, connection: str) -> None:
    azure = FakeArm(lists={EXTENSIONS: [naming(connection)]}).install(monkeypatch)
    outcome = ensure_relay(ensuring())
    assert isinstance(outcome, Stop)
    assert outcome.problem.code == "RelayNotOwn"
    assert "evil" not in str(outcome.problem)
    with pytest.raises(LookupError):
        planned_relay_id(ensuring())
    assert azure.calls == []


def test_keys_of_a_relay_that_a_record_names_are_read_only_of_the_clusters_own(monkeypatch: pytest.MonkeyPatch) -> None:
    azure = FakeArm().install(monkeypatch)
    theirs = RelayEnsured(STRANGERS.partition("/hybridConnections/")[0], STRANGERS)
    made = StepRecord("ensure_relay", "do", value=encode(theirs))
    told = relay_parts(at_work("install_extension", earlier=(made,), cluster_id=ARC))
    assert isinstance(told, Stop)
    assert azure.calls == []


def test_a_relay_of_the_policys_list_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "allowed_relays", lambda step: lambda namespace: namespace.name == "theirs")
    FakeArm(lists={EXTENSIONS: [naming(STRANGERS)]}).install(monkeypatch)
    assert planned_relay_id(ensuring()) == STRANGERS.partition("/hybridConnections/")[0]


def test_the_connection_string_is_read_when_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    made = StepRecord("ensure_relay", "do", value=encode(RelayEnsured(PARTS[0], PARTS[1])))
    step = at_work("install_extension", earlier=(made,), cluster_id=ARC)
    FakeArm({f"{PARTS[2]}/listKeys": {"primaryConnectionString": "secret"}}).install(monkeypatch)
    assert relay_parts(step) == (
        {CONNECTION_ID_SETTING: PARTS[1], CONNECTION_NAME_SETTING: "arc"},
        {CONNECTION_STRING_SETTING: "secret"},
    )
    FakeArm().install(monkeypatch)
    gone = relay_parts(step)
    assert isinstance(gone, Stop)
    assert gone.problem.code == "RelayGone"
    assert relay_parts(at_work("install_extension")) == ({}, {})


@pytest.mark.parametrize(("extensions", "undone"), [([], (PARTS[0],)), ([KEEPS], ())])
def test_undo(monkeypatch: pytest.MonkeyPatch, extensions: list[Any], undone: tuple[str, ...]) -> None:
    watch_intents(monkeypatch)
    azure = FakeArm({PARTS[0]: READY}, {EXTENSIONS: extensions}).install(monkeypatch)
    outcome = undo_relay(at_work("undo_relay", cluster_id=ARC, created=(Created(RELAY, PARTS[0]),)))
    assert isinstance(outcome, Done)
    assert (outcome.undone, azure.calls) == (undone, [("DELETE", each) for each in undone])


def test_the_policy_says_which_relays_may_be_used_besides_the_clusters_own(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = parse_arm_id(f"/subscriptions/{SUB}/resourceGroups/edge/providers/{RELAY}/theirs")
    assert not relay.allowed_relays(ensuring())(theirs)
    monkeypatch.setenv(policy.SETTING, policy_of([SUB], relays=[str(theirs)]))
    assert relay.allowed_relays(ensuring())(theirs)
    monkeypatch.delenv(policy.SETTING)
    assert not relay.allowed_relays(ensuring())(theirs)
