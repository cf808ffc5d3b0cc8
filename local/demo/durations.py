"""Spans of time as people say them."""

from __future__ import annotations

from datetime import datetime


def in_words(seconds: float) -> str:
    """A span such as ``8 s``, ``4 min 10 s`` or ``2 h 5 min``."""
    whole = round(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _two(whole // 60, "min", whole % 60, "s")
    return _two(whole // 3600, "h", whole % 3600 // 60, "min")


def between(start: str, end: str) -> float:
    """Seconds from one RFC 3339 moment to another."""
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit} {small} {small_unit}" if small else f"{large} {large_unit}"
