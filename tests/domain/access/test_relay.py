from __future__ import annotations

import hashlib

import pytest

from domain.access.relay import (
    is_own,
    may_use,
    namespace_body,
    relay_in,
    relay_of,
    relay_settings,
    rule_body,
)
from domain.arm_ids import parse_arm_id

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/factory-7"
ARC = f"{GROUP}/providers/Microsoft.Kubernetes/connectedClusters/edge_one.a"


def test_a_long_name_is_cut_and_ends_in_a_digest_of_all_of_it() -> None:
    relay = relay_of(parse_arm_id(ARC))
    whole = f"edge_one.a-{SUBSCRIPTION}-factory-7-relay"
    plain = "".join(c for c in whole if c.isalnum())
    name = relay.namespace.rsplit("/", 1)[-1]
    assert name == plain[:44] + hashlib.md5(whole.encode(), usedforsecurity=False).hexdigest()[:6]
    assert len(name) == 50
    assert relay.namespace == f"{GROUP}/providers/Microsoft.Relay/namespaces/{name}"
    assert relay.connection == f"{relay.namespace}/hybridConnections/edge_one.a"
    assert relay.rule == f"{relay.connection}/authorizationRules/azureml_rw"


def test_the_spelling_of_the_group_counts() -> None:
    assert relay_of(parse_arm_id(ARC)) != relay_of(parse_arm_id(ARC.replace("factory", "Factory")))


def test_an_extension_tells_its_relay() -> None:
    relay = relay_of(parse_arm_id(ARC))
    assert relay_in(relay_settings(relay)) == relay
    lower = {"relayserver.hybridConnectionResourceID": relay.connection.lower()}
    there = relay_in(lower)
    assert there is not None
    assert there.connection.lower() == relay.connection.lower()
    assert is_own(there, parse_arm_id(ARC))
    assert relay_in({}) is None
    for forged in ("nonsense", f"@evil.example{relay.connection}", f"{relay.connection}/x", 7, ["x"]):
        with pytest.raises(ValueError, match=r"\S"):
            relay_in({"relayserver.hybridConnectionResourceID": forged})


def test_a_relay_is_the_clusters_own_by_group_and_name() -> None:
    cluster, short = parse_arm_id(ARC), parse_arm_id(ARC.replace("edge_one.a", "e").replace("factory-7", "f"))
    own = relay_of(cluster)
    others = relay_of(parse_arm_id(ARC.replace("factory", "Factory")))
    assert others.namespace != own.namespace
    assert is_own(others, cluster)  # The digest of another spelling of the same group.
    assert is_own(relay_of(short), short)
    for forged in (
        own.connection.replace("factory-7", "factory-8"),
        own.connection.replace(SUBSCRIPTION, SUBSCRIPTION.replace("1", "2")),
        own.connection.replace("/namespaces/", "/namespaces/x"),
        own.connection.replace("/hybridConnections/", "x/hybridConnections/"),
        own.connection + "x",
    ):
        relay = relay_in({"relayserver.hybridConnectionResourceID": forged})
        assert relay is not None
        assert not is_own(relay, cluster)
        assert not may_use(relay, cluster)
        assert may_use(relay, cluster, lambda namespace: True)
    longer = relay_in(
        {"relayserver.hybridConnectionResourceID": relay_of(short).connection.replace("relay/", "relay0/")}
    )
    assert longer is not None
    assert not is_own(longer, short)


def test_bodies_are_those_of_the_cli() -> None:
    assert namespace_body("eastus") == {"location": "eastus", "tags": {"created_by": "Azure Arc-enabled ML"}}
    assert rule_body() == {"properties": {"rights": ["Manage", "Send", "Listen"]}}
