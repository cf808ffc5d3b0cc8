"""A change of a JSON document in place, by the rules of RFC 7396."""

from __future__ import annotations

from typing import Any


def merge(target: dict[str, Any], change: dict[str, Any]) -> None:
    """Lay a change over a document: null removes a member, objects are merged, everything else is replaced."""
    for name, value in change.items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, dict) and isinstance(target.get(name), dict):
            merge(target[name], value)
        else:
            target[name] = value
