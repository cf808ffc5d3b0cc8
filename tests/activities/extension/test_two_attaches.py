"""Two attaches on one cluster: in every order of events the second waits for the undo of the first, then installs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from activities.access.relay import ensure_relay
from activities.extension import install
from activities.extension.install import install_extension, outlook, undo_extension
from activities.runtime import locks
from activities.runtime.step import StepAtWork
from activities.runtime.transitions import Call
from domain.arm_ids import EXTENSION
from domain.operation.codec import encode
from domain.operation.outcomes import Again, Created, Done, Stop
from domain.operation.record import Operation, StepRecord
from domain.operation.results import Resolved
from domain.preflight.facts import ExtensionFacts
from gateways.storage import claims, records
from gateways.storage.records import Change
from tests.activities.making import FakeArm, watch_intents
from tests.conftest import Tables
from tests.making import CLUSTER_ID, NOW, SUB, accepted

ARC = f"/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.Kubernetes/connectedClusters/arc"
RESOLVED = StepRecord("resolve", "do", "Succeeded", value=encode(Resolved(cluster_location="westeurope")))


def extension(cluster: str, state: str) -> dict[str, Any]:
    properties = {
        "extensionType": "Microsoft.AzureML.Kubernetes",
        "provisioningState": state,
        "configurationSettings": {"enableTraining": "True"},
    }
    return {"id": f"{cluster}/providers/{EXTENSION}/azureml", "name": "azureml", "properties": properties}


class World:
    """A cluster with its extension in some state, the first attach, which has it in hand, and the second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cluster: str = CLUSTER_ID) -> None:
        self.place = f"{cluster}/providers/{EXTENSION}"
        self.cluster = cluster
        self.arm = FakeArm().install(monkeypatch)
        watch_intents(monkeypatch)
        monkeypatch.setattr(install, "user_of_cluster", lambda operation, without_own=False: None)
        request = {"namespace": "ml", "extension": {}}
        self.first, self.second = (
            accepted(compute_name=name, cluster_id=cluster, request={**request, "clusterId": cluster})
            for name in ("one", "two")
        )
        made = Created(EXTENSION, f"{self.place}/azureml")
        self.first = replace(self.first, created=(made,))
        assert locks.obtain(self.target, self.first.id) is None

    @property
    def target(self) -> str:
        return claims.extension_target(self.cluster)

    def shows(self, state: str | None) -> None:
        found = [] if state is None else [extension(self.cluster, state)]
        self.arm.lists[self.place] = found
        self.arm.bodies = {each["id"]: each for each in found}

    def at(self, name: str, operation: Operation) -> StepAtWork:
        record = StepRecord(name, "do", "Running", 1, bound_seconds=600, started=NOW)
        with_steps = replace(operation, steps=(RESOLVED, record))
        return StepAtWork(Call(operation.id, 1, name, 600, NOW), with_steps)

    def undo(self) -> object:
        return undo_extension(self.at("undo_extension", self.first))

    def end_first(self) -> None:
        self.shows(None)
        records.change(self.first.id, None, lambda o: Change(replace(o, status="Failed")), NOW)

    def install(self) -> object:
        return install_extension(self.at("install_extension", self.second))

    @property
    def waits(self) -> Again:
        return Again(30.0, f"operation {self.first.id} has the cluster's extension in hand")


@pytest.fixture
def world(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_the_second_waits_while_the_first_is_at_work_and_installs_once_it_has_ended(world: World) -> None:
    for state in ("Creating", "Failed", "Deleting", "Succeeded", None):
        world.shows(state)
        assert world.install() == world.waits
        assert claims.reservations(world.target) == []
    world.end_first()
    outcome = world.install()
    assert isinstance(outcome, Done)
    assert outcome.created == (Created(EXTENSION, f"{world.place}/azureml"),)
    held = claims.read(world.target)
    assert held is not None
    assert held.operation_id == world.second.id


def test_the_first_reverts_at_the_moment_at_which_the_second_looks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who only waits relies on nothing, not for the moment of its look either."""
    seen: list[object] = []

    def undone_meanwhile(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*given: Any) -> Any:
            answer = call(*given)
            if not seen:
                seen.append(None)
                seen[0] = world.undo()
            return answer

        return called

    for name in ("read", "reserve", "unreserve"):
        with monkeypatch.context() as patched:
            seen.clear()
            world.shows("Failed")
            patched.setattr(claims, name, undone_meanwhile(getattr(claims, name)))
            assert world.install() == world.waits
        assert seen in ([Again(7.0, "Azure is removing it")], []), name
    held = claims.read(world.target)
    assert held is not None
    assert held.operation_id == world.first.id


def test_the_second_looks_before_and_holds_after_the_first_has_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.shows("Failed")
    reserve = locks.reserve

    def ended_meanwhile(target: str, operation_id: str) -> Operation | None:
        world.end_first()
        return reserve(target, operation_id)

    monkeypatch.setattr(locks, "reserve", ended_meanwhile)
    assert world.install() == Again(None, "the extension has just been removed or changed")
    assert isinstance(world.install(), Done)


def test_an_extension_that_has_failed_and_that_nobody_reverts_stops_the_second_and_is_not_kept_for_it(
    world: World,
) -> None:
    locks.give_back(world.target, world.first.id)
    world.shows("Failed")
    assert isinstance(world.install(), Stop)
    assert claims.reservations(world.target) == []
    assert world.undo() == Again(7.0, "Azure is removing it")


def test_what_the_second_relies_on_stays(world: World) -> None:
    locks.give_back(world.target, world.first.id)
    world.shows("Succeeded")
    assert isinstance(world.install(), Done)
    kept = world.undo()
    assert isinstance(kept, Done)
    assert kept.detail == f"kept. Operation {world.second.id} relies on it."


def test_preflight_of_the_second_does_not_refuse_what_the_first_has_in_hand(world: World) -> None:
    ways = (("install", "Failed"), ("require", None), ("require", "Failed"))
    step, request = world.at("preflight", world.second), world.second.request

    def told(manage: str, state: str | None) -> ExtensionFacts:
        world.shows(state)
        step.operation = replace(step.operation, request={**request, "extension": {"manage": manage}})
        return outlook(step)[0]

    for way in ways:
        facts = told(*way)
        assert (facts.problem, facts.waits) == (None, world.waits.detail)
    locks.give_back(world.target, world.first.id)
    for way in ways:
        facts = told(*way)
        assert (facts.problem is None, facts.waits) == (False, None)


def test_preflight_looks_again_when_the_first_ends_meanwhile(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.shows("Failed")
    changing = locks.changing

    def ended_meanwhile(target: str, operation_id: str) -> Operation | None:
        world.end_first()
        return changing(target, operation_id)

    monkeypatch.setattr(locks, "changing", ended_meanwhile)
    facts, change = outlook(world.at("preflight", world.second))
    assert (facts.problem, facts.change) == (None, "installed")
    assert change is not None


def test_the_relay_of_an_extension_that_the_first_may_revert_is_not_relied_on(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its undo removes the relay with the extension; the second would have nothing to send."""
    world = World(monkeypatch, ARC)
    for state in ("Creating", "Failed"):
        world.shows(state)
        assert ensure_relay(world.at("ensure_relay", world.second)) == world.waits
        assert claims.reservations(world.target) == []
    locks.give_back(world.target, world.first.id)
    world.shows("Succeeded")
    outcome = ensure_relay(world.at("ensure_relay", world.second))
    assert isinstance(outcome, Done)
    assert outcome.detail == "the extension exists already"
    assert claims.reservations(world.target) == [world.second.id]
