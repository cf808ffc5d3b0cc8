"""The Event Grid webhook: the same answers, and the functions are given the same."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from packages.functions_host import eventgrid
from packages.functions_host.eventgrid import EventGridFunction
from packages.functions_host.http.requests import parse_query
from packages.functions_host.http.results import HttpAnswer
from packages.functions_host.tests.conformance.checks import Check, Tally
from packages.functions_host.tests.conformance.host.recordings import load_host
from packages.functions_host.wire.typed_data import TypedData

FILE = "eventgrid.jsonl"
NOT_OURS = "string and string[] parameters: no Python function gets them, the host generates JObject"
SHORTENED = "the record holds a shortened body"
KINDS = "trigger-type"


def records() -> list[dict[str, Any]]:
    return [record for record in load_host(FILE) if record["kind"] != "about"]


def left_out(record: dict[str, Any]) -> str | None:
    """Why a record is not held against our host, or None."""
    if record["kind"] == KINDS:
        return "the CLR parameter type: our host has none, it always sends JSON"
    if re.search(r"functionName=eg_strs?\b", record["request"]["url"]):
        return NOT_OURS
    if "characters in all]" in (record["request"]["body"] or ""):
        return SHORTENED
    return None


def expected(record: dict[str, Any]) -> dict[str, Any]:
    """Status, headers, body, and per delivery function, input and trigger metadata."""
    response = record["response"]
    answer: tuple[int, list[list[str]], str] | None
    if response is None:
        answer = None
    elif "handler_threw" in response:
        answer = (500, [], "")
    else:
        headers = sorted([name.lower(), value] for name, value in response["headers"])
        answer = (response["status"], [header for header in headers if header[0] != "content-length"], response["body"])
    delivered = [
        (call["function"], call["input"].get("json"), call["trigger_metadata"])
        for call in record["delivered"]
        if "input" in call
    ]
    return {"answer": answer, "delivered": delivered}


async def ours(record: dict[str, Any]) -> dict[str, Any]:
    """What our webhook does with the recorded request."""
    delivered: list[tuple[str, Any, dict[str, Any]]] = []
    functions = {name: _function(name, delivered) for name in _FUNCTIONS}
    request = record["request"]
    first: dict[str, str] = {}
    for name, value in request["headers"]:
        first.setdefault(name.lower(), value)
    zone: tzinfo = ZoneInfo("Europe/Berlin") if record["name"].startswith("tz-berlin") else UTC
    answer = await eventgrid.handle(
        request["method"], parse_query(urlsplit(request["url"]).query), first, _body(record), functions, zone
    )
    shown = _shown(answer) if record["response"] is not None else None
    return {"answer": shown, "delivered": delivered}


async def check() -> Tally:
    tally = Tally()
    for record in records():
        reason = left_out(record)
        if reason:
            tally.left_out.append(reason)
        else:
            tally.compare(record["name"], expected(record), await ours(record))
    return tally


_FUNCTIONS = ("eg_one", "eg_many", "eg_throw", "eg_some", "eg_many_throw", "eg_slow")


def _function(name: str, delivered: list[tuple[str, Any, dict[str, Any]]]) -> EventGridFunction:
    """A recorded function; those that throw do so after they were noted."""

    async def call(datum: TypedData, metadata: Mapping[str, TypedData]) -> None:
        delivered.append((name, datum.value, {key: {value.kind: value.value} for key, value in metadata.items()}))
        await asyncio.sleep(0)
        if "throw" in name or (name == "eg_some" and "boom" in datum.value):
            raise RuntimeError("thrown")

    return EventGridFunction(name, "many" in name, call)


def _body(record: dict[str, Any]) -> bytes:
    """The bytes that were sent; the records of odd encodings hold replacement characters in their place."""
    body = record["request"]["body"] or ""
    if record["name"] == "notify-latin1-charset":
        return str(body).replace("\ufffd", "é").encode("latin-1")
    if record["name"] == "notify-invalid-utf8":
        return str(body).encode().replace("\ufffd\ufffd".encode(), b"\xff\xfe")
    return str(body).encode("utf-8", "surrogatepass")


def _shown(answer: HttpAnswer) -> tuple[int, list[list[str]], str]:
    return answer.status, sorted([name.lower(), value] for name, value in answer.headers), answer.body.decode()


CHECKS = [Check(f"host/{FILE}", "webhook", check)]
