from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.arm_ids import (
    JOB,
    MANAGED_CLUSTER,
    ONLINE_DEPLOYMENT,
    SCHEDULE,
    WORKSPACE,
    ArmId,
    ArmPath,
    Resource,
    checked_path,
    compute_id,
    extension_id,
    group_path,
    guid_in,
    parse_arm_id,
    parse_resource,
    parse_scope,
    region_in,
    resource_at,
    same_resource,
    subscription_path,
)

SUB = "11111111-2222-3333-4444-555555555555"
WS = f"/subscriptions/{SUB}/resourceGroups/Rg-1/providers/Microsoft.MachineLearningServices/workspaces/ws"


@pytest.mark.parametrize("text", [WS, WS[1:], WS + "/", WS.lower(), WS.upper(), f" {WS} "])
def test_every_spelling_is_the_same_workspace(text: str) -> None:
    parsed = parse_arm_id(text, WORKSPACE)
    assert parsed.resource_type == WORKSPACE
    assert parsed.key == WS.lower()
    assert same_resource(str(parsed), WS)


def test_the_canonical_spelling_keeps_the_callers_group_and_name() -> None:
    text = WS.replace("resourceGroups", "resourcegroups").replace("Microsoft.Machine", "microsoft.machine")
    assert str(parse_arm_id(text, WORKSPACE)) == WS


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "ARM id of the form"),
        ("/subscriptions/x", "ARM id of the form"),
        (WS + "/computes/c", "ARM id of the form"),
        (WS.replace(SUB, "not-a-guid"), "not a subscription id"),
        (WS.replace("Rg-1", "rg."), "not a valid resource group"),
        (WS.replace("Rg-1", "a" * 91), "not a valid resource group"),
        (WS.replace("/ws", "/w$"), "not a valid resource name"),
        (WS.replace("workspaces", "registries"), "expected Microsoft.MachineLearningServices/workspaces"),
        (WS.replace("subscriptions", "subscription"), "ARM id of the form"),
    ],
)
def test_what_is_no_such_id_is_refused_with_a_reason(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_arm_id(text, WORKSPACE)


@pytest.mark.parametrize("group", ["größe", "ÄÖ-1", "группа", "组", "Şehir", "\u03a9\u0394-1"])
def test_groups_may_have_names_of_any_script(group: str) -> None:
    assert parse_arm_id(WS.replace("Rg-1", group), WORKSPACE).resource_group == group


@pytest.mark.parametrize("group", ["\u212a8s", "rg-\u212a", "\u212bngstrom", "\u2126", "\u0130zmir", "gro\u1e9ee"])
def test_no_group_has_a_name_that_lower_case_takes_for_another(group: str) -> None:
    """The sign of Kelvin is no k to Azure: a policy for k8s does not mean the group of somebody who knows this."""
    text = WS.replace("Rg-1", group)
    for parse in (parse_arm_id, parse_resource, parse_scope):
        with pytest.raises(ValueError, match="not a valid resource group name"):
            parse(text)
    with pytest.raises(ValueError, match="not a valid resource group name"):
        group_path(SUB, group)


def test_ids_of_children() -> None:
    workspace = parse_arm_id(WS, WORKSPACE)
    assert compute_id(workspace, "gpu") == f"{WS}/computes/gpu"
    cluster = parse_arm_id(f"/subscriptions/{SUB}/resourceGroups/r/providers/{MANAGED_CLUSTER}/aks", MANAGED_CLUSTER)
    assert extension_id(cluster, "azureml").endswith(
        "/managedClusters/aks/providers/Microsoft.KubernetesConfiguration/extensions/azureml"
    )


HOSTILE = [
    "@evil.example",
    "\\evil.example",
    "?x=y",
    "#x",
    "%2f..%2f",
    "a/../b",
    "a/./b",
    "a//b",
    "a\nb",
    "a\x00b",
    "a\tb",
    "a b",
    "..",
    ".",
    "",
    "\u2025",
    "\uff0f",
]
_GROUP = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg"
SITE = f"{_GROUP}/providers/Microsoft.MachineLearningServices/workspaces/w"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_place_of_an_id_takes_what_leads_elsewhere(hostile: str) -> None:
    whole = f"{SITE}/jobs/j"
    for part in ("11111111-1111-4111-8111-111111111111", "/rg/", "/w/", "jobs", "Microsoft.MachineLearningServices"):
        forged = whole.replace(part, f"/{hostile}/" if part.startswith("/") else hostile)
        assert resource_at(forged) is None
        assert resource_at(forged, JOB) is None
    assert resource_at(f"{SITE}/jobs/{hostile}", JOB) is None
    assert guid_in(hostile) is None
    if hostile:
        assert resource_at(f"{hostile}{whole}", JOB) is None
        assert region_in(f"/{hostile}") is None
        for path in (f"/subscriptions/s/{hostile}", f"/subscriptions/{hostile}/x", f"{hostile}/subscriptions/s"):
            with pytest.raises(ValueError, match="no path"):
                checked_path(path)


@pytest.mark.parametrize("value", [None, 7, True, [], {}, b"x"])
def test_what_is_no_text_is_no_id(value: object) -> None:
    assert resource_at(value, JOB) is None
    assert guid_in(value) is None
    assert region_in(value) is None


def test_a_resource_at_any_depth_is_spelt_as_the_documentation_spells_it() -> None:
    found = parse_resource(SITE.upper().replace("/W", "/w") + "/ONLINEENDPOINTS/e/DEPLOYMENTS/d", ONLINE_DEPLOYMENT)
    assert str(found).endswith(
        "/providers/Microsoft.MachineLearningServices/workspaces/w/onlineEndpoints/e/deployments/d"
    )
    assert (found.resource_type, found.name) == (ONLINE_DEPLOYMENT, "d")
    role = parse_resource(f"{SITE}/providers/Microsoft.Authorization/roleAssignments/r")
    assert (role.resource_type, role.name) == ("Microsoft.Authorization/roleAssignments", "r")


def test_a_resource_is_part_of_what_it_stands_in() -> None:
    workspace, other = parse_arm_id(SITE), parse_arm_id(SITE + "2")
    assert resource_at(f"{SITE}/jobs/j", JOB, under=workspace) is not None
    assert resource_at(f"{SITE}2/jobs/j", JOB, under=workspace) is None
    assert resource_at(f"{SITE}/jobs/j", JOB, under=other) is None
    assert resource_at(f"{SITE}/jobs/j", SCHEDULE) is None
    assert resource_at(f"{SITE}/jobs") is None
    assert resource_at(SITE.rpartition("/providers/")[0]) is None


def test_an_id_without_allowed_types_still_has_a_type() -> None:
    with pytest.raises(ValueError, match="is not a resource type"):
        parse_arm_id(f"{_GROUP}/providers/@evil.example/x/y")


def test_paths_are_made_of_typed_ids() -> None:
    workspace = parse_arm_id(SITE)
    assert workspace.path == SITE
    assert workspace.path.below("jobs", "j", "cancel") == f"{SITE}/jobs/j/cancel"
    assert parse_resource(f"{SITE}/jobs/j").path == f"{SITE}/jobs/j"
    subscription = _GROUP.split("/")[2]
    assert subscription_path(subscription).listing(WORKSPACE) == f"/subscriptions/{subscription}/providers/{WORKSPACE}"
    assert group_path(subscription, "rg") == _GROUP
    for scope in (f"/subscriptions/{subscription}", _GROUP, SITE, f"{SITE}/jobs/j"):
        assert parse_scope(scope) == scope
    made = compute_id(workspace, "gpu")
    assert json.loads(json.dumps(made)) == made == copy.deepcopy(made)
    assert type(str(made)) is str


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_path_is_made_of_what_leads_elsewhere(hostile: str) -> None:
    workspace = parse_arm_id(SITE)
    subscription = _GROUP.split("/")[2]
    makers: tuple[Callable[[], object], ...] = (
        lambda: ArmPath(f"/subscriptions/{hostile}/x"),
        lambda: workspace.path.below(hostile),
        lambda: workspace.path.below("jobs", hostile, "cancel"),
        lambda: workspace.path.listing(f"Microsoft.X/{hostile}"),
        lambda: compute_id(workspace, hostile),
        lambda: extension_id(workspace, hostile),
        lambda: subscription_path(hostile),
        lambda: group_path(subscription, hostile),
        lambda: parse_scope(f"{_GROUP}/providers/Microsoft.X/y/{hostile}"),
        lambda: parse_scope(f"/subscriptions/{subscription}/resourceGroups/{hostile}"),
        # What nobody has parsed.
        lambda: ArmId(subscription, hostile, WORKSPACE, "w").path,
        lambda: ArmId(subscription, "rg", WORKSPACE, hostile).path,
        lambda: Resource(f"{SITE}/jobs/{hostile}", JOB, hostile).path,
    )
    for make in makers:
        with pytest.raises(ValueError, match=r"no path|no segment|not a|ARM id"):
            make()


def test_paths_are_made_in_one_module() -> None:
    root = Path(__file__).parents[2]
    packages = ("domain", "gateways", "activities", "operations", "orchestrators", "triggers")
    modules = [path for name in packages for path in (root / name).rglob("*.py")]
    makers = [str(path.relative_to(root)) for path in modules if "ArmPath(" in path.read_text("utf-8")]
    assert makers == ["domain/arm_ids.py"]
