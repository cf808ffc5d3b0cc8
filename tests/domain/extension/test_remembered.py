from __future__ import annotations

import pytest

from domain.access.relay import relay_of, relay_settings
from domain.arm_ids import parse_arm_id
from domain.extension import rules
from domain.extension.cluster_facts import ClusterFacts
from domain.extension.keys import KEYS, PROTECTED, WRONG
from domain.extension.remembered import settings_to_keep
from domain.extension.wanted import Wanted
from domain.extension.wire import derived_settings, generated_settings
from tests.domain.extension.making import AKS, ARC

CERTIFICATE = "-----BEGIN CERTIFICATE-----"
JUST_TEXT = {"own": "y", "nginx.replicas": "2", "proxy.url": "http://proxy.example:3128", "certManager.enabled": "true"}


def test_what_somebody_asked_for_is_kept_documented_or_not() -> None:
    asked = {"enableTraining": "True", "nodeSelector.pool": "gpu", "toleration[0].key": "gpu", **JUST_TEXT}
    kept = settings_to_keep(asked)
    assert kept.settings == asked
    assert kept.left_out == ()
    assert rules.check(kept.settings, {}) == []


@pytest.mark.parametrize("cluster", [AKS, ARC])
def test_what_every_installation_generates_is_not(cluster: str) -> None:
    facts = ClusterFacts(parse_arm_id(cluster), "westeurope", distribution="openshift")
    router = {"enableInference": "True", "sslSecret": "tls", "sslCname": "a.example", "isAKSMigration": "true"}
    generated = generated_settings(facts, {}) | relay_settings(relay_of(facts.cluster))
    for more in ({"inferenceRouterServiceType": "nodePort"}, {"internalLoadBalancerProvider": "azure"}):
        derived = derived_settings(Wanted({**router, **more, "clusterPurpose": "FastProd"}), facts)
        topics = {"servicebus.topicSubMapping.jobstate-updatedby-computeprovider": "compute-scheduler-jobstate"}
        kept = settings_to_keep({**generated, **derived, **topics, **router, **more, "blank": " ", "none": None})
        assert (kept.settings, kept.left_out) == ({**router, **more}, ())


def test_a_secret_named_as_arm_names_it_can_be_asked_for() -> None:
    there = {"enableInference": "True", "scoringFe.sslSecret": "tls"}
    assert settings_to_keep(there).settings == {"enableInference": "True", "sslSecret": "tls"}
    assert settings_to_keep({**there, "sslSecret": "mine"}).settings["sslSecret"] == "mine"
    assert "sslSecret" not in settings_to_keep({**there, "allowInsecureConnections": "True"}).settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "x") for name in (*PROTECTED, *PROTECTED.values())),
        *((name, "x") for name in ("proxy.password", "db.connectionString", "azure_log_analytics.connection_string")),
        *((name, "x") for name in ("api_token", "storage.accountKey", "tls-key", "kubeConfig", "server.pem", "listed")),
        *((name, CERTIFICATE) for name in ("own", "sslCname")),
        ("own", "Endpoint=sb://a.servicebus.windows.net/;SharedAccessKeyName=a;SharedAccessKey=abc="),
        ("own", "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t"),
        ("own", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"),
        ("own", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmVk"),
        ("proxy.url", "http://me:open-sesame@proxy.example:3128"),
        # No secret, but nothing that an attach request may carry.
        ("values", "a: 1\nb: 2"),
        *((name, "True") for name in WRONG if not name.startswith("scoringFe.")),
    ],
)  # fmt: skip
def test_what_may_be_a_secret_or_cannot_be_asked_for_is_named_only(name: str, value: str) -> None:
    kept = settings_to_keep({"enableTraining": "True", name: value}, protected=("listed",))
    assert (kept.settings, kept.left_out) == ({"enableTraining": "True"}, (name,))


def test_no_documented_name_is_taken_for_a_secret() -> None:
    assert settings_to_keep(dict.fromkeys(KEYS, "x")).left_out == ()
