"""The small parts: store, timers, routes, settings and ids."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from packages.controls.clock import ScaledClock
from packages.simulated_azure import settings
from packages.simulated_azure.arm import resources
from packages.simulated_azure.arm.call import Reply
from packages.simulated_azure.arm.routing import Route, Router, crud
from packages.simulated_azure.store import Store
from packages.simulated_azure.tests.world import (
    CLUSTER,
    EXTENSION,
    GROUP,
    SUBSCRIPTION,
    WORKSPACE,
)
from packages.simulated_azure.timers import Timers
from packages.simulated_azure.world import iso


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "db", keep=False)
    yield opened
    opened.close()


def test_store_keeps_documents_and_requests(tmp_path: Path) -> None:
    first = Store(tmp_path / "db", keep=True)
    first.put("kind", "b", {"value": 1})
    first.put("kind", "a", {"value": 2})
    first.put("kind", "b", {"value": 3})
    first.delete("kind", "a")
    entry = {"path": "/x"}
    first.add_request(entry)
    entry["status"] = "done"
    first.save_request(entry)
    second = Store(tmp_path / "db", keep=True)
    assert list(second.items("kind")) == [("b", {"value": 3})]
    assert second.requests == [{"path": "/x", "number": 1, "status": "done"}]
    first.close()
    second.close()
    third = Store(tmp_path / "db", keep=False)
    assert (list(third.items("kind")), third.requests) == ([], [])
    third.close()


def test_timers_run_in_order_of_their_due_times(store: Store) -> None:
    timers = Timers(store, ScaledClock(origin=0))
    ran: list[tuple[float, Any]] = []

    def note(at: float, arguments: dict[str, Any]) -> None:
        ran.append((at, arguments["name"]))
        if arguments["name"] == "first":
            timers.schedule(at + 1, "note", {"name": "follow-up"})

    timers.register("note", note)
    timers.schedule(30, "note", {"name": "late"})
    timers.schedule(10, "note", {"name": "first"})
    timers.cancel(timers.schedule(11, "note", {"name": "cancelled"}))
    timers.advance(9)
    assert ran == []
    timers.advance(20)
    assert ran == [(10, "first"), (11, "follow-up")]
    again = Timers(store, ScaledClock(origin=0))
    again.register("note", note)
    again.load()
    again.advance(100)
    assert ran[2:] == [(30, "late")]
    assert list(store.items("timer")) == []


def test_failing_timer_does_not_stop_the_others(store: Store) -> None:
    timers = Timers(store, ScaledClock(origin=0))
    ran: list[float] = []
    timers.register("fail", lambda at, arguments: ran[5:][0])  # type: ignore[arg-type]
    timers.register("note", lambda at, arguments: ran.append(at))
    timers.schedule(1, "fail", {})
    timers.schedule(2, "note", {})
    timers.advance(3)
    assert ran == [2]


def test_routes_match_in_any_letter_case() -> None:
    def handler(call: object) -> Reply:
        return Reply()

    one = "/subscriptions/{subscription}/things/{name}"
    router = Router(
        [
            *crud(one, "My.Kind/things", get=handler, delete=handler),
            Route(
                "GET", "{scope*}/providers/My.Kind/notes", "My.Kind/notes", handler, "My.Kind/notes/read", "{scope*}"
            ),
        ]
    )
    found = router.match("GET", "/SUBSCRIPTIONS/S1/Things/Name")
    assert found is not None
    assert found.params == {"subscription": "S1", "name": "Name"}
    assert (found.action, found.scope) == ("My.Kind/things/read", "/subscriptions/S1/things/Name")
    nested = router.match("GET", "/subscriptions/S1/things/x/providers/my.kind/notes")
    assert nested is not None
    assert nested.scope == "/subscriptions/S1/things/x"
    assert router.match("PUT", "/subscriptions/S1/things/x") is None
    assert router.methods("/subscriptions/S1/things/x") == ["DELETE", "GET"]
    assert router.match("GET", "/subscriptions/S1/things/x/y") is None


def test_settings_are_merged_member_by_member() -> None:
    merged = settings.merged(settings.DEFAULTS, {"durations": {"compute.attach": 1}})
    assert merged["durations"]["compute.attach"] == 1
    assert merged["durations"]["compute.detach"] == settings.DEFAULTS["durations"]["compute.detach"]
    assert settings.DEFAULTS["durations"]["compute.attach"] == 300
    with pytest.raises(ValueError, match="unknown settings: speed"):
        settings.merged(settings.DEFAULTS, {"speed": 1})


def test_parts_of_ids() -> None:
    assert resources.subscription_of(EXTENSION) == SUBSCRIPTION
    assert resources.group_of(CLUSTER.upper()) == GROUP.upper()
    assert resources.group_of(f"/subscriptions/{SUBSCRIPTION}") == ""
    assert resources.parent_of(f"{WORKSPACE}/computes/x") == WORKSPACE
    assert resources.parent_of(EXTENSION) == CLUSTER
    assert resources.key_of(CLUSTER.strip("/") + "/") == CLUSTER.lower()


def test_time_as_azure_writes_it() -> None:
    assert iso(1.5) == "1970-01-01T00:00:01.5000000Z"
    assert iso(1.5, digits=3) == "1970-01-01T00:00:01.500Z"
