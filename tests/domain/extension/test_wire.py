"""What is sent: generated, derived and asked for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.extension.keys import KEYS
from domain.extension.rules import check
from domain.extension.wanted import Wanted, wanted_extension
from domain.extension.wire import protected_name, wire_settings
from tests.domain.extension.making import (
    AKS,
    ARC,
    CERT,
    HTTP,
    PEM,
    TLS,
    TRAINING,
    aks,
    arc,
    wanted,
)


def test_what_is_generated_on_a_managed_cluster() -> None:
    plain, protected = wire_settings(Wanted(), aks())
    assert plain == {
        "enableTraining": "True",
        "enableInference": "False",
        "clusterPurpose": "FastProd",
        "cluster_name": AKS,
        "clusterId": AKS,
        "prometheus.prometheusSpec.externalLabels.cluster_name": AKS,
        "cluster_name_friendly": "aks",
        "location": "westeurope",
        "jobSchedulerLocation": "westeurope",
        "domain": "westeurope.cloudapp.azure.com",
        "servicebus.enabled": "false",
        "relayserver.enabled": "false",
        "nginxIngress.enabled": "true",
    }
    assert protected == ()


def test_what_is_otherwise_on_an_arc_cluster() -> None:
    on_aks, on_arc = wire_settings(Wanted(), aks())[0], wire_settings(Wanted(), arc())[0]
    assert {name for name in on_aks if on_aks[name] == on_arc[name]} == {
        "enableTraining", "enableInference", "clusterPurpose", "servicebus.enabled",
    }  # fmt: skip
    assert (on_arc["relayserver.enabled"], on_arc["nginxIngress.enabled"]) == ("true", "false")
    assert on_arc["clusterId"] == ARC


# (what is asked for, protected, what the wire must have, what it must not)
DERIVED: list[tuple[str, dict[str, Any], dict[str, str], dict[str, str], set[str]]] = [
    (
        "C13 node port",
        {**HTTP, "inferenceRouterServiceType": "NODEPORT"},
        {},
        {"scoringFe.serviceType.nodePort": "True"},
        set(),
    ),
    ("load balancer", HTTP, {}, {}, {"scoringFe.serviceType.nodePort", "scoringFe.serviceType.internalLoadBalancer"}),
    (
        "C11 internal",
        {**HTTP, "internalLoadBalancerProvider": "AZURE"},
        {},
        {"scoringFe.serviceType.internalLoadBalancer": "True"},
        set(),
    ),
    ("TLS secret", {**TLS, "sslSecret": "tls"}, {}, {"scoringFe.sslSecret": "tls"}, set()),
    (
        "C14 insecure wins",
        {**HTTP, "sslSecret": "tls", "sslCname": "a.b"},
        {},
        {"allowInsecureConnections": "True"},
        {"scoringFe.sslSecret"},
    ),
    ("C15 PEM wins", {**TLS, "sslSecret": "tls"}, PEM, {"sslSecret": "tls"}, {"scoringFe.sslSecret"}),
    (
        "C7 migration",
        {**HTTP, "isAKSMigration": True},
        {},
        {"scoringFe.namespace": "default", "isAKSMigration": "true"},
        set(),
    ),
    ("no migration in training", {**TRAINING, "isAKSMigration": True}, {}, {}, {"scoringFe.namespace"}),
    (
        "user's cluster name",
        {**TRAINING, "cluster_name": "mine"},
        {},
        {"cluster_name": "mine", "clusterId": "mine"},
        set(),
    ),
    ("user's domain", {**TRAINING, "domain": "d", "location": "l"}, {}, {"domain": "d", "location": "l"}, set()),
    (
        "numbers and switches are text",
        {**TRAINING, "x": 5, "installPromOp": "FALSE"},
        {},
        {"x": "5", "installPromOp": "False"},
        set(),
    ),
    ("purpose as documented", {**TRAINING, "clusterPurpose": "devtest"}, {}, {"clusterPurpose": "DevTest"}, set()),
]


@pytest.mark.parametrize(("asked", "protected", "has", "lacks"), [d[1:] for d in DERIVED], ids=[d[0] for d in DERIVED])
def test_what_is_derived(
    asked: dict[str, Any], protected: dict[str, str], has: dict[str, str], lacks: set[str]
) -> None:
    plain, _ = wire_settings(wanted(asked, protected), aks())
    assert plain.items() >= has.items()
    assert not lacks & set(plain)


@pytest.mark.parametrize(
    ("nodes", "asked", "purpose", "high", "cluster_purpose"),
    [
        (2, HTTP, None, "false", "DevTest"),
        (3, HTTP, None, None, "FastProd"),
        (None, HTTP, None, None, "FastProd"),
        (2, HTTP, "production", "false", "FastProd"),
        (3, HTTP, "devTest", None, "DevTest"),
        (2, {**HTTP, "clusterPurpose": "FastProd"}, "devTest", "false", "FastProd"),
        (2, {**HTTP, "inferenceRouterHA": False}, None, "False", "DevTest"),
        (2, TRAINING, None, None, "DevTest"),
    ],
)
def test_small_clusters(
    nodes: int | None, asked: dict[str, Any], purpose: str | None, high: str | None, cluster_purpose: str
) -> None:
    plain, _ = wire_settings(wanted(asked, purpose=purpose), aks(nodes))
    assert plain.get("inferenceRouterHA") == high
    assert plain["clusterPurpose"] == cluster_purpose


@pytest.mark.parametrize(
    ("distribution", "openshift"), [("openshift", "true"), ("OpenShift", "true"), ("k3s", None), (None, None)]
)
def test_openshift(distribution: str | None, openshift: str | None) -> None:
    assert wire_settings(Wanted(), arc(distribution=distribution))[0].get("openshift") == openshift


def test_which_protected_settings_are_sent() -> None:
    protected = {**PEM, "my.own": CERT}
    assert set(wire_settings(wanted(TLS, protected), aks())[1]) == set(protected)
    for asked in (TRAINING, {**HTTP, "sslCname": "a.b"}):
        assert wire_settings(wanted(asked, protected), aks())[1] == ("my.own",)
    assert [protected_name(name) for name in protected] == ["scoringFe.sslCert", "scoringFe.sslKey", "my.own"]


def test_an_absent_extension_is_training() -> None:
    assert wanted_extension({}) == wanted_extension({"extension": {}}) == Wanted()
    assert wanted_extension({"clusterPurpose": "devTest"}).purpose == "devTest"


names = st.sampled_from([*KEYS, *PEM, "x", "my.own", "nodeSelector.a"]) | st.text(min_size=1, max_size=12)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(
    asked=st.dictionaries(names, st.booleans() | st.sampled_from(["azure", "nodePort", "a.b", "x"]), max_size=6),
    protected=st.sets(names, max_size=4),
    nodes=st.none() | st.integers(0, 5),
    connected=st.booleans(),
)
def test_no_protected_value_is_ever_plain(
    asked: dict[str, Any], protected: set[str], nodes: int | None, connected: bool
) -> None:
    """Whatever is asked for, also against the rules: no reference leaks; the rules keep names apart, too."""
    references = {name: f"https://kv-one.vault.azure.net/secrets/s{i}" for i, name in enumerate(sorted(protected))}
    this = wanted(asked, references)
    plain, sent = wire_settings(this, (arc if connected else aks)(nodes))
    assert set(sent) <= set(references)
    assert not set(plain.values()) & set(references.values())
    assert all(isinstance(value, str) for value in plain.values())
    if not check(this.settings, this.protected):
        assert not {protected_name(name) for name in references} & set(plain)
        assert not set(PEM) & set(plain)


@pytest.mark.parametrize("name", ["nodeSelector.team.contoso.com/ml", r"nodeSelector.team\.contoso\.com/ml"])
def test_r4_dots_of_a_label_are_escaped_for_helm_however_they_are_asked_for(name: str) -> None:
    asked = wanted_extension({"extension": {"configurationSettings": {"enableTraining": "True", name: "true"}}})
    assert asked.node_selector == {"team.contoso.com/ml": "true"}
    for given_ in (asked, wanted({**TRAINING, name: "true"})):
        plain, _ = wire_settings(given_, aks())
        assert {k: v for k, v in plain.items() if "Selector" in k} == {r"nodeSelector.team\.contoso\.com/ml": "true"}


@pytest.mark.parametrize("distribution", ["OpenShift", "openshift", "OPENSHIFT"])
def test_r9_openshift_is_derived_in_any_letter_case_and_the_request_has_the_last_word(distribution: str) -> None:
    assert wire_settings(wanted(TRAINING), arc(distribution=distribution))[0]["openshift"] == "true"
    asked = wanted({**TRAINING, "openshift": False})
    assert wire_settings(asked, arc(distribution=distribution))[0]["openshift"] == "False"
    assert wire_settings(wanted({**TRAINING, "openshift": True}), arc(distribution="generic"))[0]["openshift"] == "True"
