"""The role that Moor ships, docs/roles.md about it, and the condition on what it may grant."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from domain.access.roles import BUILT_IN
from domain.preflight.providers import AKS_PROVIDERS, ARC_PROVIDERS
from packages.simulated_azure.access.action_patterns import fits
from packages.simulated_azure.access.role_conditions import Asked, attributes, parse
from tests.scenarios.role_use import Seen, judge, table
from tests.scenarios.roles_page import beside_actions, calls, unshown

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "infra" / "roles"
FILES = sorted(FOLDER.glob("*.json"))
WRITE, DELETE = (f"Microsoft.Authorization/roleAssignments/{verb}" for verb in ("write", "delete"))
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"


def role(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


ACTIONS = role(FOLDER / "moor.json")["Actions"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_form_that_az_takes(path: Path) -> None:
    found = role(path)
    assert set(found) == {
        *("Name", "IsCustom", "Description", "Actions", "NotActions", "DataActions", "NotDataActions"),
        "AssignableScopes",
    }
    assert found["IsCustom"] is True
    assert found["AssignableScopes"] == ["/subscriptions/00000000-0000-0000-0000-000000000000"]
    assert len({action.lower() for action in found["Actions"]}) == len(found["Actions"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_shipped_role_gives_rights_away(path: Path) -> None:
    wide = [a for a in role(path)["Actions"] if fits([a], WRITE) or fits([a], DELETE) or a.startswith("*")]
    assert wide == []
    assert role(path)["DataActions"] == []
    elevating = ("elevateAccess/action", "roleDefinitions/write", "roleEligibilityScheduleRequests/write")
    assert not any(fits(role(path)["Actions"], f"Microsoft.Authorization/{each}") for each in elevating)


def test_the_page_tells_each_action_of_the_role_and_no_other() -> None:
    assert sorted(calls(), key=str.lower) == sorted(ACTIONS, key=str.lower)
    assert [action for action, line in calls().items() if len(line.split()) < 1] == []
    assert set(unshown()) < set(ACTIONS)


def test_the_page_names_what_is_assigned_beside() -> None:
    assert {WRITE, DELETE, "*/register/action"} == set(beside_actions())
    page = (ROOT / "docs" / "roles.md").read_text()
    for name in ("moor.json", "moor-register.json", "grantable.condition"):
        assert f"@infra/roles/{name}" in page
    assert len(FILES) > 1
    assert [path.name for path in FILES if role(path)["Name"] not in page] == []


def test_the_registrations_are_those_that_an_attach_asks_for() -> None:
    wanted = {f"{namespace}/register/action" for namespace in (*AKS_PROVIDERS, *ARC_PROVIDERS)}
    assert set(role(FOLDER / "moor-register.json")["Actions"]) == wanted


def test_the_condition_names_the_roles_that_the_app_grants() -> None:
    text = (FOLDER / "grantable.condition").read_text()
    ids = re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", text)
    assert sorted(ids) == sorted([each.id for each in BUILT_IN] * 2)
    holds = parse(text)
    for each in BUILT_IN:
        given = attributes(each.id, "p", "ServicePrincipal")
        assert holds(Asked(WRITE, request=given))
        assert holds(Asked(DELETE, resource=given))
    owner = attributes(OWNER, "p", "ServicePrincipal")
    assert not holds(Asked(WRITE, request=owner))
    assert not holds(Asked(DELETE, resource=owner))


@pytest.mark.parametrize(
    ("used", "explained", "complete", "wrong"),
    [
        ({"a/read": "/s", "b/x/y/read": "/s"}, ["c/write"], True, []),
        ({"a/read": "/s", "d/read": "/s", "b/z/read": "/s"}, ["c/write"], True, ["d/read"]),
        ({"d/read": "/s"}, [], False, ["d/read"]),
        ({"a/read": "/s", "n/register/action": "/s"}, ["c/write"], True, ["b/*/read"]),
        ({"a/read": "/s"}, [], False, []),
        ({"a/read": "/s", "b/x/read": "/s"}, [], True, ["c/write"]),
        ({"a/read": "/s", "b/x/read": "/s", "c/write": "/s"}, ["c/write"], True, ["c/write"]),
    ],
)
def test_use_is_judged(used: dict[str, str], explained: list[str], complete: bool, wrong: list[str]) -> None:
    granted, beside = ["a/read", "b/*/read", "c/write"], ["*/register/action"]
    found = judge(granted, beside, used, explained, complete=complete)
    assert [text.split(" ")[0] for text in found] == wrong


def test_the_table_counts() -> None:
    lines = table(["a/read", "b/*"], ["A/read", "n/register/action"])
    assert lines == [
        "used  a/read",
        "-     b/*",
        "used beside the role: n/register/action",
        "1 of 2 granted actions used",
    ]


def test_only_a_run_of_every_scenario_is_complete() -> None:
    names = [f"tests/scenarios/{path.name}::test" for path in (ROOT / "tests" / "scenarios").glob("test_*.py")]
    every = Seen(collected=set(names[1:]), passed=set(names[1:]))
    assert not every.complete
    every.add(Seen(collected=set(names[:1]), passed=set(names[:1])).told())
    assert every.complete
    every.add(Seen(left_out=1).told())
    assert not every.complete
    assert not Seen(collected=set(names), passed=set(names[1:])).complete


PAGE = """
## The role
| action | needed by |
|---|---|
| `a/{read,write}` | reading it |
| `b/read` | CALL. no scenario: WHY |
## Assigned beside the role
| `<namespace>/register/action` | r |
| `k/get/action` (data) | r |
"""


def test_the_page_is_read() -> None:
    page = PAGE.replace("CALL", "`PUT jobs` of it").replace("WHY", "nothing there asks")
    assert list(calls(page)) == ["a/read", "a/write", "b/read"]
    assert (unshown(page), beside_actions(page)) == (["b/read"], ["*/register/action"])
    with pytest.raises(ValueError, match="twice"):
        calls(page.replace("`b/read`", "`a/read`"))
    for call, why in (("", "nothing there asks"), ("`PUT jobs` of it", "")):
        with pytest.raises(ValueError, match="b/read"):
            unshown(PAGE.replace("CALL. ", call).replace("WHY", why))
