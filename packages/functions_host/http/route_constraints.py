"""Inline route constraints (``{id:int}``) as ASP.NET Core checks them; values stay texts."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation

Constraint = Callable[[str], bool]

_INTEGER = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
_DECIMAL = re.compile(r"\s*[+-]?(?:\d[\d,]*\.?\d*|\.\d+)[+-]?\s*", re.ASCII)
_FLOAT = re.compile(
    r"\s*[+-]?(?:(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|NaN|Infinity|∞)\s*", re.ASCII | re.IGNORECASE
)
_GUID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_GUID_BRACKETED = re.compile(r"[{(][0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}[)}]", re.IGNORECASE)

_DATE_FORMATS = (
    "%Y-%m-%d",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%Y/%m/%d",
    "%m/%d/%Y",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%m-%d-%Y",
    "%Y-%m",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d %Y",
    "%B %d %Y",
    "%B %d, %Y",
    "%a, %d %b %Y %H:%M:%S",
    "%H:%M",
    "%H:%M:%S",
)


def make_constraint(text: str) -> Constraint:
    """The check that ``name`` or ``name(arguments)`` stands for.

    Raises ValueError for an unknown constraint or wrong arguments.
    """
    match = re.fullmatch(r"(\w+)(?:\((.*)\))?", text, re.DOTALL)
    if not match:
        raise ValueError(f"not a constraint: {text}")
    name, arguments = match.group(1).lower(), match.group(2)
    if arguments is None and name in _PLAIN:
        return _PLAIN[name]
    if arguments is not None and name == "regex":
        pattern = re.compile(arguments, re.IGNORECASE)
        return lambda value: pattern.search(value) is not None
    if arguments is not None and name in _BOUNDED:
        return _BOUNDED[name](*(int(argument) for argument in arguments.split(",")))
    raise ValueError(f"unknown constraint: {text}")


def _integer(bits: int) -> Constraint:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return lambda value: _INTEGER.fullmatch(value) is not None and low <= int(value) <= high


def _is_decimal(value: str) -> bool:
    if not _DECIMAL.fullmatch(value):
        return False
    try:
        return abs(Decimal(value.strip().replace(",", "").rstrip("+-"))) < Decimal(2) ** 96
    except InvalidOperation:
        return False


def _is_guid(value: str) -> bool:
    value = value.strip()
    return bool(_GUID.fullmatch(value)) or (
        bool(_GUID_BRACKETED.fullmatch(value)) and (value[0] + value[-1]) in ("{}", "()")
    )


def _is_datetime(value: str) -> bool:
    """An approximation of .NET's invariant DateTime.TryParse: the ISO forms and the common English ones."""
    value = re.sub(r"(\.\d{6})\d+", r"\1", value.strip())
    value = re.sub(r"\s*(?:Z|GMT|[+-]\d{2}:?\d{2})$", "", value, flags=re.IGNORECASE) if ":" in value else value
    for form in _DATE_FORMATS:
        try:
            datetime.strptime(value, form)
        except ValueError:
            continue
        return True
    return False


def _length(low: int, high: int | None = None) -> Constraint:
    return lambda value: low <= len(value) <= (low if high is None else high)


def _between(low: int | None, high: int | None) -> Constraint:
    def check(value: str) -> bool:
        if not _PLAIN["long"](value):
            return False
        return (low is None or int(value) >= low) and (high is None or int(value) <= high)

    return check


_PLAIN: dict[str, Constraint] = {
    "int": _integer(32),
    "long": _integer(64),
    "float": lambda value: _FLOAT.fullmatch(value) is not None,
    "double": lambda value: _FLOAT.fullmatch(value) is not None,
    "decimal": _is_decimal,
    "bool": lambda value: value.strip().lower() in ("true", "false"),
    "datetime": _is_datetime,
    "guid": _is_guid,
    "alpha": lambda value: re.fullmatch(r"[a-zA-Z]*", value) is not None,
    "required": lambda value: value != "",
    "file": lambda value: re.fullmatch(r".*\.[^.]+", value, re.DOTALL) is not None,
    "nonfile": lambda value: re.fullmatch(r".*\.[^.]+", value, re.DOTALL) is None,
}

_BOUNDED: dict[str, Callable[..., Constraint]] = {
    "length": _length,
    "min": lambda low: _between(low, None),
    "max": lambda high: _between(None, high),
    "range": lambda low, high: _between(low, high),
    "minlength": lambda low: lambda value: len(value) >= low,
    "maxlength": lambda high: lambda value: len(value) <= high,
}
