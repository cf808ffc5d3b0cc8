"""What is said of settings on a cluster: each check once raised, once just not."""

from __future__ import annotations

from typing import Any

import pytest

from domain.extension.checks import check_on_cluster
from domain.extension.cluster_facts import ClusterFacts
from tests.domain.extension.making import (
    CERT,
    HTTP,
    PEM,
    TLS,
    TRAINING,
    aks,
    arc,
    wanted,
)

GPU, PLAIN = {"agentpool": "gpu", "team": "ml"}, {"agentpool": "system"}
ILB = {**TLS, "internalLoadBalancerProvider": "azure"}

# (check, outcome, settings, protected, cluster; settings, protected and cluster for which it is silent)
Case = tuple[str, str, dict[str, Any], dict[str, str], ClusterFacts, dict[str, Any], dict[str, str], ClusterFacts]
CASES: list[Case] = [
    (
        "unknownSetting",
        "warning",
        {**TRAINING, "instalPromOp": "x"},
        {},
        aks(),
        {**TRAINING, "nodeSelector.x": "y"},
        {},
        aks(),
    ),
    ("unknownSetting", "warning", TLS, {**PEM, "my.own": CERT}, aks(), TLS, PEM, aks()),
    (
        "settingWithoutEffect",
        "warning",
        {**TRAINING, "inferenceRouterHA": False},
        {},
        aks(),
        {**HTTP, "inferenceRouterHA": False},
        {},
        aks(),
    ),
    (
        "settingWithoutEffect",
        "warning",
        {**HTTP, "installVolcano": True},
        {},
        aks(),
        {**HTTP, **TRAINING, "installVolcano": True},
        {},
        aks(),
    ),
    ("settingWithoutEffect", "warning", TRAINING, PEM, aks(), TLS, PEM, aks()),
    (
        "existingPrometheusOperator",
        "unknown",
        {**TRAINING, "installPromOp": False},
        {},
        aks(),
        {**TRAINING, "installPromOp": True},
        {},
        aks(),
    ),
    (
        "existingVolcano",
        "unknown",
        {**TRAINING, "installVolcano": False},
        {},
        aks(),
        {**HTTP, "installVolcano": False},
        {},
        aks(),
    ),
    (
        "nodeSelector",
        "warning",
        {**TRAINING, "nodeSelector.agentpool": "gpus"},
        {},
        aks(pools=(GPU, PLAIN)),
        {**TRAINING, "nodeSelector.agentpool": "gpu", "nodeSelector.team": "ml"},
        {},
        aks(pools=(GPU, PLAIN)),
    ),
    (
        "nodeSelector",
        "unknown",
        {**TRAINING, "nodeSelector.by-hand": "x"},
        {},
        aks(pools=(GPU,)),
        TRAINING,
        {},
        aks(pools=(GPU,)),
    ),
    ("nodeSelector", "unknown", {**TRAINING, "nodeSelector.team": "ml"}, {}, arc(), TRAINING, {}, arc()),
    (
        "gpuNodes",
        "warning",
        {**TRAINING, "installNvidiaDevicePlugin": True},
        {},
        aks(gpu_nodes=False),
        {**TRAINING, "installNvidiaDevicePlugin": True},
        {},
        aks(gpu_nodes=True),
    ),
    (
        "gpuNodes",
        "warning",
        {**TRAINING, "installDcgmExporter": True},
        {},
        aks(gpu_nodes=False),
        {**TRAINING, "installDcgmExporter": True},
        {},
        arc(gpu_nodes=None),
    ),
    ("nvidiaDevicePlugin", "unknown", TRAINING, {}, aks(gpu_nodes=True), TRAINING, {}, aks(gpu_nodes=False)),
    (
        "routerHighAvailability",
        "fail",
        {**HTTP, "inferenceRouterHA": True},
        {},
        aks(2),
        {**HTTP, "inferenceRouterHA": True},
        {},
        aks(3),
    ),
    ("routerHighAvailability", "warning", HTTP, {}, aks(2), {**HTTP, "inferenceRouterHA": False}, {}, aks(2)),
    ("routerHighAvailability", "unknown", HTTP, {}, aks(None), {**HTTP, "inferenceRouterHA": False}, {}, aks(None)),
    ("smallCluster", "warning", TRAINING, {}, aks(2), {**TRAINING, "clusterPurpose": "DevTest"}, {}, aks(2)),
    (
        "internalLoadBalancer",
        "fail",
        {**HTTP, "internalLoadBalancerProvider": "azure"},
        {},
        arc(),
        {**HTTP, "internalLoadBalancerProvider": "azure"},
        {},
        aks(),
    ),
    (
        "internalLoadBalancer",
        "warning",
        {**HTTP, "internalLoadBalancerProvider": "azure", "inferenceRouterServiceType": "clusterIP"},
        {},
        aks(),
        {**HTTP, "inferenceRouterServiceType": "clusterIP"},
        {},
        aks(),
    ),
    ("internalLoadBalancerWithTls", "warning", ILB, PEM, aks(), TLS, PEM, aks()),
    (
        "internalLoadBalancerWithTls",
        "warning",
        {**ILB, "sslSecret": "s"},
        {},
        aks(),
        {**HTTP, "internalLoadBalancerProvider": "azure"},
        {},
        aks(),
    ),
    (
        "insecureConnections",
        "warning",
        {**HTTP, "sslCname": "a.b", "sslSecret": "s"},
        {},
        aks(),
        {**TLS, "sslSecret": "s"},
        {},
        aks(),
    ),
    ("twoCertificates", "warning", {**TLS, "sslSecret": "s"}, PEM, aks(), TLS, PEM, aks()),
    ("tlsSecretInCluster", "unknown", {**TLS, "sslSecret": "s"}, {}, aks(), TLS, PEM, aks()),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{c[0]}-{c[1]}-{i}" for i, c in enumerate(CASES)])
def test_a_check(case: Case) -> None:
    check, outcome, asked, protected, cluster, near, near_protected, near_cluster = case
    found = [f for f in check_on_cluster(wanted(asked, protected), cluster) if f.check == check]
    assert [f.outcome for f in found] == [outcome]
    assert found[0].message
    near_found = check_on_cluster(wanted(near, near_protected), near_cluster)
    assert check not in [f.check for f in near_found]


def test_a_warning_is_hard_when_its_check_is_named() -> None:
    this = wanted(ILB, PEM)
    assert {f.outcome for f in check_on_cluster(this, aks(), {"smallCluster"})} == {"warning"}
    assert {f.outcome for f in check_on_cluster(this, aks(), {"internalLoadBalancerWithTls"})} == {"fail"}
    unknown = check_on_cluster(wanted(HTTP), aks(None), {"routerHighAvailability"})
    assert {f.outcome for f in unknown} == {"unknown"}, "what cannot be told is no warning"


def test_a_purpose_that_was_asked_for_is_not_commented_on() -> None:
    assert check_on_cluster(wanted(TRAINING, purpose="production"), aks(1)) == []


def test_a_misspelt_key_gets_a_hint() -> None:
    (found,) = check_on_cluster(wanted({**TRAINING, "instalPromOp": "x"}), aks())
    assert found.remedy == "Did you mean installPromOp?"


def test_what_is_not_documented_and_there_already_is_not_said_again() -> None:
    asked = wanted({**TRAINING, "old": "x", "new": "y"})
    found = check_on_cluster(asked, aks(), hard={"unknownSetting"}, there={"old"})
    assert [(f.check, f.outcome) for f in found] == [("unknownSetting", "fail")]
    assert "new" in found[0].message
