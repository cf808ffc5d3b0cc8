"""The compute's namespace: make it once, plan it, remove only what this operation made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from activities.cluster.namespace import ensure_namespace, planned_namespace, undo_namespace
from activities.runtime.step import StepAtWork
from domain.cluster.objects import NAMESPACES, Found
from domain.operation.outcomes import Again, Created, Done, Stop
from domain.operation.record import Intent, StepRecord
from gateways.kubernetes.api import Unreachable
from tests.activities.making import FakeApi, at_work, reached, watch_intents
from tests.making import CLUSTER_ID, NOW

TARGET = f"{CLUSTER_ID}/api/v1/namespaces/ml"
OURS = Found("ml", {}, {"moor/operation": "op"}, "Active")
PRIVATE = Unreachable("it is private")
INTENDED = StepRecord("ensure_namespace", "do", "Succeeded", 1, intents=(Intent("create", TARGET, NOW),))


def ensuring(create: bool = True, attempts: int = 1) -> StepAtWork:
    return at_work("ensure_namespace", attempts, request={"namespace": "ml", "createNamespace": create})


def undoing(intended: bool = True, **request: object) -> StepAtWork:
    earlier = (INTENDED if intended else replace(INTENDED, intents=()),)
    return at_work(
        "undo_namespace",
        earlier=earlier,
        request={"namespace": "ml", **request},
        created=(Created(NAMESPACES, TARGET),),
    )


def test_a_missing_one_is_made_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    intents, api = watch_intents(monkeypatch), FakeApi()
    reached(monkeypatch, api)
    outcome = ensure_namespace(ensuring())
    assert isinstance(outcome, Done)
    assert outcome.created == (Created(NAMESPACES, TARGET),)
    assert (intents, api.calls) == ([("create", TARGET)], [("create", "ml")])
    assert api.namespaces["ml"].annotations == {"moor/operation": "op"}


def test_and_otherwise_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    api = FakeApi()
    reached(monkeypatch, api)
    outcome = ensure_namespace(ensuring(create=False))
    assert isinstance(outcome, Stop)
    assert (outcome.problem.code, api.calls) == ("NamespaceMissing", [])


@pytest.mark.parametrize(
    ("found", "created"), [(OURS, (Created(NAMESPACES, TARGET),)), (replace(OURS, annotations={}), ())]
)
def test_one_that_the_cluster_has_counts_as_ours_only_by_its_mark(
    monkeypatch: pytest.MonkeyPatch, found: Found, created: tuple[Created, ...]
) -> None:
    reached(monkeypatch, FakeApi({"ml": found}))
    outcome = ensure_namespace(ensuring())
    assert isinstance(outcome, Done)
    assert outcome.created == created


def test_one_that_goes_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    reached(monkeypatch, FakeApi({"ml": replace(OURS, phase="Terminating")}))
    assert ensure_namespace(ensuring()) == Again(15.0, "namespace ml is Terminating")


@pytest.mark.parametrize(
    ("create", "attempts", "expected"), [(False, 1, "unknown"), (True, 3, "again"), (True, 4, "stop")]
)
def test_out_of_reach(monkeypatch: pytest.MonkeyPatch, create: bool, attempts: int, expected: str) -> None:
    reached(monkeypatch, PRIVATE)
    outcome = ensure_namespace(ensuring(create, attempts))
    if expected == "unknown":
        assert isinstance(outcome, Done)
        assert [finding.outcome for finding in outcome.findings] == ["unknown"]
    elif expected == "again":
        assert isinstance(outcome, Again)
    else:
        assert isinstance(outcome, Stop)
        assert outcome.problem.code == "KubernetesNotWritable"


@pytest.mark.parametrize(
    ("create", "api", "planned"),
    [
        (True, FakeApi(), [TARGET]),
        (True, FakeApi({"ml": OURS}), []),
        (False, FakeApi(), []),
        (True, PRIVATE, []),
    ],
)
def test_plan(monkeypatch: pytest.MonkeyPatch, create: bool, api: FakeApi | Unreachable, planned: list[str]) -> None:
    reached(monkeypatch, api)
    assert [change.resource_id for change in planned_namespace(ensuring(create))] == planned


def test_undo_deletes_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    intents, api = watch_intents(monkeypatch), FakeApi({"ml": OURS})
    reached(monkeypatch, api)
    assert isinstance(undo_namespace(undoing()), Again)
    assert (intents, api.calls) == ([("delete", TARGET)], [("delete", "ml")])


@pytest.mark.parametrize(
    ("api", "detail", "undone"),
    [
        (FakeApi(), "is gone", (TARGET,)),
        (
            FakeApi({"ml": replace(OURS, annotations={"moor/operation": "other"})}),
            "the namespace is another's by now",
            (),
        ),
        (FakeApi({"ml": OURS}, busy=True), "kept", ()),
    ],
    ids=["gone", "another's", "in use"],
)
def test_undo_leaves_the_rest(
    monkeypatch: pytest.MonkeyPatch, api: FakeApi, detail: str, undone: tuple[str, ...]
) -> None:
    intents = watch_intents(monkeypatch)
    reached(monkeypatch, api)
    outcome = undo_namespace(undoing())
    assert isinstance(outcome, Done)
    assert (outcome.detail, outcome.undone, intents, api.calls) == (detail, undone, [], [])


@pytest.mark.parametrize("step", [undoing(intended=False), undoing(onFailure="keep")])
def test_undo_needs_no_cluster_where_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch, step: StepAtWork) -> None:
    monkeypatch.setattr("gateways.kubernetes.connection.connect", None)
    outcome = undo_namespace(step)
    assert isinstance(outcome, Done)
    assert outcome.skipped
