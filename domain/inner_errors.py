"""The errors inside an error: everything that Azure says of one failure, in whatever shape it says it.

Azure Resource Manager nests errors under ``details``, ``innererror`` and ``additionalInfo`` (its guide to errors),
extensions tell under ``statuses``, services built on ASP.NET answer problem details (RFC 9457), and services put the
answer of another service into the text: as JSON, quoted once or more, as what Python, Go or the SDKs print, or cut in
the middle. What is read is hostile: its depth, its number and its length are bounded, and what lies beyond is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

_DEEPEST = 40
_MOST_ERRORS = 48
_MOST_VALUES = 512
_MOST_NAMES = 64
# Characters of a text in which JSON is looked for, and beginnings of JSON that are tried in it.
_LONGEST, _MOST_BEGINNINGS = 32_768, 8
# JSON quoted in JSON loses a layer of backslashes each time.
_MOST_QUOTED = 3

# Names are compared in lower case and without hyphens and underscores. Under each of these stands the code, or the
# words, of an error; the first that has some counts.
_CODES = ("code", "errorcode")
_MESSAGES = ("message", "errormessage", "displaystatus", "detail", "errordescription", "title")
# Under these names stand objects, lists or texts that tell more of the same failure; in this order.
_INNER = (
    "details",
    "innererror",
    "innererrors",
    "inner",
    "rooterror",
    "rootcause",
    "cause",
    "causes",
    "error",
    "errors",
    "errorinfo",
    "provisioningerror",
    "provisioningerrors",
    "statuses",
    "statusmessage",
    "additionalinfo",
    "debuginfo",
    "exception",
    "exceptions",
    "innerexception",
    "innerexceptions",
    "errorresponse",
)
# These hold whatever another service has answered: an error only where they are an object or JSON.
_ANSWERS = ("response", "responsebody", "body")
_INFO = "info"
# By field: what a service says of what it was given (ASP.NET's validation problem details).
_BY_FIELD = "errors"
_MOST_TOLD, _LONGEST_TOLD = 12, 200
_BEGINNING = re.compile(r"[{\[]")
_DECODER = json.JSONDecoder()
# A code or a message in what is no JSON: quoted by single quotes (Python), named with an equals sign (Go), or cut.
_PAIR = re.compile(
    r"""(?<!\w)(?P<q>\\{0,8}["']?)(?P<name>(?:error[_-]?)?(?:code|message))(?P=q)\s{0,4}[:=]\s{0,4}"""
    r"""(?P<v>\\{0,8}["'])(?P<value>(?:(?!(?P=v))(?:\\.|[^\\])){0,4000})""",
    re.IGNORECASE | re.DOTALL,
)
# How the SDKs print an error: a line for its code, and one for its message.
_LINES = re.compile(
    r"^[ \t]*Code:[ \t]*(\w[\w.-]{0,127})[ \t]*\r?\n[ \t]*Message:[ \t]*([^\r\n]{1,4000})", re.MULTILINE
)


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
    held = [(_plain(name), value) for name, value in islice(error.items(), _MOST_NAMES)]
    code = _first(held, _CODES, _text)
    message = _first(held, _MESSAGES, _words)
    if code or message:
        reading.errors.append(Said(code, message))
    _read_text(message, reading, depth)
    for wanted in (*_INNER, *_ANSWERS):
        for name, value in held:
            if name == wanted:
                _read_value(value, reading, depth, tells=wanted in _INNER)
    for name, value in held:
        if name == _BY_FIELD and isinstance(value, Mapping):
            _read_fields(value, reading)
        elif name == _INFO and isinstance(value, Mapping):
            _read_info(error, value, reading, depth)


def _first(held: Sequence[tuple[str, Any]], names: Sequence[str], read: Callable[[Any], str | None]) -> str | None:
    """What stands under the first of these names that has anything."""
    said = (read(value) for wanted in names for name, value in held if name == wanted)
    return next((each for each in said if each), None)


def _read_value(value: Any, reading: _Reading, depth: int, *, tells: bool) -> None:
    """What stands under a name: an object, a list or a text. ``tells``: a text there is an error's words."""
    if isinstance(value, list):
        for each in value[:_MOST_VALUES]:
            if reading.full():
                return
            if isinstance(each, str):
                _read_words(each, reading, depth, tells=tells)
            else:
                _read(each, reading, depth + 1)
    elif isinstance(value, str):
        _read_words(value, reading, depth, tells=tells)
    else:
        _read(value, reading, depth + 1)


def _read_words(text: str, reading: _Reading, depth: int, *, tells: bool) -> None:
    before = len(reading.errors)
    _read_text(text, reading, depth)
    if tells and text.strip() and len(reading.errors) == before:
        reading.errors.append(Said(None, text))


def _read_fields(fields: Mapping[str, Any], reading: _Reading) -> None:
    """What is said of each field: a list of sentences under its name."""
    for name, said in islice(fields.items(), _MOST_NAMES):
        texts = [each for each in said[:_MOST_TOLD] if isinstance(each, str)] if isinstance(said, list) else []
        if texts and not reading.full():
            reading.errors.append(Said(None, f"{name}: {' '.join(texts)}"))


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
    before = len(reading.errors)
    for document in _documents(text[:_LONGEST]):
        if reading.full():
            return
        _read_value(document, reading, depth + 1, tells=False)
    if len(reading.errors) == before:
        for said in _printed(text[:_LONGEST]):
            if not reading.full():
                reading.errors.append(said)


def _printed(text: str) -> Iterator[Said]:
    """The errors in a text that holds no JSON, as far as it names their codes."""
    for code, message in _LINES.findall(text):
        yield Said(code, message)
    said: dict[str, str] = {}
    for pair in islice(_PAIR.finditer(text), _MOST_NAMES):
        name = "code" if _plain(pair["name"]).endswith("code") else "message"
        if name in said:
            yield Said(said.get("code"), said.get("message"))
            said = {}
        said[name] = re.sub(r"\\+([\"'])", r"\1", pair["value"])
    if said:
        yield Said(said.get("code"), said.get("message"))


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


def _plain(name: Any) -> str:
    """A name in the form in which names are compared."""
    return str(name).lower().replace("_", "").replace("-", "")


def _words(value: Any) -> str | None:
    """A message: a text, or, as OData has it, an object with a text in ``value``."""
    return _text(value.get("value")) if isinstance(value, Mapping) else _text(value)


def _text(value: Any) -> str | None:
    return None if value is None or isinstance(value, (Mapping, list)) else str(value)
