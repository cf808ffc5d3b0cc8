from __future__ import annotations

from typing import Any

from orchestrators.cluster_changed import cluster_changed
from tests.orchestrators.driver import FakeContext, Scheduled, drive

REACTION = {"cluster": "/cluster", "seen": 2}
STARTED = {"kind": "done", "operations": ["op"]}
ASKED = ["op"]
GIVEN_UP = {"kind": "stop", "problem": {"code": "StepKeepsFailing"}}


def run(look: dict[str, Any], settled: int = 2, started: dict[str, Any] = STARTED) -> tuple[Any, FakeContext]:
    context = FakeContext(dict(REACTION))

    def answer(item: Scheduled) -> Any:
        settle = {"kind": "done", "seen": settled}
        return {"wait_until": look, "start_operations": started, "settle_cluster": settle}[item.name]

    return drive(cluster_changed, context, answer), context


def test_what_a_look_calls_for_is_started_before_its_events_are_settled() -> None:
    end, context = run({"kind": "done", "alive": True, "requests": ASKED})
    assert [item.name for item in context.scheduled] == ["wait_until", "start_operations", "settle_cluster"]
    assert context.scheduled[1].input["cluster"] == "/cluster"
    assert "requests" not in context.scheduled[1].input
    assert end == {"cluster": "/cluster", "operations": ["op"]}


def test_a_look_that_was_given_up_settles_nothing() -> None:
    end, context = run(GIVEN_UP)
    assert [item.name for item in context.scheduled] == ["wait_until"]
    assert end is None
    assert context.continued_with is None


def test_events_whose_requests_were_not_accepted_are_not_settled() -> None:
    end, context = run({"kind": "done", "alive": True, "requests": ASKED}, started=GIVEN_UP)
    assert [item.name for item in context.scheduled] == ["wait_until", "start_operations"]
    assert end is None


def test_events_that_came_meanwhile_are_looked_at_too() -> None:
    _, context = run({"kind": "done", "alive": True, "requests": []}, settled=3)
    assert context.continued_with == {"cluster": "/cluster", "seen": 3}
