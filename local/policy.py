"""The policy of a stack: everything in its own subscriptions is allowed, and nothing anywhere else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from local import world

# Subscriptions that scenarios add, for apps with less than the usual rights.
NARROW = tuple(f"0c0ffee0-0000-4000-8000-0000000002{number:02}" for number in range(20))
# Others, whose providers are not registered.
FRESH = tuple(f"0c0ffee0-0000-4000-8000-0000000001{number:02}" for number in range(20))
_ROLES = (
    "Reader",
    "Kubernetes Extension Contributor",
    "Azure Kubernetes Service Cluster Admin Role",
    "Azure Relay Owner",
    "AcrPull",
    "Storage Blob Data Contributor",
)
_EVERYBODY = {"reader": ["*"], "operator": ["*"], "approver": ["*"], "privileged": ["*"]}


def entry(subscription: str, **changes: Any) -> dict[str, Any]:
    """An entry for every workspace of a subscription that allows all that exists in it, but for others' relays."""
    below = f"/subscriptions/{subscription}/resourceGroups/*/providers"
    return {
        "match": f"{below}/Microsoft.MachineLearningServices/workspaces/*",
        "who": _EVERYBODY,
        "clusters": [
            f"{below}/Microsoft.ContainerService/managedClusters/*",
            f"{below}/Microsoft.Kubernetes/connectedClusters/*",
        ],
        "namespaces": ["*"],
        "secrets": ["https://*.vault.azure.net/secrets/*", "https://*.vault.azure.test/secrets/*"],
        "identities": [f"{below}/Microsoft.ManagedIdentity/userAssignedIdentities/*"],
        "chartSettings": ["*", "*.*", "*.*.*"],
        "relays": [],
        "grantableRoles": list(_ROLES),
        "approval": "never",
        "events": False,
        "administratorCredential": True,
        "runCommand": True,
        **changes,
    }


def policy_of(
    subscriptions: Iterable[str] = (world.SUBSCRIPTION, *NARROW, *FRESH), events_at: Iterable[str] = (), **changes: Any
) -> str:
    """The policy as the setting MOOR_POLICY holds it; ``changes`` are to every entry.

    ``events_at`` are workspaces where tags and events may begin operations, and a removed tag a detach.
    """
    entries = [
        entry(each.split("/")[2], match=each, **{"onUntag": {"action": "detach"}, **changes, "events": True})
        for each in events_at
    ]
    entries += [entry(subscription, **changes) for subscription in subscriptions]
    return json.dumps({"version": 1, "workspaces": entries}, separators=(",", ":"))
