"""The HTTP edge over a socket: availability, throttle, CORS, custom headers, body limit, conflicts."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from packages.functions_host import functions
from packages.functions_host.functions import serve
from packages.functions_host.http.cors import Cors
from packages.functions_host.http.throttle import Throttle
from packages.functions_host.settings import HostJson, NameResolver
from packages.functions_host.tests.conformance.host.http import function, serving
from packages.functions_host.tests.process import wait_for

APP = Path(__file__).parents[1] / "web_app"


async def ask(
    port: int, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, str], str]:
    def request() -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read().decode()
        finally:
            connection.close()

    return await asyncio.to_thread(request)


async def test_503_until_ready_but_not_for_admin() -> None:
    async with serving(APP) as (host, port):
        host.ready = False
        assert (await ask(port, "GET", "/api/hello"))[::2] == (503, "Function host is not running.")
        assert (await ask(port, "GET", "/runtime/webhooks/durabletask/instances"))[0] == 503
        assert (await ask(port, "GET", "/admin/host/ping"))[0] == 200
        host.ready = True
        assert (await ask(port, "GET", "/api/hello"))[::2] == (200, "hello 0")


async def test_home_page_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(APP) as (_, port):
        assert (await ask(port, "GET", "/"))[0] == 200
        monkeypatch.setenv("AzureWebJobsDisableHomepage", "true")
        assert (await ask(port, "GET", "/"))[0] == 204


async def test_custom_headers_do_not_replace(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(APP) as (host, port):
        host.host_json = replace(host.host_json, custom_headers={"X-Own": "host", "X-More": "1"})
        _, headers, _ = await ask(port, "GET", "/api/hello")
        assert (headers["X-Own"], headers["X-More"]) == ("app", "1")
        assert (await ask(port, "GET", "/api/none"))[1]["X-More"] == "1"


async def test_a_body_over_the_limit_is_500(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "10")
    async with serving(APP) as (_, port):
        assert (await ask(port, "POST", "/api/hello", b"x" * 10))[2] == "hello 10"
        assert (await ask(port, "POST", "/api/hello", b"x" * 11))[::2] == (500, "")


async def test_other_webhook_methods_and_extensions_are_unknown() -> None:
    async with serving(APP) as (_, port):
        for method, path in [("POST", "/runtime/webhooks/eventgrid"), ("PATCH", "/runtime/webhooks/durabletask/x")]:
            assert (await ask(port, method, path))[0] == 404


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the slow function and its test tell each other how far they are."""
    monkeypatch.setenv("TEST_FOLDER", str(tmp_path))
    return tmp_path


async def seen(path: Path) -> None:
    await asyncio.to_thread(wait_for, path.exists, path.name)


async def test_the_client_may_leave_the_function_runs_on(folder: Path) -> None:
    async with serving(APP) as (_, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /api/slow HTTP/1.1\r\nHost: x\r\n\r\n")
        await seen(folder / "began")
        writer.close()
        (folder / "finish").touch()
        await seen(folder / "done")


async def test_too_many_requests(folder: Path) -> None:
    def limited(host_json: HostJson) -> HostJson:
        return replace(host_json, max_outstanding=1)

    async with serving(APP, limited) as (_, port):
        first = asyncio.create_task(ask(port, "GET", "/api/slow"))
        await seen(folder / "began")
        status, headers, text = await ask(port, "GET", "/api/slow")
        assert (status, headers["X-FUNCTION-SCALEOUT"], text) == (429, "1", "")
        assert (await ask(port, "GET", "/admin/host/ping"))[0] == 200
        (folder / "finish").touch()
        assert (await first)[2] == "done"


async def test_throttle() -> None:
    throttle = Throttle(max_outstanding=2, max_concurrent=1)
    async with throttle.slot() as first:
        assert first
        waiting = asyncio.create_task(_hold(throttle))
        await asyncio.sleep(0)
        async with throttle.slot() as third:
            assert not third
        assert not waiting.done()
    assert await waiting
    async with Throttle(-1, -1).slot() as free:
        assert free


async def _hold(throttle: Throttle) -> bool:
    async with throttle.slot() as free:
        return free


PREFLIGHT = {"Origin": "https://a.example", "Access-Control-Request-Method": "PUT"}


@pytest.mark.parametrize(
    ("cors", "origin", "expected"),
    [
        (Cors(), "https://a.example", {}),
        (Cors(("*",)), "https://a.example", {"Access-Control-Allow-Origin": "*"}),
        (
            Cors(("https://A.example",)),
            "https://a.example",
            {"Access-Control-Allow-Origin": "https://a.example", "Vary": "Origin"},
        ),
        (Cors(("https://b.example",)), "https://a.example", {}),
        (
            Cors(("https://a.example",), credentials=True),
            "https://a.example",
            {
                "Access-Control-Allow-Origin": "https://a.example",
                "Vary": "Origin",
                "Access-Control-Allow-Credentials": "true",
            },
        ),
    ],
)
def test_cors_headers(cors: Cors, origin: str, expected: dict[str, str]) -> None:
    assert cors.headers({"Origin": origin}) == expected


def test_preflights_never_reach_a_function() -> None:
    cors = Cors(("https://a.example",))
    answer = cors.preflight("OPTIONS", {**PREFLIGHT, "Access-Control-Request-Headers": "x-a"})
    assert answer
    assert answer.status == 204
    assert dict(answer.headers)["Access-Control-Allow-Methods"] == "PUT"
    assert dict(answer.headers)["Access-Control-Allow-Headers"] == "x-a"
    assert cors.preflight("OPTIONS", {"Origin": "https://a.example"}) is None
    assert cors.preflight("GET", PREFLIGHT) is None
    assert Cors().preflight("OPTIONS", PREFLIGHT) is None


def test_conflicting_routes_and_reserved_ones_are_refused() -> None:
    found = [
        function("b", "Items/{x}/", ["GET", "POST"]),
        function("a", "items/{x}", ["POST"]),
        function("c", "items/{x}", ["PUT"]),
        function("d", "runtimes", None),
        function("e", "%NO_SUCH%", None),
    ]
    served = serve(found, NameResolver({}), "api")
    assert served.errors == {
        "b": "The route specified conflicts with the route defined by function 'a'.",
        "d": "The specified route conflicts with one or more built in routes.",
        "e": "'%NO_SUCH%' does not resolve to a value.",
    }
    assert [route.function for route in served.routes] == ["a", "c"]


def timer(name: str, schedule: str) -> Any:
    made = function(name, None, None)
    trigger = {"type": "timerTrigger", "name": "req", "schedule": schedule}
    return replace(made, trigger=trigger, bindings=(trigger,))


def test_bad_schedules_and_unknown_bindings_are_told_and_the_rest_is_served() -> None:
    queue = {"type": "queueTrigger", "name": "req"}
    found = [
        timer("bad", "not cron"),
        timer("never", "0 0 0 30 2 *"),
        timer("good", "0 * * * * *"),
        timer("off", "0 * * * * *"),
        replace(function("queue", None, None), trigger=queue, bindings=(queue,)),
    ]
    served = serve(found, NameResolver({"AzureWebJobs.off.Disabled": "1"}), "api")
    assert list(served.timers) == ["good", "off"]  # A disabled one has no listener and runs when it is asked for.
    assert served.disabled == {"off"}
    assert served.errors["bad"].startswith("Error indexing method 'Functions.bad': ArgumentException: The schedule")
    assert "ArgumentOutOfRangeException" in served.errors["never"]
    assert "'queueTrigger' are not served" in served.errors["queue"]


def test_cardinality_and_levels() -> None:
    made = function("f", None, None)
    assert functions.event_grid_is_many(replace(made, trigger={"cardinality": "MANY"}))
    assert not functions.event_grid_is_many(made)
    assert functions.auth_level({}) == "function"
    assert functions.auth_level({"authLevel": "ANONYMOUS"}) == "anonymous"
