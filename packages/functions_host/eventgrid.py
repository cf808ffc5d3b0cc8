"""The Event Grid webhook: what Microsoft.Azure.WebJobs.Extensions.EventGrid 3.3.0 does with a request.

Order of decisions: function, OPTIONS (CloudEvents handshake), then the aeg-event-type header.
"""

from __future__ import annotations

import asyncio
import codecs
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import tzinfo
from typing import Any

from packages.functions_host.dotnet.json import JsonError, dumps, loads
from packages.functions_host.http.results import FAILED, HttpAnswer, text_answer
from packages.functions_host.wire.typed_data import TypedData

ALLOWED_ORIGIN = "eventgrid.azure.net"
Invoke = Callable[[TypedData, Mapping[str, TypedData]], Awaitable[object]]
"""Runs the function with its input and trigger metadata; raises when it fails."""

_log = logging.getLogger("Host.Triggers.EventGrid")
_NET_CHARSETS = {
    **dict.fromkeys(("utf-8", "unicode-1-1-utf-8", "unicode-2-0-utf-8"), "utf-8"),
    **dict.fromkeys(("utf-16", "utf-16le", "unicode", "ucs-2", "iso-10646-ucs-2"), "utf-16-le"),
    **dict.fromkeys(("utf-16be", "unicodefffe"), "utf-16-be"),
    **dict.fromkeys(("utf-32", "utf-32le"), "utf-32-le"),
    "utf-32be": "utf-32-be",
    **dict.fromkeys(("us-ascii", "ascii", "us", "iso646-us", "iso-ir-6", "cp367", "ibm367"), "ascii"),
    **dict.fromkeys(
        ("iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "l1", "iso-ir-100", "cp819", "ibm819"), "latin-1"
    ),
}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class EventGridFunction:
    """One function with an Event Grid trigger."""

    def __init__(self, name: str, many: bool, invoke: Invoke) -> None:
        """``many``: the binding's cardinality is many, so one call gets the whole array."""
        self.name, self.many, self.invoke = name, many, invoke


async def handle(
    method: str,
    query: Sequence[tuple[str, str]],
    headers: Mapping[str, str],
    body: bytes,
    functions: Mapping[str, EventGridFunction],
    zone: tzinfo,
) -> HttpAnswer:
    """Answer one request to the webhook; ``headers`` have lower-case names and each name's first value."""
    name = ",".join(value for key, value in query if key.lower() == "functionname")
    function = functions.get(name)
    if function is None:
        return text_answer(404, f"cannot find function: '{name}'")
    if method.upper() == "OPTIONS":
        return HttpAnswer(200, (("Webhook-Allowed-Origin", ALLOWED_ORIGIN),))
    # Blanks around a header's value are no part of it: Kestrel hands it over without.
    event_type = headers.get("aeg-event-type", "").strip(" \t").lower()
    if event_type == "unsubscribe":
        return HttpAnswer(202)
    if event_type not in ("subscriptionvalidation", "notification"):
        return HttpAnswer(400)
    try:
        content = loads(decode_body(body, headers.get("content-type", "")), zone)
        if event_type == "subscriptionvalidation":
            return _validate(content)
        if not isinstance(content, (dict, list)):
            raise JsonError("The request content should be parseable into a JSON object or array.")
    except (ValueError, LookupError, TypeError) as error:  # JsonError is a ValueError
        _log.error("The webhook for '%s' failed: %s", name, error)
        return FAILED
    return await _notify(function, content if isinstance(content, list) else [content])


def decode_body(body: bytes, content_type: str) -> str:
    """The text as HttpContent.ReadAsStringAsync reads it: byte order mark, else charset, else UTF-8; errors replaced.

    Raises LookupError for a charset that .NET does not know without further packages.
    """
    match = re.search(r";\s*charset\s*=\s*\"?([^\";\s]+)", content_type, re.IGNORECASE)
    encoding = _NET_CHARSETS[match[1].lower()] if match else "utf-8"
    for mark, marked in _MARKS:
        if body.startswith(mark) and (not match or encoding == marked):
            return body[len(mark) :].decode(marked, "replace")
    return body.decode(encoding, "replace")


def _validate(content: Any) -> HttpAnswer:
    """The handshake; raises LookupError or TypeError when there is no code."""
    event = content[0] if isinstance(content, list) else content
    data = event["data"]
    if isinstance(data, str):
        data = json.loads(data)
    code = data["validationCode"]
    if not isinstance(code, str):
        raise TypeError("validationCode is not a string")
    return text_answer(200, f'{{"validationResponse":"{_system_text_json(code)}"}}')


def _system_text_json(text: str) -> str:
    """Escape as System.Text.Json's default encoder does: only safe ASCII stays."""

    def escape(match: re.Match[str]) -> str:
        units = match[0].encode("utf-16-be")
        return "".join(f"\\u{units[index]:02X}{units[index + 1]:02X}" for index in range(0, len(units), 2))

    plain = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", "\\": "\\\\"}
    escaped = (plain.get(character, character) for character in text)
    return "".join(
        part if part in plain.values() else re.sub(r"[^ !#-%(-*,-;=?-\[\]-_a-~]", escape, part) for part in escaped
    )


async def _notify(function: EventGridFunction, events: list[Any]) -> HttpAnswer:
    """Run the function: once for each event, all at the same time, or once for all of them."""
    if function.many:
        if not all(isinstance(event, dict) for event in events):
            return _failure(function)
        data = [event.get("data") for event in events]
        calls = [(TypedData(dumps(events), "json"), {"data": TypedData(dumps(data), "json")})]
    else:
        calls = [_single(event) for event in events if isinstance(event, dict)]
    outcomes = await asyncio.gather(
        *(function.invoke(datum, metadata) for datum, metadata in calls), return_exceptions=True
    )
    if not function.many and len(calls) < len(events):
        return FAILED
    return _failure(function) if any(isinstance(outcome, Exception) for outcome in outcomes) else HttpAnswer(202)


def _single(event: Mapping[str, Any]) -> tuple[TypedData, dict[str, TypedData]]:
    metadata = {"data": TypedData(dumps(event["data"]), "json")} if "data" in event else {}
    return TypedData(dumps(event), "json"), metadata


def _failure(function: EventGridFunction) -> HttpAnswer:
    return text_answer(500, f"Exception while executing function: Functions.{function.name}")
