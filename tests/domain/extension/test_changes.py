"""How an extension differs from what is asked for, and what an update changes."""

from __future__ import annotations

from typing import Any

import pytest

from domain.extension.changes import difference, settings_to_change, update_findings
from domain.extension.wanted import Wanted
from domain.extension.wire import wire_settings
from tests.domain.extension.making import (
    HTTP,
    PEM,
    TLS,
    TRAINING,
    aks,
    wanted,
)


def there(settings: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """An extension's ARM properties."""
    given = {"enableTraining": "True"} if settings is None else settings
    return {"configurationSettings": given, "releaseTrain": "Stable", "autoUpgradeMinorVersion": True, **more}


def keys(this: Wanted, extension: dict[str, Any]) -> list[str]:
    return [d.key for d in difference(this, extension)]


def test_what_was_installed_for_a_request_satisfies_it() -> None:
    for this in (Wanted(), wanted(HTTP), wanted({**TLS, "sslSecret": "s"}), wanted(TLS, PEM)):
        assert difference(this, there(wire_settings(this, aks())[0])) == []


@pytest.mark.parametrize(
    ("asked", "actual", "differs"),
    [
        (TRAINING, {"enableTraining": "true"}, []),
        (TRAINING, {"enableTraining": "yes"}, ["enableTraining"]),
        (TRAINING, {}, ["enableTraining"]),
        (TRAINING, {"enableTraining": "True", "enableInference": "True"}, []),
        ({"enableTraining": False, "enableInference": True}, {"enableInference": "True"}, []),
        ({**TRAINING, "installPromOp": True}, {"enableTraining": "True"}, []),
        ({**TRAINING, "installPromOp": False}, {"enableTraining": "True"}, ["installPromOp"]),
        ({**TRAINING, "nodeSelector.a": "b"}, {"enableTraining": "True", "nodeSelector.a": "B"}, ["nodeSelector.a"]),
        (
            {**TRAINING, "inferenceRouterServiceType": "NodePort"},
            {"enableTraining": "True", "inferenceRouterServiceType": "nodeport"},
            [],
        ),
        ({**TRAINING, "sslSecret": "s"}, {"enableTraining": "True", "scoringFe.sslSecret": "s"}, []),
        ({**TRAINING, "x": "1"}, {"enableTraining": "True", "x": "2"}, ["x"]),
    ],
)
def test_only_what_is_named_is_compared(asked: dict[str, Any], actual: dict[str, str], differs: list[str]) -> None:
    assert keys(wanted(asked), there(actual)) == differs


def test_the_difference_is_said() -> None:
    assert [str(d) for d in difference(Wanted(), there({}))] == ["enableTraining is not set, wanted True"]


def test_version_and_train() -> None:
    assert keys(wanted(TRAINING, version="1.1.80"), there(version="1.1.91")) == ["version", "autoUpgradeMinorVersion"]
    pinned = there(version=None, currentVersion="1.1.80", autoUpgradeMinorVersion=False)
    assert keys(wanted(TRAINING, version="1.1.80"), pinned) == []
    assert keys(wanted(TRAINING, release_train="preview"), there()) == ["releaseTrain"]
    assert keys(wanted(TRAINING), there(releaseTrain="Preview")) == []


def test_an_update_sends_what_differs_and_what_was_never_generated() -> None:
    changes = settings_to_change(wanted({**TRAINING, "x": "2", "y": "1"}), aks(), there({"x": "1", "y": "1"}))
    assert changes["x"] == "2"
    assert changes["enableTraining"] == "True"
    assert changes["relayserver.enabled"] == "false"
    assert "y" not in changes
    full = wire_settings(Wanted(), aks())[0]
    assert settings_to_change(Wanted(), aks(), there(full)) == {}
    assert settings_to_change(Wanted(), aks(), there({**full, "domain": "another"})) == {}


def test_inference_that_is_switched_on_gets_all_it_needs() -> None:
    full = wire_settings(Wanted(), aks())[0]
    asked = {**HTTP, **TRAINING, "inferenceRouterServiceType": "nodePort"}
    assert settings_to_change(wanted(asked), aks(2), there(full)) == {
        "enableInference": "True",
        "inferenceRouterServiceType": "nodePort",
        "allowInsecureConnections": "True",
        "scoringFe.serviceType.nodePort": "True",
        "inferenceRouterHA": "false",
        "clusterPurpose": "DevTest",
    }


def test_the_kind_of_router_is_switched_over() -> None:
    before = wire_settings(wanted({**HTTP, "inferenceRouterServiceType": "nodePort"}), aks())[0]
    assert settings_to_change(wanted(HTTP), aks(), there(before)) == {
        "inferenceRouterServiceType": "loadBalancer",
        "scoringFe.serviceType.nodePort": "False",
    }


def test_a_certificate_from_the_vault_takes_the_place_of_a_secret() -> None:
    before = wire_settings(wanted({**TLS, "sslSecret": "s"}), aks())[0]
    assert settings_to_change(wanted(TLS, PEM), aks(), there(before)) == {"scoringFe.sslSecret": ""}
    after = wire_settings(wanted(TLS, PEM), aks())[0]
    assert settings_to_change(wanted({**TLS, "sslSecret": "s"}), aks(), there(after)) == {
        "sslSecret": "s",
        "scoringFe.sslSecret": "s",
    }


BOTH = {"enableTraining": "True", "enableInference": "True"}


@pytest.mark.parametrize(
    ("change", "actual", "checks"),
    [
        ({"enableTraining": "False"}, BOTH, ["trainingJobs"]),
        ({"enableTraining": "True"}, {**BOTH, "enableTraining": "False"}, []),
        (
            {"installNvidiaDevicePlugin": "False"},
            {**BOTH, "installNvidiaDevicePlugin": "True"},
            ["trainingJobs", "onlineEndpoints"],
        ),
        ({"installNvidiaDevicePlugin": "True"}, BOTH, ["onlineEndpoints"]),
        ({"nodeSelector.a": "b"}, BOTH, ["trainingJobs", "onlineEndpoints"]),
        ({"enableInference": "False"}, BOTH, ["onlineEndpoints"]),
        ({"allowInsecureConnections": "True"}, BOTH, ["onlineEndpoints"]),
        ({"inferenceRouterServiceType": "nodePort"}, BOTH, ["onlineEndpoints"]),
        ({"internalLoadBalancerProvider": "azure"}, BOTH, ["onlineEndpoints"]),
        ({"sslCname": "a.b"}, BOTH, ["onlineEndpoints"]),
        ({"sslCname": "a.b"}, {"enableTraining": "True"}, []),
        ({"x": "y"}, BOTH, []),
    ],
)
def test_what_an_update_does_to_those_who_are_there(
    change: dict[str, str], actual: dict[str, str], checks: list[str]
) -> None:
    found = update_findings(wanted({**TRAINING, **change}), change, there(actual), False)
    assert [f.check for f in found] == checks
    assert {f.outcome for f in found} <= {"warning"}


def test_a_node_selector_cannot_be_removed() -> None:
    actual = there({**BOTH, "nodeSelector.old": "x"})
    stays = update_findings(wanted({**TRAINING, "nodeSelector.new": "x"}), {}, actual, False)
    assert [f.check for f in stays] == ["nodeSelector"]
    assert "nodeSelector.old" in stays[0].message
    assert update_findings(wanted({**TRAINING, "nodeSelector.old": "x"}), {}, actual, False) == []


def test_a_new_certificate_is_announced() -> None:
    assert [f.check for f in update_findings(wanted(TLS, PEM), {}, there(BOTH), True)] == ["certificateReplaced"]


@pytest.mark.parametrize("asked", ["nodeSelector.a.b/c", r"nodeSelector.a\.b/c"])
@pytest.mark.parametrize("actual", ["nodeSelector.a.b/c", r"nodeSelector.a\.b/c"])
def test_r4_one_label_in_two_spellings_is_no_difference(asked: str, actual: str) -> None:
    this = wanted({**TRAINING, asked: "x"})
    assert difference(this, there({"enableTraining": "True", actual: "x"})) == []
    assert [d.actual for d in difference(this, there({"enableTraining": "True", actual: "y"}))] == ["y"]
    assert update_findings(this, {}, there({"enableTraining": "True", actual: "x"}), False) == []
