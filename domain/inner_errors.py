"""The errors inside an error: everything that Azure says of one failure, in whatever shape it says it.

Azure Resource Manager nests errors under ``details``, ``innererror`` and ``additionalInfo`` (its guide to errors),
extensions tell under ``statuses``, and services put the answer of another service into the text as JSON, quoted once or
more. What is read is hostile: its depth, its number and its length are bounded, and what lies beyond is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

_DEEPEST = 12
_MOST_ERRORS = 48
_MOST_VALUES = 512
_MOST_NAMES = 64
# Characters of a text in which JSON is looked for, and beginnings of JSON that are tried in it.
_LONGEST, _MOST_BEGINNINGS = 32_768, 8
# JSON quoted in JSON loses a layer of backslashes each time.
_MOST_QUOTED = 3

# Under these names stand objects, or lists of them, that tell more of the same failure; in this order.
_LISTED = ("details",)
_INNER = (
    "innererror",
    "innererrors",
    "inner",
    "error",
    "errors",
    "errorinfo",
    "statuses",
    "statusmessage",
    "additionalinfo",
    "exception",
    "innerexception",
    "response",
    "body",
)
_INFO = "info"
_MOST_TOLD, _LONGEST_TOLD = 12, 200
_BEGINNING = re.compile(r"[{\[]")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Said:
    """One error: its code and its words, as they came."""

    code: str | None
    message: str | None


@dataclass
class _Reading:
    """What has been read of one failure so far."""

    errors: list[Said] = field(default_factory=list)
    values: int = 0

    def full(self) -> bool:
        """Whether as much has been read as is read of one failure."""
        self.values += 1
        return self.values > _MOST_VALUES or len(self.errors) >= _MOST_ERRORS


def errors_in(error: Any) -> list[Said]:
    """An error object and the errors inside it, outermost first; empty when it says nothing."""
    reading = _Reading()
    _read(error, reading, 0)
    return reading.errors


def _read(error: Any, reading: _Reading, depth: int) -> None:
    if not isinstance(error, Mapping) or depth > _DEEPEST or reading.full():
        return
    held = [(str(name).lower(), value) for name, value in islice(error.items(), _MOST_NAMES)]
    code = next((_text(value) for name, value in held if name == "code"), None)
    message = next((_words(value) for name, value in held if name == "message"), None)
    if not message:
        message = next((_text(v) for name, v in held if name == "displaystatus"), None) or message
    if code or message:
        reading.errors.append(Said(code, message))
    _read_text(message, reading, depth)
    for wanted in (*_LISTED, *_INNER):
        for name, value in held:
            if name == wanted:
                _read_value(value, reading, depth, listed=wanted in _LISTED)
    for name, value in held:
        if name == _INFO and isinstance(value, Mapping):
            _read_info(error, value, reading, depth)


def _read_value(value: Any, reading: _Reading, depth: int, *, listed: bool = False) -> None:
    if isinstance(value, list):
        for each in value[:_MOST_VALUES]:
            if reading.full():
                return
            _read(each, reading, depth + 1)
    elif isinstance(value, str):
        _read_text(value, reading, depth)
    elif not listed:
        _read(value, reading, depth + 1)


def _read_info(error: Mapping[str, Any], info: Mapping[str, Any], reading: _Reading, depth: int) -> None:
    """What ``additionalInfo`` holds: an error, or facts such as the policy that is violated."""
    before = len(reading.errors)
    _read(info, reading, depth + 1)
    if len(reading.errors) > before or reading.full():
        return
    told = [
        f"{name}: {value[:_LONGEST_TOLD]}"
        for name, value in islice(info.items(), _MOST_NAMES)
        if isinstance(name, str) and isinstance(value, str) and value
    ]
    if told:
        reading.errors.append(Said(_text(error.get("type")), "; ".join(told[:_MOST_TOLD])))


def _read_text(text: str | None, reading: _Reading, depth: int) -> None:
    if not text or depth >= _DEEPEST:
        return
    for document in _documents(text[:_LONGEST]):
        if reading.full():
            return
        _read_value(document, reading, depth + 1)


def _documents(text: str) -> Iterator[Any]:
    """The JSON objects and lists in a text, one after the other."""
    for _ in range(_MOST_QUOTED):
        found = list(_decoded(text))
        if found or '\\"' not in text:
            yield from found
            return
        text = text.replace('\\"', '"').replace("\\\\", "\\")


def _decoded(text: str) -> Iterator[Any]:
    at = 0
    for _ in range(_MOST_BEGINNINGS):
        begins = _BEGINNING.search(text, at)
        if begins is None:
            return
        try:
            document, at = _DECODER.raw_decode(text, begins.start())
        except (ValueError, RecursionError):  # The latter: brackets without measure.
            at = begins.end()
            continue
        if document:
            yield document


def _words(value: Any) -> str | None:
    """A message: a text, or, as OData has it, an object with a text in ``value``."""
    return _text(value.get("value")) if isinstance(value, Mapping) else _text(value)


def _text(value: Any) -> str | None:
    return None if value is None or isinstance(value, (Mapping, list)) else str(value)
