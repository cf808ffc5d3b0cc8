"""The relay of an Arc cluster: made part by part before the extension, reverted unless the extension works with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from activities.access.relay import ensure_relay, planned_relay, planned_relay_id, relay_parts, undo_relay
from activities.runtime import locks
from activities.runtime.step import StepAtWork
from domain.access.relay import CONNECTION_STRING_SETTING, RELAY, Relay, relay_of, relay_settings
from domain.arm_ids import EXTENSION, parse_arm_id
from domain.operation.codec import encode
from domain.operation.outcomes import Again, Created, Done, Stop
from domain.operation.record import StepRecord
from domain.operation.results import RelayEnsured, Resolved
from tests.activities.making import FakeArm, at_work, watch_intents
from tests.making import SUB, make_operation

ARC = f"/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.Kubernetes/connectedClusters/arc"
RELAY_HERE = relay_of(parse_arm_id(ARC))
PARTS = [RELAY_HERE.namespace, RELAY_HERE.connection, RELAY_HERE.rule]
EXTENSIONS = f"{ARC}/providers/{EXTENSION}"
KEEPS = {"name": "azureml", "properties": {"extensionType": "Microsoft.AzureML.Kubernetes"}}
READY = {"properties": {"provisioningState": "Succeeded"}}


class ReadyAtOnce(FakeArm):
    """Azure makes a namespace in no time."""

    def put(self, target: str, version: str, body: Any) -> Any:
        return replace(super().put(target, version, body), body=READY)


@pytest.fixture(autouse=True)
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "obtain", lambda target, operation_id: None)


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
    theirs = Relay("/theirs", "/theirs/hybridConnections/c")
    keeps = {"properties": {**KEEPS["properties"], "configurationSettings": relay_settings(theirs)}}  # type: ignore[dict-item]
    FakeArm(lists={EXTENSIONS: [keeps]}).install(monkeypatch)
    outcome = ensure_relay(ensuring())
    assert isinstance(outcome, Done)
    assert outcome.value == RelayEnsured("/theirs", "/theirs/hybridConnections/c")
    assert planned_relay_id(ensuring()) == "/theirs"


def test_the_connection_string_is_read_when_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    made = StepRecord("ensure_relay", "do", value=encode(RelayEnsured(PARTS[0], PARTS[1])))
    step = at_work("install_extension", earlier=(made,), cluster_id=ARC)
    FakeArm({f"{PARTS[2]}/listKeys": {"primaryConnectionString": "secret"}}).install(monkeypatch)
    assert relay_parts(step) == (relay_settings(RELAY_HERE), {CONNECTION_STRING_SETTING: "secret"})
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
