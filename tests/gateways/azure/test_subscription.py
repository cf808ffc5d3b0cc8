"""What a subscription has: machine sizes, Kubernetes versions, resource providers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.preflight.facts import Version, VmSize
from gateways import clock
from gateways.azure import arm, subscription
from gateways.azure.arm import ArmAnswer, ArmError
from tests.making import NOW, SUB


def row(name: str, kind: str = "virtualMachines", **has: str) -> dict[str, Any]:
    capabilities = [{"name": key, "value": value} for key, value in has.items()]
    return {"name": name, "resourceType": kind, "capabilities": capabilities}


class Skus:
    """The listing of machine sizes, and how often it was asked for."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.moment: datetime = NOW

    def items(self, target: str, version: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        assert version == "2021-07-01", "the only version that filters by location"
        self.asked.append((target, query))
        return self.rows


@pytest.fixture
def skus(monkeypatch: pytest.MonkeyPatch) -> Iterator[Skus]:
    made = Skus()
    monkeypatch.setattr(arm, "items", made.items)
    monkeypatch.setattr(clock, "now", lambda: made.moment)
    subscription.forget()
    yield made
    subscription.forget()


def test_a_size_is_what_its_capabilities_say(skus: Skus) -> None:
    skus.rows = [
        row("Standard_NC24ads_A100_v4", vCPUs="24", vCPUsAvailable="12", MemoryGB="220", GPUs="1"),
        row("Standard_D4ps_v5", vCPUs="4", MemoryGB="16", CpuArchitectureType="Arm64"),
        row("Standard_B1ls", vCPUs="1", MemoryGB="0.5"),
        row("Odd", vCPUs="many"),
        row("Endless", vCPUs="inf", MemoryGB="nan", GPUs="1e999"),
        {"name": "Bare", "resourceType": "virtualMachines"},
        row("Premium_LRS", "disks", vCPUs="1"),
    ]
    assert subscription.vm_sizes(SUB, "westeurope") == {
        "standard_nc24ads_a100_v4": VmSize(12, 220, 1),
        "standard_d4ps_v5": VmSize(4, 16, architecture="Arm64"),
        "standard_b1ls": VmSize(1, 0.5),
        "odd": VmSize(0, 0),
        "endless": VmSize(0, 0),
        "bare": VmSize(0, 0),
    }
    assert skus.asked == [
        (f"/subscriptions/{SUB}/providers/Microsoft.Compute/skus", {"$filter": "location eq 'westeurope'"})
    ]


def test_sizes_are_read_again_after_six_hours(skus: Skus) -> None:
    subscription.vm_sizes(SUB, "westeurope")
    skus.moment = NOW + timedelta(hours=6) - timedelta(seconds=1)
    subscription.vm_sizes(SUB, "WestEurope")
    assert len(skus.asked) == 1
    skus.moment = NOW + timedelta(hours=6)
    subscription.vm_sizes(SUB, "westeurope")
    assert len(skus.asked) == 2


def test_sizes_are_those_of_one_subscription_and_region(skus: Skus) -> None:
    for sub, region in ((SUB, "westeurope"), (SUB, "northeurope"), ("other", "westeurope")):
        subscription.vm_sizes(sub, region)
    assert len(skus.asked) == 3


def test_a_listing_that_failed_is_not_kept(skus: Skus, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> Any:
        raise ArmError(503, "Down", "no")

    with monkeypatch.context() as down:
        down.setattr(arm, "items", refused)
        with pytest.raises(ArmError):
            subscription.vm_sizes(SUB, "westeurope")
    skus.rows = [row("Standard_B1ls", vCPUs="1", MemoryGB="0.5")]
    assert list(subscription.vm_sizes(SUB, "westeurope")) == ["standard_b1ls"]


def test_versions_of_a_region_previews_included(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    body: dict[str, Any] = {"values": [{"version": "1.34"}, {"version": "1.35", "isPreview": True}]}

    def get(target: str, version: str) -> ArmAnswer:
        asked.append(target)
        return ArmAnswer(200, body)

    monkeypatch.setattr(arm, "get", get)
    assert subscription.kubernetes_versions(SUB, "westeurope") == (Version("1.34"), Version("1.35", preview=True))
    assert asked[0].endswith("/providers/Microsoft.ContainerService/locations/westeurope/kubernetesVersions")
    body.clear()
    with pytest.raises(ArmError, match="a list answer without a list"):
        subscription.kubernetes_versions(SUB, "westeurope")


@pytest.mark.parametrize(("body", "state"), [({"registrationState": "Registering"}, "Registering"), ({}, "unknown")])
def test_a_provider_that_does_not_say_is_not_registered(
    monkeypatch: pytest.MonkeyPatch, body: dict[str, str], state: str
) -> None:
    monkeypatch.setattr(arm, "get", lambda target, version: ArmAnswer(200, body))
    assert subscription.registration_state(SUB, "Microsoft.Relay") == state
