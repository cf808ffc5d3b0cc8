"""Instance types: made and changed as asked, reverted as they were, removed only where Moor made them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from activities.cluster.instance_types import (
    apply_instance_types,
    planned_instance_types,
    planned_type_removal,
    remove_instance_types,
    undo_instance_types,
)
from activities.runtime.step import StepAtWork
from domain.cluster.instance_types import spec_of
from domain.cluster.objects import INSTANCE_TYPES, Found
from domain.operation.outcomes import Again, Created, Done, Stop
from domain.operation.record import Intent, Operation, StepRecord
from gateways.kubernetes.api import Unreachable
from tests.activities.making import FakeApi, at_work, reached, watch_intents
from tests.making import CLUSTER_ID, NOW, make_operation

PLACE = f"{CLUSTER_ID}/apis/{INSTANCE_TYPES}"
SMALL: dict[str, Any] = {
    "name": "small",
    "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "2Gi"}},
}
BIG = {**SMALL, "name": "big"}
OTHER = {"resources": {"requests": {"cpu": "9", "memory": "9Gi"}, "limits": {"cpu": "9", "memory": "9Gi"}}}
SAME = Found("small", spec_of(SMALL), {"moor/operation": "op"}, version="1")
PRIVATE = Unreachable("it is private")


def applying(*types: dict[str, Any], attempts: int = 1, **request: Any) -> StepAtWork:
    return at_work("apply_instance_types", attempts, request={"namespace": "ml", "instanceTypes": types, **request})


def test_what_is_missing_is_made_and_what_is_ours_and_differs_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    intents = watch_intents(monkeypatch)
    api = FakeApi(types={"big": Found("big", OTHER, {"moor/operation": "older"}, version="7")})
    reached(monkeypatch, api)
    outcome = apply_instance_types(applying(SMALL, BIG))
    assert isinstance(outcome, Done)
    assert outcome.created == (Created(INSTANCE_TYPES, f"{PLACE}/small"),)
    assert outcome.detail == "1 made, 1 changed"
    assert api.calls == [("create", "small"), ("update", "big")]
    assert intents == [("create", f"{PLACE}/small"), ("update", f"{PLACE}/big")]


def test_somebody_elses_that_differs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    api = FakeApi(types={"small": Found("small", OTHER, {})})
    reached(monkeypatch, api)
    outcome = apply_instance_types(applying(SMALL))
    assert isinstance(outcome, Stop)
    assert (outcome.problem.code, api.calls) == ("InstanceTypeDiffers", [])


def test_what_an_earlier_attempt_made_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    reached(monkeypatch, FakeApi(types={"small": SAME}))
    outcome = apply_instance_types(applying(SMALL))
    assert isinstance(outcome, Done)
    assert outcome.created == (Created(INSTANCE_TYPES, f"{PLACE}/small"),)


def test_a_cluster_without_the_definition_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    reached(monkeypatch, FakeApi(types=None))
    assert isinstance(apply_instance_types(applying(SMALL)), Again)


def test_none_asked_for_needs_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateways.kubernetes.connection.connect", None)
    assert apply_instance_types(applying()) == Done(detail="none were asked for")


def test_out_of_reach_a_default_alone_is_unknown_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reached(monkeypatch, PRIVATE)
    outcome = apply_instance_types(applying(defaultInstanceType="small"))
    assert isinstance(outcome, Done)
    assert [finding.outcome for finding in outcome.findings] == ["unknown"]
    assert isinstance(apply_instance_types(applying(SMALL, attempts=3)), Again)
    assert isinstance(apply_instance_types(applying(SMALL, attempts=4)), Stop)


def test_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    reached(monkeypatch, FakeApi(types={"small": replace(SAME, spec=OTHER)}))
    planned = [(change.action, change.resource_id) for change in planned_instance_types(applying(SMALL, BIG))]
    assert planned == [("update", f"{PLACE}/small"), ("create", f"{PLACE}/big")]
    reached(monkeypatch, PRIVATE)
    assert planned_instance_types(applying(SMALL)) == []


def test_undo_deletes_what_was_made_and_changes_back_what_was_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    intents = watch_intents(monkeypatch)
    changed = {"moor/changed-by": "op", "moor/before": json.dumps(OTHER), "own": "note"}
    types = {
        "small": SAME,
        "big": Found("big", spec_of(BIG), changed, version="3"),
        "theirs": Found("theirs", OTHER, {}),
    }
    api = FakeApi(types=types)
    reached(monkeypatch, api)
    applied = StepRecord("apply_instance_types", "do", intents=(Intent("create", f"{PLACE}/small", NOW),))
    made = (Created(INSTANCE_TYPES, f"{PLACE}/small"),)
    step = at_work("undo_instance_types", earlier=(applied,), created=made)
    outcome = undo_instance_types(step)
    assert isinstance(outcome, Done)
    assert (outcome.detail, outcome.undone) == ("2 reverted", (f"{PLACE}/small",))
    assert api.calls == [("delete", "small"), ("update", "big")]
    assert intents == [("delete", f"{PLACE}/small"), ("update", f"{PLACE}/big")]


def test_undo_names_what_it_cannot_change_back_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    watch_intents(monkeypatch)
    spoilt = {"moor/changed-by": "op", "moor/before": "spoilt"}
    api = FakeApi(types={"big": Found("big", spec_of(BIG), spoilt, version="3"), "small": SAME})
    reached(monkeypatch, api)
    applied = StepRecord("apply_instance_types", "do", intents=(Intent("create", f"{PLACE}/small", NOW),))
    outcome = undo_instance_types(at_work("undo_instance_types", earlier=(applied,)))
    assert isinstance(outcome, Done)
    (finding,) = outcome.findings
    assert (outcome.detail, finding.outcome, api.calls) == ("1 reverted", "warning", [("delete", "small")])
    assert "big" in finding.message


@pytest.fixture
def makers(monkeypatch: pytest.MonkeyPatch) -> list[Operation]:
    """The operations that attached the compute; nobody else uses the cluster."""
    found = [make_operation(id="made", steps=(StepRecord("apply_instance_types", "do"),))]
    monkeypatch.setattr("activities.cluster.instance_types.attaches", lambda operation: iter(found))
    monkeypatch.setattr("activities.cluster.instance_types.user_of_cluster", lambda operation, without_own=False: None)
    return found


def removing(asked: bool = True) -> StepAtWork:
    return at_work("remove_instance_types", kind="until", request={"cleanUp": {"instanceTypes": asked}})


def test_clean_up_removes_what_the_attach_made(monkeypatch: pytest.MonkeyPatch, makers: list[Operation]) -> None:
    intents = watch_intents(monkeypatch)
    api = FakeApi(types={"small": replace(SAME, annotations={"moor/operation": "made"}), "theirs": SAME})
    reached(monkeypatch, api)
    assert [change.resource_id for change in planned_type_removal(removing())] == [f"{PLACE}/small"]
    assert api.calls == []
    assert remove_instance_types(removing()) == Done(detail="removed: small")
    assert (api.calls, intents) == ([("delete", "small")], [("delete", f"{PLACE}/small")])


def test_clean_up_keeps_them_for_another_compute(monkeypatch: pytest.MonkeyPatch, makers: list[Operation]) -> None:
    users = "activities.cluster.instance_types.user_of_cluster"
    monkeypatch.setattr(users, lambda operation, without_own=False: "The compute cpu uses it.")
    outcome = remove_instance_types(removing())
    assert isinstance(outcome, Done)
    assert [finding.check for finding in outcome.findings] == ["leftBehind"]
    assert planned_type_removal(removing()) == []


@pytest.mark.usefixtures("makers")
def test_clean_up_out_of_reach_is_left_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reached(monkeypatch, PRIVATE)
    outcome = remove_instance_types(removing())
    assert isinstance(outcome, Done)
    assert str(outcome.detail).startswith("left. ")
    assert planned_type_removal(removing()) == []


@pytest.mark.usefixtures("makers")
def test_clean_up_that_is_not_asked_for_looks_at_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateways.kubernetes.connection.connect", None)
    assert remove_instance_types(removing(asked=False)) == Done(detail="the request does not ask for it", skipped=True)
    assert planned_type_removal(removing(asked=False)) == []
