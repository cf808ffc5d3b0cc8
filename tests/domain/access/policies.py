"""Policies for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from domain.access.policy import Entry, Policy, parse_policy
from domain.access.principal import Principal
from tests.making import CLUSTER_ID, SUB, WORKSPACE_ID

EXAMPLE = Path(__file__).parents[3] / "docs/policy.example.json"
GROUPS = f"/subscriptions/{SUB}/resourceGroups"
IDENTITY = f"{GROUPS}/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/pull"
ADA, GRACE, PIPELINE = (f"7d9f0000-0000-4000-8000-00000000000{digit}" for digit in "abc")
TENANT = "7d9f0000-0000-4000-8000-0000000000ff"


def example() -> dict[str, Any]:
    """The example of the contract without what a later release brings."""
    document: dict[str, Any] = json.loads(EXAMPLE.read_bytes())
    del document["workspaces"][0]["create"]
    return document


def document(**changes: Any) -> dict[str, Any]:
    """A policy of one entry, for the workspace and the cluster of the tests, with changes."""
    entry = {
        "match": WORKSPACE_ID,
        "who": {"operator": [f"user:{ADA}"], "approver": [f"user:{GRACE}"], "privileged": []},
        "clusters": [CLUSTER_ID],
        "namespaces": ["default", "ml-*"],
        "secrets": ["https://team-tls.vault.azure.net/secrets/*"],
        "identities": [IDENTITY],
        "chartSettings": ["chart.*"],
        "grantableRoles": ["Reader"],
        **changes,
    }
    return {"version": 1, "workspaces": [entry]}


def parsed(body: Any) -> Policy:
    return parse_policy(json.dumps(body).encode())


def entry_with(**changes: Any) -> Entry:
    return parsed(document(**changes)).workspaces[0]


def person(*roles: str, object_id: str = ADA, groups: tuple[str, ...] = (), kind: str = "user") -> Principal:
    return Principal(TENANT, object_id, kind, frozenset(roles), frozenset(groups))
