from __future__ import annotations

import hashlib

from domain.access.relay import (
    Relay,
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
    assert relay_in(lower) == Relay(relay.namespace.lower(), relay.connection.lower())
    assert relay_in({}) is None
    assert relay_in({"relayserver.hybridConnectionResourceID": "nonsense"}) is None


def test_bodies_are_those_of_the_cli() -> None:
    assert namespace_body("eastus") == {"location": "eastus", "tags": {"created_by": "Azure Arc-enabled ML"}}
    assert rule_body() == {"properties": {"rights": ["Manage", "Send", "Listen"]}}
