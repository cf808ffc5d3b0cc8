"""Each recorded exchange of ``recorded/host`` on its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from packages.functions_host.tests.conformance import host_eventgrid, host_http, host_timer


def _name(record: dict[str, Any]) -> str:
    return str(record.get("name") or record.get("expression"))


@pytest.mark.parametrize("record", [r for r in host_eventgrid.records() if not host_eventgrid.left_out(r)], ids=_name)
async def test_event_grid(record: dict[str, Any]) -> None:
    assert await host_eventgrid.ours(record) == host_eventgrid.expected(record)


@pytest.mark.parametrize("record", [*host_timer.records("schedule"), *host_timer.records("schedule-dst")], ids=_name)
def test_schedule(record: dict[str, Any]) -> None:
    assert host_timer.schedule_ours(record) == host_timer.schedule_expected(record)


@pytest.mark.parametrize("record", host_timer.records("run"), ids=_name)
async def test_timer_run(record: dict[str, Any]) -> None:
    assert await host_timer.run_ours(record) == host_timer.run_expected(record)


def test_routes_refused_at_start() -> None:
    assert sorted(host_http.refused_ours()) == sorted(host_http.refused_expected())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def port() -> AsyncIterator[int]:
    async with host_http.serving() as (_, port):
        yield port


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "record",
    [r for r in host_http.records("route") if not host_http.left_out(r)],
    ids=lambda r: f"{r['method']} {r['url']}",
)
async def test_route(record: dict[str, Any], port: int) -> None:
    assert await host_http.route_ours(record, port) == host_http.route_expected(record)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("record", host_http.records("result"), ids=host_http.result_ids())
async def test_result(record: dict[str, Any], port: int) -> None:
    assert await host_http.result_ours(record, port) == host_http.result_expected(record)


def test_what_is_left_out_is_little() -> None:
    reasons = [host_eventgrid.left_out(r) for r in host_eventgrid.records()]
    reasons += [host_http.left_out(r) for r in host_http.records("route")]
    assert sum(reason is not None for reason in reasons) <= 7
