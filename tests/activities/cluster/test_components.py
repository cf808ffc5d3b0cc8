"""The extension's components: waited for, explained at the end, unknown where they cannot be seen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from activities.cluster import components
from activities.cluster.components import components_healthy
from activities.runtime.step import StepAtWork
from domain.arm_ids import EXTENSION
from domain.cluster.components import Health, Seen
from domain.operation.codec import encode
from domain.operation.outcomes import Again, Done, Stop
from domain.operation.record import StepRecord
from domain.operation.results import ComponentsSeen, ExtensionSent
from gateways import dns
from gateways.kubernetes import reader
from gateways.kubernetes.api import Unreachable
from tests.activities.making import FakeArm, at_work
from tests.making import CLUSTER_ID, NOW

TARGET = f"{CLUSTER_ID}/providers/{EXTENSION}/azureml"


def waiting(seconds: float = 0) -> StepAtWork:
    sent = StepRecord("install_extension", "do", value=encode(ExtensionSent(TARGET)))
    step = at_work("components_healthy", kind="until", earlier=(sent,))
    step.call = step.call.__class__("op", 1, "components_healthy", 600, NOW + timedelta(seconds=seconds))
    return step


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> FakeArm:
    monkeypatch.setattr(reader, "components", lambda cluster: Seen((), (), None, None))
    body = {"name": "azureml", "properties": {"configurationSettings": {"sslCname": "models.contoso.example"}}}
    return FakeArm({TARGET: body}).install(monkeypatch)


def judged(monkeypatch: pytest.MonkeyPatch, health: Health, address: str | None = None) -> None:
    monkeypatch.setattr(components, "judge", lambda *_, **__: health)
    monkeypatch.setattr(components, "router_address", lambda seen: address)


def test_an_extension_that_does_not_show_is_waited_for(azure: FakeArm) -> None:
    azure.bodies.clear()
    assert components_healthy(waiting()) == Again(None, "the extension does not show")


def test_what_cannot_be_seen_is_unknown(monkeypatch: pytest.MonkeyPatch, azure: FakeArm) -> None:
    monkeypatch.setattr(reader, "components", lambda cluster: Unreachable("it is private"))
    outcome = components_healthy(waiting())
    assert isinstance(outcome, Done)
    assert [finding.outcome for finding in outcome.findings] == ["unknown"]


def test_trouble_is_waited_for_and_explained_at_the_end(monkeypatch: pytest.MonkeyPatch, azure: FakeArm) -> None:
    judged(monkeypatch, Health(8, tuple(f"trouble {n}" for n in range(8)), ()))
    told = "; ".join([*(f"trouble {n}" for n in range(6)), "2 more"])
    assert components_healthy(waiting(599)) == Again(None, told)
    outcome = components_healthy(waiting(600))
    assert isinstance(outcome, Stop)
    assert (outcome.problem.code, told in outcome.problem.message) == ("ComponentsUnhealthy", True)


@pytest.mark.parametrize(
    ("resolved", "outcome"), [({"10.0.0.4"}, "pass"), ({"10.0.0.9"}, "warning"), (set(), "warning")]
)
def test_the_routers_name_must_lead_to_it(
    monkeypatch: pytest.MonkeyPatch, azure: FakeArm, resolved: set[str], outcome: str
) -> None:
    judged(monkeypatch, Health(8, (), ()), "10.0.0.4")
    names: dict[str, Any] = {"models.contoso.example": resolved}
    monkeypatch.setattr(dns, "addresses", lambda name: names.get(name, set()))
    done = components_healthy(waiting())
    assert isinstance(done, Done)
    assert {finding.check: finding.outcome for finding in done.findings} == {
        "components": "pass",
        "router": "pass",
        "routerName": outcome,
    }
    assert done.value == ComponentsSeen("10.0.0.4")


@pytest.mark.parametrize(
    ("lesser", "starting", "waited", "waits"),
    [
        ("Deployment azureml-kube-state-metrics is not there", False, 0, False),
        ("Deployment azureml-kube-state-metrics has 0 of 1 available", True, 60, True),
        ("Deployment azureml-kube-state-metrics has 0 of 1 available", True, 121, False),
    ],
)
def test_r20_what_only_gathers_metrics_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, azure: FakeArm, lesser: str, starting: bool, waited: float, waits: bool
) -> None:
    judged(monkeypatch, Health(8, (), (), (lesser,), starting))
    outcome = components_healthy(waiting(waited))
    if waits:
        assert outcome == Again(None, lesser)
        return
    assert isinstance(outcome, Done)
    (finding,) = outcome.findings
    assert (finding.check, finding.outcome, lesser in finding.message) == ("components", "warning", True)
