"""Places where the app's identity has less than the shipped role, each in a subscription of its own."""

from __future__ import annotations

import itertools

from local import app_roles
from local import world as worlds
from local.stack import Stack
from tests.scenarios.helpers import Place

_numbers = itertools.count(1)


def place_without(stack: Stack, *actions: str) -> Place:
    """A workspace and a cluster in a subscription where the app's role lacks these actions."""
    number = next(_numbers)
    subscription = f"/subscriptions/0c0ffee0-0000-4000-8000-0000000002{number:02}"
    group = f"{subscription}/resourceGroups/narrow/providers"
    place = Place(
        f"{group}/Microsoft.MachineLearningServices/workspaces/narrow-{number}",
        f"{group}/Microsoft.ContainerService/managedClusters/narrow-{number}",
        f"narrow-{number}",
    )
    name = f"Moor without something {number}"
    stack.azure.seed(
        {
            "subscriptions": [{"subscriptionId": subscription.rsplit("/", 1)[-1]}],
            "roleDefinitions": [app_roles.narrower(name, actions, [subscription])],
            "roleAssignments": [
                app_roles.role(subscription, name),
                {"role": "Owner", "scope": subscription, "principalId": worlds.ENGINEER_OBJECT},
            ],
            "workspaces": [{"id": place.workspace_id, "location": worlds.LOCATION}],
            "clusters": [{"id": place.cluster_id, **worlds.cluster_body()}],
        }
    )
    return place
