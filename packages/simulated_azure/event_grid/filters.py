"""Which events an event subscription wants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from packages.simulated_azure.arm import resources

# String comparisons of advanced filters do not mind letter case.
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "StringIn": lambda value, wanted: value == wanted,
    "StringContains": lambda value, wanted: wanted in value,
    "StringBeginsWith": lambda value, wanted: value.startswith(wanted),
    "StringEndsWith": lambda value, wanted: value.endswith(wanted),
}
OPERATORS = {
    *_TESTS,
    *(name.replace("String", "StringNot", 1) for name in _TESTS),
    "BoolEquals",
    "IsNullOrUndefined",
    "IsNotNull",
}


def wants(subscription: dict[str, Any], event: dict[str, Any]) -> bool:
    """Whether an event subscription (its stored form) gets an event."""
    scope = resources.key_of(subscription["scope"])
    target = resources.key_of(event["subject"])
    if target != scope and not target.startswith(scope + "/"):
        return False
    chosen = subscription["properties"].get("filter") or {}
    types = chosen.get("includedEventTypes")
    if types and event["eventType"] not in types:
        return False
    exact = bool(chosen.get("isSubjectCaseSensitive"))
    subject = event["subject"] if exact else event["subject"].lower()
    begin, end = (
        text if exact else text.lower()
        for text in (chosen.get("subjectBeginsWith") or "", chosen.get("subjectEndsWith") or "")
    )
    if not subject.startswith(begin) or not subject.endswith(end):
        return False
    return all(_passes(condition, event) for condition in chosen.get("advancedFilters") or [])


def _passes(condition: dict[str, Any], event: dict[str, Any]) -> bool:
    operator = condition["operatorType"]
    value = _value(event, condition["key"])
    if operator == "IsNullOrUndefined":
        return value is None
    if operator == "IsNotNull":
        return value is not None
    if operator == "BoolEquals":
        return bool(value is condition["value"])
    negated = str(operator).startswith("StringNot")
    if not isinstance(value, str):
        return negated
    test = _TESTS[operator.replace("StringNot", "String", 1)]
    fits = any(test(value.lower(), str(wanted).lower()) for wanted in condition["values"])
    return fits != negated


def _value(event: dict[str, Any], key: str) -> Any:
    found: Any = event
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found
