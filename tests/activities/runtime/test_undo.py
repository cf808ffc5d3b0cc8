"""What an operation made goes again unless it is in use; what a clean-up cannot remove is said and fails nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from activities.runtime import undo
from activities.runtime.slots import SlotsTaken
from activities.runtime.step import StepAtWork
from activities.runtime.undo import (
    clean_up,
    made_by,
    made_for,
    nothing_to_revert,
    planned_clean_up,
    revert,
    revert_in_time,
)
from domain.arm_ids import EXTENSION, ArmId
from domain.operation.outcomes import Again, Created, Done, Finding, Outcome
from domain.operation.record import Intent, StepRecord
from gateways.azure.arm import ArmError
from gateways.kubernetes.api import KubernetesError
from gateways.kubernetes.run_command import StillRunning
from tests.activities.making import FakeArm, at_work, watch_intents
from tests.making import CLUSTER_ID, NOW, make_operation

ROLE = "Microsoft.Authorization/roleAssignments"
FIRST, SECOND = (f"{CLUSTER_ID}/providers/{ROLE}/{name}" for name in ("first", "second"))
TARGET = f"{CLUSTER_ID}/providers/{EXTENSION}/azureml"
REFUSED, SILENT = ArmError(403, "AuthorizationFailed", "no"), ArmError(503, "ServerBusy", "busy")


def free(step: StepAtWork) -> str | None:
    return None


def used(step: StepAtWork) -> str | None:
    return "The compute cpu uses it."


def raising(error: Exception) -> Any:
    def ask(*_: Any) -> Any:
        raise error

    return ask


def undoing(*created: Created, request: dict[str, Any] | None = None, tried: tuple[str, ...] = ()) -> StepAtWork:
    intents = tuple(Intent("create", each, NOW) for each in tried)
    record = StepRecord("grant_workspace_roles", "do", intents=intents)
    return at_work("undo_roles", earlier=(record,), created=created, request=request or {})


def test_made_is_what_the_record_names_and_what_was_set_out_latest_first() -> None:
    record = StepRecord(
        "grant_workspace_roles",
        "do",
        intents=(Intent("create", SECOND, NOW), Intent("delete", TARGET, NOW), Intent("create", TARGET, NOW)),
    )
    operation = make_operation(steps=(record,), created=(Created(ROLE, FIRST),))
    assert made_by(operation, (ROLE,)) == [SECOND, FIRST]
    assert made_by(operation, (EXTENSION,)) == [TARGET]
    undone = replace(operation, created=(Created(ROLE, FIRST, undone=True), Created(ROLE, SECOND.upper(), undone=True)))
    assert made_by(undone, (ROLE,)) == []


@pytest.mark.parametrize(
    ("made", "request_", "detail"),
    [
        (False, {}, "this operation made none"),
        (True, {"onFailure": "keep"}, "kept, as the request asked"),
        (True, {"onFailure": "undo"}, None),
        (True, {}, None),
    ],
)
def test_nothing_to_revert(made: bool, request_: dict[str, Any], detail: str | None) -> None:
    outcome = nothing_to_revert(undoing(request=request_), made)
    assert outcome == (None if detail is None else Done(detail=detail, skipped=True))


def test_revert_deletes_each_and_names_what_was_only_set_out(monkeypatch: pytest.MonkeyPatch) -> None:
    intents, azure = watch_intents(monkeypatch), FakeArm({FIRST: {}}).install(monkeypatch)
    outcome = revert(undoing(Created(ROLE, FIRST), tried=(SECOND,)), (ROLE,), "1", free)
    late = (Created(ROLE, SECOND, undone=True),)
    assert outcome == Done(detail="removed: 2", created=late, undone=(SECOND, FIRST))
    assert (azure.calls, intents) == ([("DELETE", FIRST)], [("delete", FIRST)])


@pytest.mark.parametrize(
    ("in_use", "said"),
    [(used, "The compute cpu uses it."), (raising(REFUSED), "Whether something relies on it is unknown")],
)
def test_revert_leaves_what_is_or_may_be_in_use(monkeypatch: pytest.MonkeyPatch, in_use: Any, said: str) -> None:
    azure = FakeArm({FIRST: {}, TARGET: {}}).install(monkeypatch)
    step = undoing(Created(ROLE, FIRST), Created(EXTENSION, TARGET))
    for outcome in (revert(step, (ROLE,), "1", in_use), revert_in_time(step, EXTENSION, "1", in_use)):
        assert isinstance(outcome, Done)
        assert (outcome.skipped, outcome.undone) == (True, ())
        assert said in outcome.findings[0].message
    assert azure.calls == []


def test_an_outage_is_no_answer_to_who_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeArm({FIRST: {}}).install(monkeypatch)
    with pytest.raises(ArmError):
        revert(undoing(Created(ROLE, FIRST)), (ROLE,), "1", raising(SILENT))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (404, Done(detail="is gone", undone=(TARGET,))),
        ({"properties": {"provisioningState": "Deleting"}}, Again(None, "Azure is removing it")),
        ({"properties": None}, Again(7.0, "Azure is removing it")),
    ],
)
def test_a_long_deletion_is_seen_to_its_end(monkeypatch: pytest.MonkeyPatch, body: Any, expected: Outcome) -> None:
    intents, azure = watch_intents(monkeypatch), FakeArm({TARGET: body}).install(monkeypatch)
    assert revert_in_time(undoing(Created(EXTENSION, TARGET)), EXTENSION, "1", free) == expected
    deleted = isinstance(expected, Again) and expected.after is not None
    assert (azure.calls, intents) == (([("DELETE", TARGET)], [("delete", TARGET)]) if deleted else ([], []))


def cleaning(asked: bool = True, attempts: int = 1, **fields: Any) -> StepAtWork:
    return at_work("remove_roles", attempts, kind="until", request={"cleanUp": {"roleAssignments": asked}}, **fields)


@pytest.mark.parametrize(
    ("step", "detail"),
    [
        (cleaning(asked=False), "the request does not ask for it"),
        (cleaning(cluster_id=None), "which cluster the compute was on is not known"),
    ],
)
def test_a_clean_up_that_has_nothing_to_do(step: StepAtWork, detail: str) -> None:
    assert clean_up("roleAssignments")(raising(AssertionError()))(step) == Done(detail=detail, skipped=True)
    assert planned_clean_up("roleAssignments", "remove_roles")(raising(AssertionError()))(step) == []


def test_a_clean_up_waits_out_an_outage_of_azure_however_long_it_takes() -> None:
    for attempts in (1, 5, 500):
        with pytest.raises(ArmError):
            clean_up("roleAssignments")(raising(SILENT))(cleaning(attempts=attempts))


@pytest.mark.parametrize("error", [ArmError(500, "Failed", "no"), KubernetesError(0, "ReadTimeout", "no answer")])
def test_a_clean_up_asks_five_times_what_fails_and_may_pass(error: Exception) -> None:
    work = clean_up("roleAssignments")(raising(error))
    assert isinstance(work(cleaning(attempts=4)), Again)
    outcome = work(cleaning(attempts=5))
    assert isinstance(outcome, Done)
    assert outcome.findings[0].message.startswith("What cleanUp.roleAssignments asks for was not done")
    with pytest.raises(ArmError):
        planned_clean_up("roleAssignments", "remove_roles")(raising(error))(cleaning())


@pytest.mark.parametrize(
    "error",
    [
        ArmError(500, "Failed", "no"),
        KubernetesError(0, "ReadTimeout", "no answer"),
        SlotsTaken("others are in the cluster"),
        StillRunning(5.0),
    ],
)
def test_a_clean_up_that_runs_out_of_time_is_left_and_fails_no_detach(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A poll that finds the same is not counted: it may never come to its fifth attempt."""
    monkeypatch.setattr(StepAtWork, "out_of_time", True)
    outcome = clean_up("roleAssignments")(raising(error))(cleaning())
    assert isinstance(outcome, Done)
    assert outcome.findings[0].check == "leftBehind"
    monkeypatch.setattr(StepAtWork, "out_of_time", False)
    if isinstance(error, SlotsTaken | StillRunning):
        with pytest.raises(type(error)):
            clean_up("roleAssignments")(raising(error))(cleaning())
    else:
        assert isinstance(clean_up("roleAssignments")(raising(error))(cleaning()), Again)


def test_a_clean_up_that_is_refused_is_left_and_no_failure() -> None:
    outcome = clean_up("roleAssignments")(raising(REFUSED))(cleaning())
    assert isinstance(outcome, Done)
    assert "AuthorizationFailed" in outcome.findings[0].message
    assert planned_clean_up("roleAssignments", "remove_roles")(raising(REFUSED))(cleaning()) == []


def test_its_findings_keep_what_other_clean_ups_said() -> None:
    said = Finding("leftBehind", "warning", "Left where it is: the extension.")
    step = cleaning(findings=(said, Finding("resolve", "pass", "fine")))
    outcome = undo.kept_behind(step, [FIRST, SECOND], "Operation o relies on it.")
    assert [finding.message for finding in outcome.findings] == [
        said.message,
        f"Left where it is: {FIRST}, {SECOND}. Operation o relies on it.",
    ]


def test_the_plan_names_the_step() -> None:
    def to_remove(step: StepAtWork, cluster: ArmId) -> list[str]:
        return [f"{cluster}/x"]

    planned = planned_clean_up("roleAssignments", "remove_roles")(to_remove)(cleaning())
    assert [(change.step, change.action, change.resource_id) for change in planned] == [
        ("remove_roles", "delete", f"{CLUSTER_ID}/x")
    ]


def test_made_for_names_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    makers = [make_operation(created=(Created(ROLE, FIRST),)), make_operation(created=(Created(ROLE, FIRST.upper()),))]
    monkeypatch.setattr(undo, "attaches", lambda operation: iter(makers))
    assert [each.lower() for each in made_for(make_operation(), ROLE)] == [FIRST.lower()]
