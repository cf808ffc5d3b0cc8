"""Orchestrations that a released version started replay unchanged: names and inputs, whole and episode by episode."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from gateways.host_json import orchestration_version
from orchestrators.blueprint import ORCHESTRATORS
from tests.histories.replay import History, actions, load, prefixes

# A wake that comes while the step's activity is at work finds nobody waiting, and is lost: the next poll sees as much.
pytestmark = pytest.mark.filterwarnings("ignore:Potential duplicate Task completion for TaskId. wake")
HISTORIES = load()


@pytest.mark.parametrize("history", HISTORIES, ids=lambda h: h.name)
def test_a_history_replays_to_what_it_had_scheduled(history: History) -> None:
    assert actions(history.orchestrator, history.context) == history.actions


@pytest.mark.parametrize("history", HISTORIES, ids=lambda h: h.name)
def test_each_prefix_of_a_history_replays_to_a_prefix(history: History) -> None:
    lengths = []
    for context in prefixes(history.context):
        earlier = actions(history.orchestrator, context)
        assert _without_cancels(earlier) == _without_cancels(history.actions[: len(earlier)])
        lengths.append(len(earlier))
    assert lengths == sorted(lengths)
    assert lengths, "a history of one episode proves nothing"


def test_every_orchestrator_of_this_release_has_a_history() -> None:
    told = {h.orchestrator for h in HISTORIES if h.name.startswith(f"{orchestration_version()}/")}
    assert told == {o.__name__ for o in ORCHESTRATORS}


def test_a_changed_input_is_noticed() -> None:
    history = next(h for h in HISTORIES if h.name.endswith("/attach"))
    changed: dict[str, Any] = copy.deepcopy(dict(history.context))
    changed["input"] = changed["input"].replace('"run": 1', '"run": 2')
    assert actions(history.orchestrator, changed) != history.actions


def _without_cancels(scheduled: Any) -> Any:
    """A timer that a later episode cancels is the same timer."""
    if isinstance(scheduled, list):
        return [_without_cancels(item) for item in scheduled]
    if isinstance(scheduled, dict):
        return {k: _without_cancels(v) for k, v in scheduled.items() if k != "isCanceled"}
    return scheduled
