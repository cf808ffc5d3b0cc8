"""Ids and their parts."""

from __future__ import annotations

from packages.simulated_azure.arm import resources
from packages.simulated_azure.tests.world import (
    CLUSTER,
    EXTENSION,
    GROUP,
    SUBSCRIPTION,
    WORKSPACE,
)


def test_parts_of_ids() -> None:
    assert resources.subscription_of(EXTENSION) == SUBSCRIPTION
    assert resources.group_of(CLUSTER.upper()) == GROUP.upper()
    assert resources.group_of(f"/subscriptions/{SUBSCRIPTION}") == ""
    assert resources.parent_of(f"{WORKSPACE}/computes/x") == WORKSPACE
    assert resources.parent_of(EXTENSION) == CLUSTER
    assert resources.key_of(CLUSTER.strip("/") + "/") == CLUSTER.lower()
