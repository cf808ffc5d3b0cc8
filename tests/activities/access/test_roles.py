"""Roles of the workspace's and the compute's identity: granted when asked, reverted and removed only as ours."""

from __future__ import annotations

from typing import Any

import pytest

from activities.access.roles import (
    grant_compute_roles,
    grant_workspace_roles,
    look_ahead,
    planned_compute_grants,
    planned_grants,
    planned_role_removal,
    remove_roles,
    undo_roles,
)
from activities.runtime.step import StepAtWork
from domain.access.roles import ROLE_ASSIGNMENT, ROLE_DEFINITION, Need, workspace_needs
from domain.arm_ids import COMPUTE, parse_arm_id
from domain.operation.codec import encode
from domain.operation.outcomes import Created, Done, Outcome, Stop
from domain.operation.record import Intent, StepRecord
from domain.operation.results import Resolved
from tests.activities.making import FakeArm, at_work, watch_intents
from tests.making import CLUSTER_ID, NOW, SUB, WORKSPACE_ID, make_operation

PRINCIPAL = "0c000000-0000-4000-8000-000000000001"
NEEDS = workspace_needs(PRINCIPAL, parse_arm_id(CLUSTER_ID), None)
LIST = f"{CLUSTER_ID}/providers/{ROLE_ASSIGNMENT}"
FIRST = NEEDS[0].assignment_id


def resolved(**found: Any) -> StepRecord:
    left = Resolved(**{"workspace_user": "id", "workspace_principal": PRINCIPAL, **found})
    return StepRecord("resolve", "do", "Succeeded", value=encode(left))


def granting(grant: bool = True, name: str = "grant_workspace_roles", **value: Any) -> StepAtWork:
    return at_work(name, earlier=(resolved(**value),), request={"namespace": "ml", "grantRoles": grant})


def held(*needs: Need) -> dict[str, Any]:
    ids = (f"/subscriptions/{SUB}/providers/{ROLE_DEFINITION}/{need.role.id}" for need in needs)
    return {LIST: [{"properties": {"roleDefinitionId": each}} for each in ids]}


def checks(outcome: Outcome) -> list[str]:
    assert isinstance(outcome, Done | Stop)
    return [finding.outcome for finding in outcome.findings]


def test_what_is_missing_is_granted_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    intents, azure = watch_intents(monkeypatch), FakeArm(lists=held(NEEDS[1])).install(monkeypatch)
    planned = [change.resource_id for change in planned_grants(granting())]
    outcome = grant_workspace_roles(granting())
    assert isinstance(outcome, Done)
    made = [created.id for created in outcome.created]
    assert made == planned == [NEEDS[0].assignment_id, NEEDS[2].assignment_id]
    assert azure.calls == [("PUT", each) for each in made]
    assert intents == [("create", each) for each in made]
    assert checks(outcome) == ["pass"] * 3


def test_and_otherwise_refuses_the_attach(monkeypatch: pytest.MonkeyPatch) -> None:
    azure = FakeArm(lists=held(NEEDS[1])).install(monkeypatch)
    outcome = grant_workspace_roles(granting(grant=False))
    assert isinstance(outcome, Stop)
    assert outcome.problem.command == f"{NEEDS[0].command}\n{NEEDS[2].command}"
    assert (azure.calls, checks(outcome), planned_grants(granting(grant=False))) == ([], ["fail", "fail"], [])


def test_one_that_somebody_else_has_made_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    watch_intents(monkeypatch)
    FakeArm({FIRST: {}}, held(*NEEDS[1:])).install(monkeypatch)
    outcome = grant_workspace_roles(granting())
    assert isinstance(outcome, Done)
    assert outcome.created == ()


def test_one_that_an_earlier_attempt_made_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeArm(lists=held(*NEEDS)).install(monkeypatch)
    step = granting()
    step.operation = step.operation.with_step(step.record.with_intent(Intent("create", FIRST, NOW)))
    outcome = grant_workspace_roles(step)
    assert isinstance(outcome, Done)
    assert outcome.created == (Created(ROLE_ASSIGNMENT, FIRST),)


def test_an_identity_that_azure_does_not_name_is_unknown() -> None:
    step = granting(workspace_principal=None)
    assert checks(grant_workspace_roles(step)) == ["unknown"]
    with pytest.raises(LookupError):
        look_ahead(step)


def test_a_workspace_that_acts_as_itself_needs_none() -> None:
    outcome = grant_workspace_roles(granting(workspace_user=None, workspace_principal=None))
    assert isinstance(outcome, Done)
    assert outcome.skipped


def test_a_compute_without_an_identity_needs_none() -> None:
    outcome = grant_compute_roles(granting(name="grant_compute_roles"))
    assert isinstance(outcome, Done)
    assert outcome.skipped


@pytest.fixture
def users(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Who relies on the roles: nobody, until a test says so. The attach made the first of them."""
    found: list[str | None] = [None]
    maker = make_operation(created=(Created(ROLE_ASSIGNMENT, FIRST),))
    monkeypatch.setattr("activities.access.roles.user_of_roles", lambda *_, **__: found[0])
    monkeypatch.setattr("activities.access.roles.attaches", lambda operation: iter([maker]))
    monkeypatch.setattr("activities.access.roles.made_for", lambda operation, kind: [FIRST])
    return found


def test_undo(monkeypatch: pytest.MonkeyPatch, users: list[str | None]) -> None:
    azure, step = (
        FakeArm({FIRST: {}}).install(monkeypatch),
        at_work("undo_roles", created=(Created(ROLE_ASSIGNMENT, FIRST),)),
    )
    watch_intents(monkeypatch)
    users[0] = "The compute cpu relies on it."
    assert checks(undo_roles(step)) == ["warning"]
    users[0] = None
    assert undo_roles(step) == Done(detail="removed: 1", undone=(FIRST,))
    assert azure.calls == [("DELETE", FIRST)]


def test_where_the_compute_stays_its_roles_stay(monkeypatch: pytest.MonkeyPatch, users: list[str | None]) -> None:
    azure = FakeArm({FIRST: {}}).install(monkeypatch)
    watch_intents(monkeypatch)
    operation = make_operation()
    made = (Created(COMPUTE, operation.compute_id), Created(ROLE_ASSIGNMENT, FIRST))

    def after(undo_compute: str) -> StepAtWork:
        return at_work("undo_roles", earlier=(StepRecord("undo_compute", "until", undo_compute),), created=made)

    for status in ("Failed", "Skipped"):
        kept = undo_roles(after(status))
        assert isinstance(kept, Done)
        assert (kept.skipped, kept.undone) == (True, ())
        assert "does not work without them" in str(kept.detail)
    assert azure.calls == []
    assert undo_roles(after("Succeeded")) == Done(detail="removed: 1", undone=(FIRST,))


def test_clean_up(monkeypatch: pytest.MonkeyPatch, users: list[str | None]) -> None:
    azure = FakeArm({FIRST: {}}).install(monkeypatch)
    intents = watch_intents(monkeypatch)
    step = at_work("remove_roles", kind="until", request={"cleanUp": {"roleAssignments": True}})
    users[0] = "The compute cpu relies on it."
    assert checks(remove_roles(step)) == ["warning"]
    assert planned_role_removal(step) == []
    users[0] = None
    assert [change.resource_id for change in planned_role_removal(step)] == [FIRST]
    assert azure.calls == []
    assert remove_roles(step) == Done(detail="removed: 1")
    assert (azure.calls, intents) == ([("DELETE", FIRST)], [("delete", FIRST)])
    assert remove_roles(step) == Done(detail="Moor granted none that is still there", skipped=True)


def test_a_registry_that_is_a_resource_group_gets_no_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """Azure's answer about the workspace names it; whoever may write the workspace may have it name anything."""
    azure = FakeArm({f"{WORKSPACE_ID}/computes/gpu": {"identity": {"principalId": PRINCIPAL}}}).install(monkeypatch)
    group = CLUSTER_ID.partition("/providers/")[0]
    step = at_work(
        "grant_compute_roles",
        earlier=(resolved(container_registry=group, storage_account=f"@evil.example{CLUSTER_ID}"),),
        request={"namespace": "ml", "grantRoles": True, "identity": {"type": "SystemAssigned"}},
    )
    outcome = grant_compute_roles(step)
    assert isinstance(outcome, Done)
    assert [finding.outcome for finding in outcome.findings] == ["unknown", "unknown"]
    assert azure.calls == []
    assert planned_compute_grants(step) == []
