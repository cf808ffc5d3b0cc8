"""Whose roles are read, at which scopes, and what becomes of what cannot be read."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from activities.checks.caller import may_ask_to_detach, rights_to_attach
from domain.access.roles import READER, Need, Seen
from domain.operation.record import RequestedBy
from domain.operation.results import Resolved
from domain.preflight.facts import Permission, Unread
from gateways.azure import permissions
from gateways.azure.arm import ArmError
from tests.domain.access.policies import ADA, TENANT
from tests.making import CLUSTER_ID, WORKSPACE_ID, make_operation

ALL = (Permission(("*",)),)
MISSING = Seen(missing=(Need(READER, CLUSTER_ID, "p", "the identity", "cluster aks"),))


def step(principal: str | None = f"{TENANT}:{ADA}", resolved: Resolved | None = None, **fields: Any) -> Any:
    operation = make_operation(requested_by=RequestedBy("http", principal), **fields)
    found = resolved or Resolved()
    known = SimpleNamespace(**{name: getattr(operation, name) for name in ("workspace_id", "cluster_id", "request")})
    known.requested_by, known.attach_request, known.resolved = operation.requested_by, operation.request, found
    return SimpleNamespace(operation=known)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    seen: list[tuple[str, str]] = []

    def read_of(who: str, scope: str) -> Any:
        seen.append((who, scope))
        return ALL

    monkeypatch.setattr(permissions, "read_of", read_of)
    return seen


@pytest.mark.parametrize("principal", [None, "ada@example.net", f"{TENANT}:x"])
def test_of_who_has_no_object_id_nothing_is_read(asked: list[Any], principal: str | None) -> None:
    assert rights_to_attach(step(principal), Seen()) is None
    assert may_ask_to_detach(step(principal)) is None
    assert asked == []


def test_the_callers_roles_are_read_where_something_is_to_be_done(asked: list[Any]) -> None:
    rights = rights_to_attach(step(), MISSING)
    assert rights is not None
    assert asked == [(ADA, WORKSPACE_ID), (ADA, CLUSTER_ID)]
    assert rights.grants == ()
    finding = may_ask_to_detach(step())
    assert finding is not None
    assert (finding.check, finding.outcome) == ("callerPermissions", "pass")


def test_each_grant_has_a_scope_at_which_the_caller_needs_the_right(asked: list[Any]) -> None:
    registry = "/subscriptions/s/registry"
    request = {"grantRoles": True, "identity": {"type": "SystemAssigned"}}
    resolved = replace(Resolved(), container_registry=registry)
    rights = rights_to_attach(step(request=request, resolved=resolved), MISSING)
    assert rights is not None
    assert rights.grants == (CLUSTER_ID, registry)
    assert [scope for _, scope in asked] == [WORKSPACE_ID, CLUSTER_ID, registry]
    unknown = rights_to_attach(step(request=request, resolved=resolved), ArmError(403, "No", "no"))
    assert unknown is not None
    assert unknown.unread is not None


@pytest.mark.parametrize(("status", "passes"), [(403, False), (404, False), (429, True), (503, True)])
def test_a_refusal_is_unread_and_an_outage_is_repeated(
    monkeypatch: pytest.MonkeyPatch, status: int, passes: bool
) -> None:
    def refuse(who: str, scope: str) -> Any:
        raise ArmError(status, "Said", "no")

    monkeypatch.setattr(permissions, "read_of", refuse)
    if passes:
        with pytest.raises(ArmError):
            rights_to_attach(step(), Seen())
        return
    rights = rights_to_attach(step(), Seen())
    assert rights is not None
    assert all(isinstance(held, Unread) for held in rights.held.values())
    finding = may_ask_to_detach(step())
    assert finding is not None
    assert finding.outcome == "warning"
