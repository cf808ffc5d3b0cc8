"""The one codec between frozen dataclasses and the JSON values that tables hold.

The rules, for every type alike:
- The name of a field is the name under which it is stored. It has nothing to do with what the HTTP API calls it.
- A key that the type does not know is ignored: a newer release may have written it.
- A key that is missing takes the field's default: an older release may not have known it. A field without a default
  has to be there.
- A value of another type is never converted: what does not fit is one ``CodecError`` that names the type and the field.

Times are aware (``domain.times.Moment``), tuples are arrays, None is null; nested dataclasses follow the same rules.
Pydantic does the work. Not msgspec, although it is pinned too: its release 0.22 crashes the process when two threads
first meet a type at the same moment (gateways/kubernetes/kinds.py), and activities run in threads.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

T = TypeVar("T")
# Made once for each type: threads that come at the same moment make two that are alike.
_adapters: dict[Any, TypeAdapter[Any]] = {}


class CodecError(ValueError):
    """A value that its type does not allow. The text names the type and the field, and never holds the value."""


def encode(value: Any) -> Any:
    """The JSON value of a dataclass, which ``decode`` reads: that is tried before anything is stored.

    Raises CodecError when a field holds what its type does not allow.
    """
    kind = type(value)
    try:
        stored = _adapter(kind).dump_python(value, mode="json", warnings="error")
    except (PydanticSerializationError, UnicodeError, RecursionError) as error:
        raise CodecError(f"{_name(kind)} holds a value that its types do not allow ({type(error).__name__})") from None
    decode(kind, stored)
    return stored


def decode(kind: type[T], stored: Any) -> T:
    """The dataclass of a JSON value that ``encode``, or an older release, has made. Raises CodecError."""
    try:
        text = json.dumps(stored, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise CodecError(f"{_name(kind)}: what is stored is no JSON value") from None
    try:
        value: T = _adapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        raise CodecError(f"{_name(kind)}: {_first(error)}") from None
    return value


def _adapter(kind: Any) -> TypeAdapter[Any]:
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def _first(error: ValidationError) -> str:
    """The first of the errors, without what was found: that may be a secret."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part)[:80] for part in first["loc"])
    return f"{place}: {first['msg']}" if place else str(first["msg"])


def _name(kind: Any) -> str:
    return str(getattr(kind, "__name__", kind))
