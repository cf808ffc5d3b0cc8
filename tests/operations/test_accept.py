from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from activities.runtime import locks
from activities.runtime.locks import Accepted
from domain.operation.record import Operation
from gateways.storage import claims, records
from gateways.storage.records import Change
from operations import accept as acceptance
from operations.accept import Conflict, accept
from tests.conftest import Tables
from tests.making import NOW, SUB, accepted, make_submission


def finish(operation: Operation, status: str = "Succeeded") -> None:
    records.change(operation.id, None, lambda o: Change(replace(o, status=status)), NOW)


def test_an_accepted_operation_is_claimed_and_recorded(tables: Tables) -> None:
    answer = accept(make_submission())
    assert isinstance(answer, Accepted)
    assert answer.fresh
    stored = records.read(answer.operation.id)
    assert stored is not None
    assert stored.operation == answer.operation
    held = list(claims.held())
    assert [c.operation_id for c in held] == [answer.operation.id]
    assert [e.event for e in records.journal(answer.operation.id, 0, 10)] == ["accepted"]


def test_the_same_request_at_once_from_many_is_one_operation(tables: Tables) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: accept(make_submission()), range(24)))
    assert [type(a) for a in answers] == [Accepted] * 24
    assert len({a.operation.id for a in answers if isinstance(a, Accepted)}) == 1
    assert sum(a.fresh for a in answers if isinstance(a, Accepted)) == 1


@pytest.mark.parametrize("change", [{"workspaceId": "x"}, {"namespace": "other"}])
def test_another_request_for_the_same_compute_is_a_conflict(tables: Tables, change: dict[str, str]) -> None:
    first = accepted()
    answer = accept(make_submission(request={**make_submission().request, **change}))
    assert isinstance(answer, Conflict)
    assert answer.holder.id == first.id
    assert not answer.same_id


def test_why_it_is_asked_and_the_case_of_ids_make_no_other_request(tables: Tables) -> None:
    first = accepted()
    request = {**make_submission().request, "reason": "other", "workspaceId": make_submission().workspace_id.upper()}
    answer = accept(make_submission(request=request))
    assert isinstance(answer, Accepted)
    assert not answer.fresh
    assert answer.operation.id == first.id


def test_attach_and_detach_of_one_compute_exclude_each_other(tables: Tables) -> None:
    accepted()
    assert isinstance(accept(make_submission(kind="detach", request={}, cluster_id=None)), Conflict)


def test_computes_of_other_names_do_not_meet(tables: Tables) -> None:
    accepted()
    assert accepted(compute_name="other").compute_name == "other"


@pytest.mark.parametrize("status", ["Succeeded", "Failed", "Canceled"])
def test_the_claim_of_an_operation_that_ended_is_taken_over(tables: Tables, status: str) -> None:
    first = accepted()
    finish(first, status)
    second = accept(make_submission(request={"other": True}))
    assert isinstance(second, Accepted)
    assert second.fresh
    assert [c.operation_id for c in claims.held()] == [second.operation.id]


def test_an_operation_id_is_answered_for_ever_with_its_operation(tables: Tables) -> None:
    first = accepted(operation_id="mine")
    assert first.id == "mine"
    finish(first)
    again = accept(make_submission(operation_id="mine"))
    assert isinstance(again, Accepted)
    assert not again.fresh
    other = accept(make_submission(operation_id="mine", request={"other": 1}))
    assert isinstance(other, Conflict)
    assert other.same_id


def test_one_id_for_two_computes_leaves_no_claim_behind(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted(operation_id="mine")
    read, first_look = records.read, iter([None])  # The race: the second looked before the first was recorded.
    monkeypatch.setattr(records, "read", lambda operation_id: next(first_look, read(operation_id)))
    answer = accept(make_submission(operation_id="mine", compute_name="other", request={"other": 1}))
    assert isinstance(answer, Conflict)
    assert answer.same_id
    assert [c.target for c in claims.held()] == [claims.compute_target(make_submission().workspace_id, "gpu")]


def test_a_claim_whose_recording_was_cut_short_is_recorded_by_the_next(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as cut:
        cut.setattr(records, "insert", die)
        with pytest.raises(Killed):
            accept(make_submission())
    (left,) = claims.held()
    assert records.read(left.operation_id) is None
    answer = accept(make_submission())
    assert isinstance(answer, Accepted)
    assert answer.fresh
    assert answer.operation.id == left.operation_id
    assert not locks.is_stale(left)


def test_somebody_elses_cut_short_request_is_not_lost_to_a_conflicting_one(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims.take(
        claims.compute_target(make_submission().workspace_id, "gpu"),
        "first",
        acceptance.acceptance_of(make_submission(), "first", "print"),
    )
    answer = accept(make_submission(request={"other": 1}))
    assert isinstance(answer, Conflict)
    assert answer.holder.id == "first"
    assert answer.fresh
    assert records.read("first") is not None


def test_the_case_of_an_id_deeper_down_makes_no_other_request(tables: Tables) -> None:
    name = f"/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/Name"
    identity = {"type": "UserAssigned", "userAssignedIdentityId": name}
    first = accepted(request={**make_submission().request, "identity": identity})
    folded = {**identity, "userAssignedIdentityId": name.upper()}
    answer = accept(make_submission(request={**make_submission().request, "identity": folded}))
    assert isinstance(answer, Accepted)
    assert answer.operation.id == first.id


def test_the_case_of_a_tag_makes_another_request(tables: Tables) -> None:
    """Also of one that has the name of a field in which letter case does not count."""
    first = accepted(request={**make_submission().request, "tags": {"computeName": "Ada"}})
    for tags in ({"computeName": "ADA"}, {"clusterId": "Ada"}):
        answer = accept(make_submission(request={**make_submission().request, "tags": tags}))
        assert isinstance(answer, Conflict)
        assert answer.holder.id == first.id


def test_an_operation_is_accepted_without_the_steps_that_its_request_does_not_need(tables: Tables) -> None:
    asked = {**make_submission().request, "smokeTest": "training"}
    left_out = accepted(request=asked).left_out
    assert {"ensure_relay", "cleanup_legacy", "drain"} <= {*left_out}
    assert not {"smoke_test", "attach_compute"} & {*left_out}
    stored = records.read(next(c.operation_id for c in claims.held()))
    assert stored is not None
    assert stored.operation.left_out == left_out
