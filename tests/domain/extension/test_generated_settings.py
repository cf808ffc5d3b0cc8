"""Settings that Moor alone says: no request gives one, in whatever spelling."""

from __future__ import annotations

import pytest

from domain.extension.keys import is_generated
from domain.extension.rules import check
from tests.domain.extension.making import TRAINING, texts

PLAIN, PROTECTED = "configurationSettings", "configurationProtectedSettings"
GENERATED = [
    "relayserver.hybridConnectionResourceID",
    "RELAYSERVER.hybridconnectionresourceid",
    "relayserver.hybridConnectionName",
    "cluster_name",
    "clusterId",
    "ClusterID",
    "prometheus.prometheusSpec.externalLabels.cluster_name",
    "cluster_name_friendly",
    "location",
    "jobSchedulerLocation",
    "domain",
    "servicebus.resourceID",
    "servicebus.topicSubMapping.a",
]


@pytest.mark.parametrize("name", GENERATED)
def test_what_moor_alone_says_is_refused_in_a_request(name: str) -> None:
    found = [v for v in check(texts({**TRAINING, name: "evil.example"}), {}) if "is generated" in v.message]
    assert [v.target for v in found] == [f"/extension/{PLAIN}/{name}"]
    hidden = [
        v for v in check(texts(TRAINING), {name: "https://v.vault.azure.net/secrets/s"}) if "is generated" in v.message
    ]
    assert [v.target for v in hidden] == [f"/extension/{PROTECTED}/{name}"]


def test_every_generated_field_of_a_request_is_named() -> None:
    named = {
        v.target for v in check(texts({**TRAINING, **dict.fromkeys(GENERATED, "x")}), {}) if "is generated" in v.message
    }
    assert named == {f"/extension/{PLAIN}/{name}" for name in GENERATED}


@pytest.mark.parametrize(
    "name",
    [
        "Cluster_Name",
        " clusterId",
        "clusterId[0]",
        "clusterId.x",
        "my.note=x,clusterId",
        "{clusterId}",
        "relayserver",
        "RELAYSERVER.hybridconnectionresourceid",
        "relayserver..hybridConnectionResourceID",
        "relayserver\\.hybridConnectionResourceID",
        "relayserver[hybridConnectionResourceID]",
        "relayserver.hybridConnectionResourceID[0]",
        "prometheus.prometheusSpec.externalLabels",
        "servicebus.topicSubMapping",
        "servicebus.topicsubmapping.x",
    ],
)
def test_no_spelling_of_a_generated_setting_is_accepted(name: str) -> None:
    assert [v for v in check(texts({**TRAINING, name: "evil.example"}), {}) if "is generated" in v.message]


@pytest.mark.parametrize(
    "name", ["nodeSelector.location", "relayserver.enabled", "my.domain", "domains", "clusterIds.x"]
)
def test_a_setting_beside_a_generated_one_is_not_it(name: str) -> None:
    assert not is_generated(name)
