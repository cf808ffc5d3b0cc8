"""Leftovers of v1: removed only when asked, looked at once more, nothing else touched."""

from __future__ import annotations

import pytest

from activities.cluster.legacy_objects import cleanup_legacy, planned_cleanup
from activities.runtime.step import StepAtWork
from domain.cluster.legacy_objects import LEGACY_OBJECTS
from domain.operation.outcomes import Again, Done, Stop
from domain.operation.record import Intent
from gateways.kubernetes.api import Unreachable
from tests.activities.making import FakeApi, at_work, reached, watch_intents
from tests.making import CLUSTER_ID, NOW

FRONT = LEGACY_OBJECTS[0]
TARGET = f"{CLUSTER_ID}{FRONT.path}"


def cleaning(asked: bool = True, attempts: int = 1) -> StepAtWork:
    return at_work("cleanup_legacy", attempts, request={"namespace": "ml", "cleanupLegacy": asked})


def test_they_are_deleted_and_looked_for_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    intents, api = watch_intents(monkeypatch), FakeApi(leftovers=[str(FRONT)])
    reached(monkeypatch, api)
    assert [change.resource_id for change in planned_cleanup(cleaning())] == [TARGET]
    assert cleanup_legacy(cleaning()) == Again(1.0, f"removing {FRONT}")
    assert (api.calls, intents) == ([("delete", str(FRONT))], [("delete", TARGET)])


def test_the_end_says_what_was_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    reached(monkeypatch, FakeApi())
    step = cleaning()
    step.operation = step.operation.with_step(step.record.with_intent(Intent("delete", TARGET, NOW)))
    outcome = cleanup_legacy(step)
    assert isinstance(outcome, Done)
    assert [finding.message for finding in outcome.findings] == [f"Removed, as asked: {FRONT}."]


@pytest.mark.parametrize(("attempts", "kind"), [(3, Again), (4, Stop)])
def test_out_of_reach(monkeypatch: pytest.MonkeyPatch, attempts: int, kind: type) -> None:
    reached(monkeypatch, Unreachable("it is private"))
    assert isinstance(cleanup_legacy(cleaning(attempts=attempts)), kind)
    assert planned_cleanup(cleaning()) == []


def test_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateways.kubernetes.connection.connect", None)
    assert cleanup_legacy(cleaning(asked=False)) == Done(detail="was not asked for", skipped=True)
    assert planned_cleanup(cleaning(asked=False)) == []
