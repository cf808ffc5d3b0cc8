"""What a caller may ask for, see, stop, continue and answer; nothing is written before the policy says yes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from domain.access.principal import Caller, KeyHolder
from domain.operation.record import RequestedBy
from gateways import policy
from gateways.policy import PolicyUnavailable
from operations import allowed
from operations.accept import accept
from operations.allowed import Forbidden
from tests.conftest import Tables
from tests.domain.access.policies import ADA, GRACE, TENANT, document, person
from tests.making import CLUSTER_ID, WORKSPACE_ID, make_operation, make_submission

OPERATOR, APPROVER = person("operator"), person("approver", object_id=GRACE)
REQUEST = make_submission().request


def set_policy(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    monkeypatch.setenv(policy.SETTING, json.dumps(document(**changes)))


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    set_policy(monkeypatch)


@pytest.mark.parametrize(
    ("changes", "target"),
    [
        ({"clusterId": CLUSTER_ID + "2"}, "/clusterId"),
        ({"namespace": "kube-system"}, "/namespace"),
        ({"grantRoles": True}, "/grantRoles"),
    ],
)
def test_what_is_not_allowed_leaves_no_trace(
    tables: Tables, caplog: pytest.LogCaptureFixture, changes: dict[str, Any], target: str
) -> None:
    with pytest.raises(Forbidden) as caught:
        accept(make_submission(request={**REQUEST, **changes}, caller=OPERATOR))
    assert caught.value.code == "NotAllowed"
    assert target in {violation.target for violation in caught.value.violations}
    assert tables.rows() == []
    assert f"asked by {TENANT}:{ADA}" in caplog.text


@pytest.mark.parametrize("caller", [person("reader"), person("operator", object_id=GRACE), APPROVER, None])
def test_who_is_no_operator_there_gets_nothing(tables: Tables, caller: Any) -> None:
    with pytest.raises(Forbidden, match="no such role"):
        accept(make_submission(caller=caller))
    assert tables.rows() == []


def test_a_workspace_that_the_policy_does_not_name_is_answered_as_one_without_a_role(tables: Tables) -> None:
    elsewhere = WORKSPACE_ID + "2"
    said = []
    for caller, workspace in ((OPERATOR, elsewhere), (person("reader"), WORKSPACE_ID)):
        with pytest.raises(Forbidden) as caught:
            accept(make_submission(workspace_id=workspace, caller=caller))
        said.append((caught.value.code, caught.value.message))
    assert said[0] == said[1]


def test_events_get_what_is_listed_and_nothing_privileged(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    set_policy(monkeypatch, events=True)
    allowed.check_request(None, "attach", WORKSPACE_ID, REQUEST)
    for asked in ({"clusterId": CLUSTER_ID + "2"}, {"registerProviders": True}, {"namespace": "azureml"}):
        with pytest.raises(Forbidden):
            allowed.check_request(None, "attach", WORKSPACE_ID, {**REQUEST, **asked})


def test_without_a_policy_nothing_is_accepted(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(policy.SETTING)
    with pytest.raises(PolicyUnavailable):
        accept(make_submission(caller=KeyHolder()))
    assert tables.rows() == []


def test_the_holder_of_a_key_is_bound_by_everything_but_who(monkeypatch: pytest.MonkeyPatch) -> None:
    set_policy(monkeypatch, who={})
    allowed.check_request(KeyHolder(), "attach", WORKSPACE_ID, REQUEST)
    with pytest.raises(Forbidden) as caught:
        allowed.check_request(KeyHolder(), "attach", WORKSPACE_ID, {**REQUEST, "clusterId": CLUSTER_ID + "2"})
    assert caught.value.code == "NotAllowed"
    with pytest.raises(Forbidden) as caught:
        allowed.check_request(KeyHolder(), "attach", WORKSPACE_ID, {**REQUEST, "registerProviders": True})
    assert caught.value.code == "NeedsIdentity"


def test_a_retry_is_judged_by_who_asks_then_and_by_the_policy_of_then(monkeypatch: pytest.MonkeyPatch) -> None:
    operation = make_operation(request={**REQUEST, "registerProviders": True})
    set_policy(monkeypatch, who={"privileged": [f"user:{ADA}"], "operator": [f"user:{GRACE}"]})
    allowed.check_retry(person("privileged"), operation)
    with pytest.raises(Forbidden):
        allowed.check_retry(person("operator", object_id=GRACE), operation)
    set_policy(monkeypatch, who={"privileged": [f"user:{ADA}"]}, clusters=[])
    with pytest.raises(Forbidden, match="clusters"):
        allowed.check_retry(person("privileged"), operation)


def test_an_answer_is_given_by_approvers_of_the_workspace_and_never_by_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    operation = make_operation(request=REQUEST)
    for approves in (True, False):
        allowed.check_answer(APPROVER, operation, approves)
        for caller in (OPERATOR, person("approver"), person("privileged", object_id=GRACE)):
            with pytest.raises(Forbidden):
                allowed.check_answer(caller, operation, approves)
        with pytest.raises(Forbidden) as caught:
            allowed.check_answer(KeyHolder(frozenset({"force"})), operation, approves)
        assert caught.value.code == "NeedsIdentity"


def test_what_the_policy_has_no_room_for_any_more_can_be_rejected_and_not_approved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    operation = make_operation(request=REQUEST)
    set_policy(monkeypatch, namespaces=[])
    allowed.check_answer(APPROVER, operation, False)
    with pytest.raises(Forbidden, match="namespaces"):
        allowed.check_answer(APPROVER, operation, True)


def test_a_cancel_needs_an_operator_of_the_workspace() -> None:
    allowed.check_cancel(OPERATOR, make_operation())
    allowed.check_cancel(KeyHolder(), make_operation())
    for caller, operation in (
        (person("reader"), make_operation()),
        (APPROVER, make_operation()),
        (OPERATOR, make_operation(workspace_id=WORKSPACE_ID + "2")),
    ):
        with pytest.raises(Forbidden):
            allowed.check_cancel(caller, operation)


def test_one_sees_the_operations_of_workspaces_where_one_may_read() -> None:
    here, there = make_operation(), make_operation(workspace_id=WORKSPACE_ID + "2")
    nowhere = replace(here, workspace_id=None)
    seen = {}
    callers: dict[str, Caller] = {
        "operator": OPERATOR,
        "approver": APPROVER,
        "other": person("reader", object_id=TENANT),
        "key": KeyHolder(),
    }
    for name, caller in callers.items():
        sees = allowed.visible_to(caller)
        seen[name] = [sees(operation) for operation in (here, there, nowhere)]
    assert seen == {
        "operator": [True, False, False],
        "approver": [True, False, False],
        "other": [False, False, False],
        "key": [True, False, False],
    }


def test_a_name_is_tenant_and_object_id() -> None:
    assert allowed.name_of(OPERATOR) == f"{TENANT}:{ADA}"
    assert allowed.name_of(KeyHolder()) is None
    assert allowed.name_of(None) is None


def test_an_operation_id_is_its_principal_s(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    set_policy(monkeypatch, who={"operator": ["*"]})
    mine, yours = (person("operator", object_id=each) for each in (ADA, GRACE))
    by = {caller.id: RequestedBy("http", caller.id) for caller in (mine, yours)}
    first: Any = accept(make_submission(operation_id="op", caller=mine, requested_by=by[mine.id]))
    again: Any = accept(make_submission(operation_id="op", caller=mine, requested_by=by[mine.id]))
    assert again.operation.id == first.operation.id == "op"
    for other in (RequestedBy("http", yours.id), RequestedBy("http"), RequestedBy("event")):
        answer: Any = accept(make_submission(operation_id="op", caller=yours, requested_by=other))
        assert (answer.same_id, answer.foreign) == (True, True)
