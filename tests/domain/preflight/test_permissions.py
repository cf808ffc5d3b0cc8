"""What the app's identity may do: what worries the check, and near misses that pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domain.access.roles import Seen, workspace_needs
from domain.preflight.facts import ExtensionFacts, Permission, Unread
from domain.preflight.permissions import allows, app_permissions, needed_on_cluster, needed_on_workspace
from tests.domain.preflight.case import Case, assert_judged, untested
from tests.domain.preflight.clusters import (
    ARC_ID,
    CLUSTER_ID,
    DOWN,
    facts,
)

READER = Permission(("*/read",))
OPERATOR = Permission(("Microsoft.MachineLearningServices/workspaces/computes/*",))
EXTENDER = Permission(
    tuple(f"Microsoft.KubernetesConfiguration/extensions/{a}" for a in ("read", "write", "delete", "operations/read"))
)
# What Moor ships; the right to grant roles is assigned apart.
SHIPPED = (Permission(tuple(json.loads((Path(__file__).parents[3] / "infra/roles/moor.json").read_text())["Actions"])),)
NEEDS = workspace_needs("p-1", CLUSTER_ID, None)
UNREGISTERED = {"Microsoft.KubernetesConfiguration": "NotRegistered", "Microsoft.ContainerService": "Registered"}


CASES = (
    Case(
        "appPermissions", "may not grant",
        facts(
            workspace_roles=Seen(missing=NEEDS), request={"grantRoles": True},
            workspace_permissions=(READER, OPERATOR), cluster_permissions=(READER, EXTENDER),
        ),
        "fail", "Microsoft.Authorization/roleAssignments/write on aks",
    ),
    Case(
        "appPermissions", "reads only", facts(workspace_permissions=(READER,), cluster_permissions=(READER, EXTENDER)),
        "fail", "Microsoft.MachineLearningServices/workspaces/computes/write on ws",
    ),
    Case(
        "appPermissions", "no extensions",
        facts(workspace_permissions=(READER, OPERATOR), cluster_permissions=(READER,)),
        "fail", "Microsoft.KubernetesConfiguration/extensions/write on aks",
    ),
    Case(
        "appPermissions", "could not undo",
        facts(
            workspace_permissions=(READER, OPERATOR),
            cluster_permissions=(READER, Permission(EXTENDER.actions, (EXTENDER.actions[2],))),
        ),
        "fail", "Microsoft.KubernetesConfiguration/extensions/delete on aks",
    ),
    Case(
        "appPermissions", "has nothing to undo",
        facts(
            request={"onFailure": "keep"}, workspace_permissions=(READER, OPERATOR),
            cluster_permissions=(READER, Permission(EXTENDER.actions, (EXTENDER.actions[2],))),
        ),
        "pass",
    ),
    Case(
        "appPermissions", "no right to register",
        facts(
            providers=UNREGISTERED, request={"registerProviders": True},
            workspace_permissions=(READER, OPERATOR), cluster_permissions=(READER, EXTENDER),
        ),
        "fail", "Microsoft.KubernetesConfiguration/register/action on aks",
    ),
    Case(
        "appPermissions", "taken out of the role",
        facts(workspace_permissions=(Permission(("*",), ("Microsoft.MachineLearningServices/*/Write",)),)),
        "fail", "write",
    ),
    Case(
        "appPermissions", "the extension is there and stays",
        facts(
            extension=ExtensionFacts(), workspace_permissions=(READER, OPERATOR), cluster_permissions=(READER,),
        ),
        "pass",
    ),
    Case(
        "appPermissions", "the least",
        facts(workspace_permissions=(READER, OPERATOR), cluster_permissions=(READER, EXTENDER)), "pass",
    ),
    Case(
        "appPermissions", "the shipped role",
        facts(workspace_permissions=SHIPPED, cluster_permissions=SHIPPED), "pass",
    ),
    Case(
        "appPermissions", "the shipped role, on Azure Arc with what goes wrong taken back",
        facts(
            workspace_permissions=SHIPPED, cluster_permissions=SHIPPED, cluster_id=ARC_ID,
            request={"onFailure": "undo", "smokeTest": "training"},
        ), "pass",
    ),
    Case(
        "appPermissions", "the shipped role does not grant roles",
        facts(
            workspace_permissions=SHIPPED, cluster_permissions=SHIPPED, workspace_roles=Seen(missing=NEEDS),
            request={"grantRoles": True},
        ), "fail", "roleAssignments/write",
    ),
    Case(
        "appPermissions", "under a condition",
        facts(workspace_permissions=(READER, Permission(OPERATOR.actions, conditional=True))),
        "unknown", "under a condition",
    ),
    Case(
        "appPermissions", "under a condition, and without one by another role",
        facts(workspace_permissions=(Permission(("*",), conditional=True), READER, OPERATOR)), "pass",
    ),
    Case("appPermissions", "cannot be read", facts(cluster_permissions=DOWN), "unknown", "503"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.check}: {c.name}")
def test_a_check(case: Case) -> None:
    assert_judged(case)


def test_every_check_has_a_worry_and_a_near_miss() -> None:
    assert untested("domain.preflight.permissions", CASES) == set()


@pytest.mark.parametrize(
    ("permissions", "allowed"),
    [
        ((), False),
        ((Permission(("*",)),), True),
        ((Permission(("A/b/*",)),), True),
        ((Permission(("a/B/C",)),), True),
        ((Permission(("*/read",)),), False),
        ((Permission(("A/b",)),), False),
        ((Permission(("A.b/c",)),), False),
        ((Permission(("*",), ("A/*/c",)),), False),
        ((Permission(("*",), ("A/*/c",)), Permission(("A/b/c",))), True),
        ((Permission(("*",), conditional=True),), None),
        ((Permission(("*",), conditional=True), Permission(("A/b/c",))), True),
    ],
)
def test_what_a_role_takes_out_it_takes_out_of_itself_only(
    permissions: tuple[Permission, ...], allowed: bool | None
) -> None:
    assert allows(permissions, "A/b/c") is allowed


@pytest.mark.parametrize("pattern", ["*" * 40 + "!", "*e*" * 40 + "!", ("*" + "s") * 2000])
def test_a_pattern_of_many_stars_takes_no_time(pattern: str) -> None:
    """An expression took half a second for six stars, and thirteen times as long for each one more."""
    assert allows([Permission((pattern,))], "Microsoft.MachineLearningServices/workspaces/computes/write") is False
    assert allows([Permission(("*" * 40 + "/WRITE",))], "Microsoft.MachineLearningServices/workspaces/write") is True


@pytest.mark.parametrize(
    ("request_", "reattach", "more"),
    [
        ({"onFailure": "keep"}, False, set()),
        ({"onFailure": "undo"}, False, {"computes/delete"}),
        ({"onFailure": "keep"}, True, {"computes/delete"}),
        ({"onFailure": "keep", "smokeTest": "training"}, False, {"jobs/write", "environments/versions/write"}),
        ({"onFailure": "keep", "smokeTest": "none"}, False, set()),
    ],
)
def test_the_workspace_is_changed_by_what_is_asked_for(
    request_: dict[str, str], reattach: bool, more: set[str]
) -> None:
    needed = needed_on_workspace(facts(request=request_, reattach=reattach))
    prefix = "Microsoft.MachineLearningServices/workspaces/"
    assert {action.removeprefix(prefix) for action in needed} == {"read", "computes/read", "computes/write"} | more


def test_an_extension_that_cannot_be_read_may_have_to_be_installed() -> None:
    wanted = "Microsoft.KubernetesConfiguration/extensions/write"
    assert wanted in set(needed_on_cluster(facts(extension=Unread("no"))))
    assert wanted in set(needed_on_cluster(facts(extension=ExtensionFacts(change="updated"))))
    assert wanted not in set(needed_on_cluster(facts(extension=ExtensionFacts())))


def test_a_relay_is_made_for_an_arc_cluster_that_gets_the_extension() -> None:
    relay = "Microsoft.Relay/namespaces/write"
    assert relay in set(needed_on_cluster(facts(cluster_id=ARC_ID)))
    assert relay not in set(needed_on_cluster(facts(cluster_id=ARC_ID, extension=ExtensionFacts())))
    assert relay not in set(needed_on_cluster(facts()))


@pytest.mark.parametrize(
    ("changes", "role"),
    [
        ({"workspace_permissions": (READER,)}, "'AzureML Compute Operator'"),
        ({"cluster_permissions": (READER,)}, "'Kubernetes Extension Contributor'"),
        (
            {"workspace_permissions": (READER, OPERATOR), "request": {"smokeTest": "training"}},
            "'AzureML Data Scientist'",
        ),
        ({"cluster_permissions": ()}, "Reader"),
        (
            {
                "cluster_permissions": (READER, EXTENDER),
                "request": {"grantRoles": True},
                "workspace_roles": Seen(missing=NEEDS),
            },
            "'Role Based Access Control Administrator'",
        ),
        ({"cluster_permissions": (READER, EXTENDER), "cluster_id": ARC_ID}, "'Azure Relay Owner'"),
        (
            {
                "cluster_permissions": (READER, EXTENDER),
                "providers": UNREGISTERED,
                "request": {"registerProviders": True},
            },
            "Contributor",
        ),
    ],
)
def test_the_command_grants_the_least_role_that_has_the_action(changes: dict[str, Any], role: str) -> None:
    judged = app_permissions(facts(**changes))
    assert f" --role {role} --scope " in str(judged.command)
