"""Which instances this host may run: the extension's orchestration versioning.

Source: measured on extension 3.19.0 (what a mismatch makes of an instance, texts included); how two versions are
compared is DurableTask.Core's VersioningSettings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

MISMATCH_KIND = "VersionMismatch"
MISMATCH_TEXT = "Orchestration version did not comply with Worker Versioning"


class MatchStrategy(StrEnum):
    """Which versions of instances a host runs, compared with its ``defaultVersion``."""

    NONE = "None"
    STRICT = "Strict"
    CURRENT_OR_OLDER = "CurrentOrOlder"


class FailureStrategy(StrEnum):
    """What becomes of the others."""

    REJECT = "Reject"
    FAIL = "Fail"


@dataclass(frozen=True)
class Versions:
    """The versioning settings of a host; these defaults are the extension's."""

    default: str | None = None
    match: MatchStrategy = MatchStrategy.CURRENT_OR_OLDER
    failure: FailureStrategy = FailureStrategy.REJECT

    def match_instance(self, version: str | None) -> bool:
        """Whether an instance of ``version`` may run here; without a default version no versioned one may."""
        if self.match is MatchStrategy.NONE:
            return True
        order = compare(version, self.default)
        return order == 0 if self.match is MatchStrategy.STRICT else order <= 0


class VersionRejected(Exception):
    """The instance is for another host: its messages go back to the queue."""


def compare(one: str | None, other: str | None) -> int:
    """Below, at or above 0 as ``one`` is older, as old or newer: no version is the oldest, numbers count as numbers.

    Texts that are not .NET versions (two to four numbers with dots) are compared as texts, in any case.
    """
    one, other = (one or "").strip(), (other or "").strip()
    if not one or not other:
        return bool(one) - bool(other)
    numbers = _numbers(one), _numbers(other)
    if numbers[0] is not None and numbers[1] is not None:
        return (numbers[0] > numbers[1]) - (numbers[0] < numbers[1])
    return (one.lower() > other.lower()) - (one.lower() < other.lower())


def _numbers(version: str) -> tuple[int, ...] | None:
    """The parts of a .NET version; a part that is not there is below 0."""
    return (
        tuple(int(part) for part in version.split(".")) if re.fullmatch(r"\d+(\.\d+){1,3}", version, re.ASCII) else None
    )
