"""Every call of the simulated Azure demands the action that Azure documents for it."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest

from packages.controls.clock import ScaledClock
from packages.simulated_azure.app import build_router
from packages.simulated_azure.arm.routing import Route
from packages.simulated_azure.control.client import SimulatedAzure
from packages.simulated_azure.event_grid.delivery import Deliverer
from packages.simulated_azure.identity.tokens import TokenIssuer
from packages.simulated_azure.providers.event_subscriptions import EventSubscriptions
from packages.simulated_azure.store import Store
from packages.simulated_azure.tests.world import (
    CLUSTER,
    COMPUTE,
    GROUP,
    SUBSCRIPTION,
    WORKSPACE,
    compute_body,
)
from packages.simulated_azure.world import World

ENDINGS = {"GET": "/read", "PUT": "/write", "PATCH": "/write", "DELETE": "/delete", "POST": "/action"}
# The two that conditions look into, and what reaches as far as its assignable scopes.
CHECKED_BY_HANDLERS = {
    f"Microsoft.Authorization/{kind}/{verb}"
    for kind in ("roleAssignments", "roleDefinitions")
    for verb in ("write", "delete")
}
AKS, RBAC = "Microsoft.ContainerService/managedClusters", "Microsoft.Authorization"
SCOPE = f"/subscriptions/{SUBSCRIPTION}"


@pytest.fixture
def routes(tmp_path: Path) -> list[Route]:
    clock = ScaledClock(origin=0.0, factor=1.0)
    world = World(Store(tmp_path / "s.sqlite", keep=False), clock, TokenIssuer(tmp_path / "identity", "t"), "key")
    router = build_router(world, EventSubscriptions(world, Deliverer(world, None)))  # type: ignore[arg-type]
    return [route for _, route in router._routes]


def test_every_route_demands_an_action_of_its_own_kind(routes: list[Route]) -> None:
    assert len(routes) > 90
    wrong = [r for r in routes if not r.action.endswith(ENDINGS[r.method]) or not r.scope.startswith(("/", "{scope"))]
    assert wrong == []


def test_an_action_is_named_after_the_type_it_is_done_to(routes: list[Route]) -> None:
    """Status and results below ``locations`` are named after those, and what a subscription lists after itself."""
    for route in routes:
        namespace = "{namespace}" if route.action.startswith("{namespace}/") else route.resource_type.split("/")[0]
        assert route.action.startswith(f"{namespace}/"), route
        kind = re.search(r"/locations/[^/]+/(\w+)", route.pattern)
        if kind:
            assert route.action == f"{namespace}/locations/{kind[1]}/read"


def test_only_what_looks_into_the_request_is_checked_by_its_handler(routes: list[Route]) -> None:
    assert {r.action for r in routes if r.access == "handler"} == CHECKED_BY_HANDLERS


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("POST", f"{CLUSTER}/listClusterUserCredential", f"{AKS}/listClusterUserCredential/action"),
        ("POST", f"{CLUSTER}/runCommand", f"{AKS}/runCommand/action"),
        ("GET", f"{CLUSTER}/commandResults/x", f"{AKS}/commandResults/read"),
        ("GET", f"{CLUSTER}/trustedAccessRoleBindings", f"{AKS}/trustedAccessRoleBindings/read"),
        ("GET", f"{SCOPE}/providers/Microsoft.Compute/skus", "Microsoft.Compute/skus/read"),
        ("GET", f"{SCOPE}/providers/Microsoft.Relay", "Microsoft.Resources/subscriptions/providers/read"),
        ("POST", f"{SCOPE}/providers/Microsoft.Relay/register", "Microsoft.Relay/register/action"),
        (
            "GET",
            f"{SCOPE}/providers/Microsoft.ContainerService/locations/westeurope/kubernetesVersions",
            "Microsoft.ContainerService/locations/kubernetesVersions/read",
        ),
        (
            "GET",
            f"{SCOPE}/providers/Microsoft.MachineLearningServices/locations/westeurope/computeOperationsStatus/x",
            "Microsoft.MachineLearningServices/locations/computeOperationsStatus/read",
        ),
        (
            "GET",
            f"{SCOPE}/providers/Microsoft.MachineLearningServices/locations/westeurope/mfeOperationResults/x",
            "Microsoft.MachineLearningServices/locations/mfeOperationResults/read",
        ),
        (
            "GET",
            f"{CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions/a/operations/x",
            "Microsoft.KubernetesConfiguration/extensions/operations/read",
        ),
        (
            "POST",
            f"{GROUP}/providers/Microsoft.Relay/namespaces/r/hybridConnections/h/authorizationRules/a/listKeys",
            "Microsoft.Relay/namespaces/hybridConnections/authorizationRules/listkeys/action",
        ),
        ("GET", f"{CLUSTER}/providers/Microsoft.Authorization/permissions", "Microsoft.Authorization/permissions/read"),
        ("GET", f"{CLUSTER}/providers/{RBAC}/roleAssignments", f"{RBAC}/roleAssignments/read"),
    ],
)  # fmt: skip
def test_without_any_role_it_is_refused_by_its_action(
    azure: SimulatedAzure, method: str, path: str, action: str
) -> None:
    who = {"objectId": str(uuid.uuid4()), "clientId": str(uuid.uuid4())}
    azure.seed({"principals": [who]})
    answer = azure.arm(method, path, {} if method == "POST" else None, client_id=who["clientId"])
    assert (answer.status, answer.body["error"]["code"]) == (403, "AuthorizationFailed")
    assert f"'{action}'".lower() in answer.body["error"]["message"].lower()


def test_a_taken_write_cannot_be_polled_without_the_right_over_the_subscription(azure: SimulatedAzure) -> None:
    """Azure ML's operation URL is at the subscription: a role on the workspace does not reach it."""
    who = {"objectId": str(uuid.uuid4()), "clientId": str(uuid.uuid4())}
    azure.seed({"principals": [{**who, "roles": [{"role": "Contributor", "scope": WORKSPACE}]}]})
    taken = azure.arm("PUT", COMPUTE, compute_body(), client_id=who["clientId"])
    assert taken.status == 201, taken.body
    path = taken.headers["Azure-AsyncOperation"].removeprefix(azure.base_url)
    assert azure.arm("GET", path, client_id=who["clientId"]).status == 403
    azure.seed(
        {
            "roleDefinitions": [
                {
                    "Name": "Status",
                    "Actions": ["Microsoft.MachineLearningServices/locations/*/read"],
                    "AssignableScopes": [SCOPE],
                }
            ],
            "roleAssignments": [{"role": "Status", "scope": SCOPE, "principalId": who["objectId"]}],
        }
    )
    assert azure.arm("GET", path, client_id=who["clientId"]).status == 200
