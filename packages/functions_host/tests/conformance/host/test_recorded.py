"""Each recorded exchange of ``recorded/host`` on its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from packages.functions_host.tests.conformance.host import eventgrid, http, timer


def _name(record: dict[str, Any]) -> str:
    return str(record.get("name") or record.get("expression"))


@pytest.mark.parametrize("record", [r for r in eventgrid.records() if not eventgrid.left_out(r)], ids=_name)
async def test_event_grid(record: dict[str, Any]) -> None:
    assert await eventgrid.ours(record) == eventgrid.expected(record)


@pytest.mark.parametrize("record", [*timer.records("schedule"), *timer.records("schedule-dst")], ids=_name)
def test_schedule(record: dict[str, Any]) -> None:
    assert timer.schedule_ours(record) == timer.schedule_expected(record)


@pytest.mark.parametrize("record", timer.records("run"), ids=_name)
async def test_timer_run(record: dict[str, Any]) -> None:
    assert await timer.run_ours(record) == timer.run_expected(record)


def test_routes_refused_at_start() -> None:
    assert sorted(http.refused_ours()) == sorted(http.refused_expected())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def port() -> AsyncIterator[int]:
    async with http.serving() as (_, port):
        yield port


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "record",
    [r for r in http.records("route") if not http.left_out(r)],
    ids=lambda r: f"{r['method']} {r['url']}",
)
async def test_route(record: dict[str, Any], port: int) -> None:
    assert await http.route_ours(record, port) == http.route_expected(record)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("record", http.records("result"), ids=http.result_ids())
async def test_result(record: dict[str, Any], port: int) -> None:
    assert await http.result_ours(record, port) == http.result_expected(record)


def test_what_is_left_out_is_little() -> None:
    reasons = [eventgrid.left_out(r) for r in eventgrid.records()]
    reasons += [http.left_out(r) for r in http.records("route")]
    assert sum(reason is not None for reason in reasons) <= 7
