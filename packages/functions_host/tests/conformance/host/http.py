"""HTTP: the same routes refused at start, the same function and values for a path, the same answer for a result.

Every exchange goes through the real edge of our host, over a socket, and through Microsoft's worker library.
"""

from __future__ import annotations

import asyncio
import functools
import http.client
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from packages.controls.clock import ScaledClock
from packages.functions_host import functions
from packages.functions_host.function_info import FunctionInfo
from packages.functions_host.host import FunctionsHost, HostOptions
from packages.functions_host.http.cors import Cors
from packages.functions_host.http.web import WebEdge
from packages.functions_host.keys import KeyRing
from packages.functions_host.settings import HostJson, NameResolver
from packages.functions_host.tests.conformance.checks import Check, Tally
from packages.functions_host.tests.conformance.host.recordings import load_host

APP = Path(__file__).parent / "http_app"
FILE = "http.jsonl"
NOT_HEADERS = ("date", "server", "connection")
LOWER_CASE_METHOD = "the HTTP parser of aiohttp answers 400 to lower-case method names; HTTP clients do not send them"
HOME_PAGE = "only the router was recorded: the script host serves its home page at / before the router is asked"


def records(kind: str) -> list[dict[str, Any]]:
    return [record for record in load_host(FILE) if record["kind"] == kind]


def left_out(record: dict[str, Any]) -> str | None:
    """Why a record is not held against our host, or None."""
    if record["url"] == "/":
        return HOME_PAGE
    if not record["method"].isupper():
        return LOWER_CASE_METHOD
    return None


def function(name: str, route: str | None, methods: list[str] | None) -> FunctionInfo:
    """A function as the worker describes it."""
    trigger: dict[str, Any] = {"type": "httpTrigger", "name": "req", "authLevel": "ANONYMOUS", "route": route}
    if methods is not None:
        trigger["methods"] = methods
    return FunctionInfo(name, f"id of {name}", trigger, (trigger, {"type": "http", "name": "$return"}), Path())


@asynccontextmanager
async def serving(
    app_dir: Path = APP, change: Callable[[HostJson], HostJson] = lambda given: given
) -> AsyncIterator[tuple[FunctionsHost, int]]:
    """Our host with that app on a free port."""
    options = HostOptions(app_dir, Path(), "http://127.0.0.1", ScaledClock(0), KeyRing("master"))
    host = FunctionsHost(options, change(HostJson({})))
    try:
        await host.load()
        host.ready = True
        runner = WebEdge(host, Cors()).runner()
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield host, runner.addresses[0][1]
        finally:
            await runner.cleanup()
    finally:
        await host.worker.stop()


def route_functions() -> list[FunctionInfo]:
    """The recorded routes."""
    return [function(spec["name"], spec["route"], spec["methods"]) for spec in records("routes")[0]["routes"]]


def refused_expected() -> list[tuple[str, str]]:
    return [(entry["function"], entry["error"]) for entry in records("routes")[0]["refused_at_start"]]


def refused_ours() -> list[tuple[str, str]]:
    served = functions.serve(route_functions(), NameResolver({}), "api")
    return [(name, f"RouteCreationException: {error}") for name, error in served.errors.items()]


def route_expected(record: dict[str, Any]) -> dict[str, Any]:
    """What is comparable of a record: absent values are null to the router and not sent to Python."""
    expected: dict[str, Any] = {
        key: record[key] for key in ("status", "function", "headers", "body", "url_seen") if key in record
    }
    if "route_values" in record:
        expected["route_values"] = {name: value for name, value in record["route_values"].items() if value is not None}
    return expected


async def route_ours(record: dict[str, Any], port: int) -> dict[str, Any]:
    answer = await asyncio.to_thread(ask, port, record["method"], record["url"])
    seen = json.loads(answer["body"]) if answer.get("status") == 200 and answer["body"] else {}
    if "url_seen" in seen:
        seen["url_seen"] = seen["url_seen"].replace(f"127.0.0.1:{port}", "localhost:7071")
    return {key: value for key, value in {**answer, **seen}.items() if key in route_expected(record)}


def result_expected(record: dict[str, Any]) -> dict[str, Any]:
    if "converter_raised" in record:
        return {"status": 500, "headers": [["Content-Length", "0"]], "body": ""}
    if "connection" in record:
        return {"connection": record["connection"]}
    return {key: record["response"][key] for key in ("status", "headers", "body")}


async def result_ours(record: dict[str, Any], port: int) -> dict[str, Any]:
    number = records("result").index(record)
    return await asyncio.to_thread(ask, port, record.get("method", "GET"), f"/api/result?record={number}")


def ask(port: int, method: str, url: str) -> dict[str, Any]:
    """One request as the recording client made it: status, headers without Date and Server, body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, url)
        response = connection.getresponse()
        body = response.read()
    except http.client.HTTPException as error:
        return {"connection": f"{type(error).__name__}: {error}"}
    finally:
        connection.close()
    headers = sorted([_usual(name), value] for name, value in response.getheaders() if name.lower() not in NOT_HEADERS)
    return {"status": response.status, "headers": headers, "body": body.decode("utf-8", "replace")}


def _usual(name: str) -> str:
    """HTTP header names have no case; Kestrel writes the known ones in their usual one."""
    return name.title() if name.lower() in ("content-type", "content-length", "location") else name


async def check_routes() -> Tally:
    tally = Tally()
    tally.compare("refused at start", sorted(refused_expected()), sorted(refused_ours()))
    async with serving() as (_, port):
        for record in records("route"):
            reason = left_out(record)
            if reason:
                tally.left_out.append(reason)
            else:
                what = f"{record['method']} {urlsplit(record['url']).path}"
                tally.compare(what, route_expected(record), await route_ours(record, port))
    return tally


async def check_results() -> Tally:
    tally = Tally()
    async with serving() as (_, port):
        for record in records("result"):
            tally.compare(
                f"{record.get('method')} {record['python']}", result_expected(record), await result_ours(record, port)
            )
    return tally


@functools.cache
def result_ids() -> list[str]:
    return [f"{record.get('method', 'GET')} {record['python']}" for record in records("result")]


CHECKS = [
    Check(f"host/{FILE}", "routes", check_routes),
    Check(f"host/{FILE}", "results", check_results),
]
