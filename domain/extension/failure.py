"""What a cluster extension that has failed says of itself: its error, and its statuses of any level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.problems import AzureAnswer, answers_in, says_nothing

_MOST_STATUSES = 32
# Where a status has no level, or one that nobody knows, it counts after the errors: agents leave it out
# (azure-cli-extensions issue 5501).
_ORDER = {"error": 0, "critical": 0, "warning": 2, "information": 3, "informational": 3, "info": 3}
_LEVEL_UNKNOWN, _HARMLESS = 1, 3


def answers_of(properties: Mapping[str, Any]) -> list[AzureAnswer]:
    """The answers in an extension's properties, those that explain its failure first.

    Statuses for information count only where nothing else says why.
    """
    error, statuses = properties.get("errorInfo"), properties.get("statuses")
    said = answers_in({"details": error}) if isinstance(error, (Mapping, list)) else []
    listed = [each for each in (statuses if isinstance(statuses, list) else []) if isinstance(each, Mapping)]
    ordered = sorted(listed[:_MOST_STATUSES], key=_rank)
    for each in ordered:
        if _rank(each) < _HARMLESS:
            said += answers_in(each)
    if all(says_nothing(answer) for answer in said):
        said += [answer for each in ordered if _rank(each) >= _HARMLESS for answer in answers_in(each)]
    return said


def _rank(status: Mapping[str, Any]) -> int:
    return _ORDER.get(str(status.get("level") or "").lower(), _LEVEL_UNKNOWN)
