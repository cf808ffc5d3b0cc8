"""JSON as the extension's serialiser (Newtonsoft.Json) writes it: compact, non-ASCII unescaped, .NET numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_UNQUOTED_NAME = re.compile(r"\s*\{\s*[A-Za-z_$][\w$]*[ \t]*")
_plain = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)
# Newtonsoft escapes these three line separators although JSON does not ask for it.
_SEPARATORS = {"\u0085": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"}


class InvalidJson(ValueError):
    """A payload that is not JSON; ``message`` is worded as Newtonsoft's JsonReaderException where that was recorded."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def loads(text: str) -> Any:
    """Parse one JSON value.

    Raises InvalidJson.
    """
    if not text.strip():
        raise InvalidJson("Error reading JToken from JsonReader. Path '', line 0, position 0.")
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidJson(_reader_message(text, error)) from error


def compact(value: Any) -> str:
    """The value as compact JSON text."""
    if _has_float(value):
        return "".join(_parts(value))
    return _separators(_plain.encode(value))


def indented(value: Any, level: int = 0) -> str:
    """The value as JSON indented by two blanks, ``level`` steps deep (its first line is not indented)."""
    if isinstance(value, dict) and value:
        pad = "  " * (level + 1)
        inner = (f"{pad}{quoted(key)}: {indented(item, level + 1)}" for key, item in value.items())
        return "{\n" + ",\n".join(inner) + "\n" + "  " * level + "}"
    if isinstance(value, list) and value:
        pad = "  " * (level + 1)
        return "[\n" + ",\n".join(pad + indented(item, level + 1) for item in value) + "\n" + "  " * level + "]"
    return compact(value)


def quoted(text: str) -> str:
    """A JSON string literal."""
    return _separators(_plain.encode(text))


def lenient(text: str | None) -> Any:
    """What the status shows for a stored text: its JSON value, or the text itself when it is not JSON.

    Newtonsoft's JToken.Load reads one value and does not look at what follows, so ``"5 apples"`` shows 5.
    """
    if text is None:
        return None
    trimmed = text.strip()
    if not trimmed:
        return ""
    try:
        value, end = json.JSONDecoder().raw_decode(trimmed)
    except ValueError:
        return trimmed
    scalar = not isinstance(value, str | dict | list)
    if scalar and end < len(trimmed) and trimmed[end] not in " \t\r\n,]}":
        return trimmed
    return value


def number_text(value: float) -> str:
    """A double as .NET writes it round-trip (``1E+22``, ``0.0001``, ``1.0``).

    Source: Newtonsoft JsonConvert.ToString(double) over .NET's "R" format: shortest digits, scientific when the
    exponent is below -4 or at least 15, and ``.0`` added to whole numbers.
    """
    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": '"NaN"', "inf": '"Infinity"'}.get(str(value), '"-Infinity"')
    sign, digits, exponent = _digits(value)
    point = len(digits) + exponent
    if digits == "0":
        return f"{sign}0.0"
    if point - 1 >= 15 or point - 1 < -4:
        mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
        return f"{sign}{mantissa}E{'+' if point > 0 else '-'}{abs(point - 1):02d}"
    if exponent >= 0:
        return f"{sign}{digits}{'0' * exponent}.0"
    if point > 0:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    return f"{sign}0.{'0' * -point}{digits}"


def _digits(value: float) -> tuple[str, str, int]:
    text = repr(abs(value))
    mantissa, _, power = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    exponent = int(power or 0) - len(fraction)
    digits = (whole + fraction).lstrip("0") or "0"
    stripped = digits.rstrip("0") or "0"
    exponent += len(digits) - len(stripped)
    return ("-" if str(value).startswith("-") else ""), stripped, exponent


def _separators(text: str) -> str:
    if text.isascii():
        return text
    for character, escape in _SEPARATORS.items():
        text = text.replace(character, escape)
    return text


def _has_float(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_float(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_float(item) for item in value)
    return isinstance(value, float)


def _parts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield "{"
        for index, (key, item) in enumerate(value.items()):
            yield ("," if index else "") + quoted(str(key)) + ":"
            yield from _parts(item)
        yield "}"
    elif isinstance(value, list):
        yield "["
        for index, item in enumerate(value):
            if index:
                yield ","
            yield from _parts(item)
        yield "]"
    elif isinstance(value, float):
        yield number_text(value)
    else:
        yield _separators(_plain.encode(value))


def _reader_message(text: str, error: ValueError) -> str:
    """Newtonsoft's wording for names without quotes (recorded); for other mistakes the place alone."""
    unquoted = _UNQUOTED_NAME.match(text)
    if unquoted is not None:
        end = unquoted.end()
        if end == len(text):
            return f"Unexpected end while parsing unquoted property name. Path '', line 1, position {end}."
        if text[end] != ":":
            return (
                "Invalid character after parsing property name. "
                f"Expected ':' but got: {text[end]}. Path '', line 1, position {end}."
            )
    position = getattr(error, "pos", 0)
    character = text[position] if 0 <= position < len(text) else ""
    if not character:
        return f"Unexpected end when reading JSON. Path '', line 1, position {len(text)}."
    return f"Unexpected character encountered while parsing value: {character}. Path '', line 0, position 0."
