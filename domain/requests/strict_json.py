"""JSON as RFC 8259 means it: what parsers usually let pass, and what a reader could take in two ways, is refused."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any, NoReturn

from domain.violations import INVALID, Refused, Violation, pointer

_WHOLE = ""


class _Object(dict[str, Any]):
    """An object that remembers the names it was given more than once."""

    twice: tuple[str, ...] = ()


def read_json(data: bytes) -> Any:
    """The value that a body of UTF-8 text holds; a byte order mark is passed over, as RFC 8259 allows.

    Raises Refused for malformed text, NaN and infinities, a name given twice in one object, lone surrogates, and
    nesting or numbers beyond all reason.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(f"is not UTF-8: byte {error.start} cannot be read") from error
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except RecursionError as error:
        raise _refused("is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise _refused(f"is not JSON: {error.msg}, line {error.lineno} column {error.colno}") from error
    except ValueError as error:
        raise _refused(f"is not JSON: {error}") from error
    found = tuple(_oddities(value))
    if found:
        raise Refused(found)
    return value


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    value = _Object(pairs)
    if len(value) < len(pairs):
        value.twice = tuple(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def _oddities(value: Any) -> Iterator[Violation]:
    """What is wrong inside; with a stack of its own, because a body may nest deeper than calls can."""
    rest: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while rest:
        place, item = rest.pop()
        if isinstance(item, _Object):
            for name in item.twice:
                yield Violation(INVALID, "is given more than once", pointer((*place, _visible(name))))
            for name, member in item.items():
                if not _is_text(name):
                    yield Violation(INVALID, "has a name that is no Unicode text", pointer((*place, _visible(name))))
                rest.append(((*place, _visible(name)), member))
        elif isinstance(item, list):
            rest.extend(((*place, number), member) for number, member in enumerate(item))
        elif isinstance(item, float) and not math.isfinite(item):
            yield Violation(INVALID, "is a number that is too large", pointer(place))
        elif isinstance(item, str) and not _is_text(item):
            yield Violation(INVALID, "is no Unicode text: it holds half of a surrogate pair", pointer(place))


def _is_text(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _visible(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def _refused(message: str) -> Refused:
    return Refused([Violation(INVALID, f"The body {message}.", _WHOLE)])
