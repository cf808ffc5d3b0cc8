"""Relays, and the resources that are only read: held against the official examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from packages.simulated_azure.control.client import SimulatedAzure
from packages.simulated_azure.tests.world import (
    GROUP,
    READER,
    WORKSPACE,
    until,
)

RELAY = f"{GROUP}/providers/Microsoft.Relay/namespaces/edgerelay"
CONNECTION = f"{RELAY}/hybridConnections/edge-one"
RULE = f"{CONNECTION}/authorizationRules/azureml_rw"


def make(azure: SimulatedAzure) -> dict[str, Any]:
    made = azure.arm("PUT", RELAY, {"location": "westeurope", "tags": {"created_by": "me"}})
    states = {201: "Created", 200: "Succeeded"}
    assert made.body["properties"]["provisioningState"] == states[made.status]

    def ready() -> dict[str, Any] | None:
        read = azure.arm("GET", RELAY)
        done = read.status == 200 and read.body["properties"]["provisioningState"] == "Succeeded"
        return read.body if done else None

    return until(ready)


def make_rule(azure: SimulatedAzure) -> dict[str, Any]:
    make(azure)
    connection = azure.arm("PUT", CONNECTION, {"properties": {"requiresClientAuthorization": True}})
    assert connection.status == 200, connection.body
    rule = azure.arm("PUT", RULE, {"properties": {"rights": ["Manage", "Send", "Listen"]}})
    assert rule.status == 200, rule.body
    keys = azure.arm("POST", f"{RULE}/listKeys")
    assert keys.status == 200, keys.body
    return dict(keys.body)


def test_life_of_a_relay(azure: SimulatedAzure) -> None:
    assert make(azure)["tags"] == {"created_by": "me"}
    assert [item["name"] for item in azure.arm("GET", RELAY.rsplit("/", 1)[0]).body["value"]] == ["edgerelay"]
    keys = make_rule(azure)
    assert keys["primaryConnectionString"] == (
        "Endpoint=sb://edgerelay.servicebus.windows.net/;SharedAccessKeyName=azureml_rw;"
        f"SharedAccessKey={keys['primaryKey']};EntityPath=edge-one"
    )
    assert make_rule(azure) == keys  # Asking again changes no key.
    assert "primaryKey" not in json.dumps(azure.arm("GET", RULE).body)
    assert azure.arm("DELETE", RELAY).status == 200
    assert [azure.arm("GET", path).status for path in (RELAY, CONNECTION, RULE)] == [404, 404, 404]


def test_what_a_relay_refuses(azure: SimulatedAzure) -> None:
    assert azure.arm("PUT", CONNECTION, {"properties": {}}).body["error"]["code"] == "ParentResourceNotFound"
    assert azure.arm("PUT", f"{RELAY[:-9]}1x", {"location": "westeurope"}).status == 400
    make_rule(azure)
    assert azure.arm("PUT", RULE, {"properties": {"rights": ["Manage"]}}).status == 400
    assert azure.arm("GET", RULE, client_id=READER).status == 200
    assert azure.arm("POST", f"{RULE}/listKeys", client_id=READER).status == 403


def test_answers_have_the_members_of_the_examples(azure: SimulatedAzure, examples: Path) -> None:
    keys = make_rule(azure)
    for name, body in (
        ("relay/namespaces_get.json", azure.arm("GET", RELAY).body),
        ("relay/hybrid_connections_create_or_update.json", azure.arm("GET", CONNECTION).body),
        ("relay/hybrid_connections_list_keys.json", keys),
    ):
        wanted = json.loads((examples / name).read_text())["responses"]["200"]["body"]
        assert not _missing(wanted, body), name
    user = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ml"
    azure.seed({"resources": [{"id": user}]})
    wanted = json.loads((examples / "managedidentity/user_assigned_identities_get_2024-11-30.json").read_text())
    read = azure.arm("GET", user).body
    assert _missing(wanted["responses"]["200"]["body"], read) == ["isolationScope"]


def test_a_workspace_brings_what_it_refers_to(azure: SimulatedAzure) -> None:
    user = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ml"
    registry = f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/trainacr"
    identity = {"type": "UserAssigned", "userAssignedIdentities": {user: {}}}
    azure.seed({"workspaces": [{"id": WORKSPACE, "identity": identity, "properties": {"containerRegistry": registry}}]})
    workspace = azure.arm("GET", WORKSPACE).body
    for referred in (user, registry, workspace["properties"]["storageAccount"]):
        assert azure.arm("GET", referred).body["id"] == referred
    in_workspace = workspace["identity"]["userAssignedIdentities"][user]["principalId"]
    assert azure.arm("GET", user).body["properties"]["principalId"] == in_workspace


def _missing(wanted: dict[str, Any], body: dict[str, Any]) -> list[str]:
    missing = [name for name in wanted if name not in body]
    for name, value in wanted.items():
        if isinstance(value, dict) and isinstance(body.get(name), dict) and name != "tags":
            missing += _missing(value, body[name])
    return missing
