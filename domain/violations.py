"""What is wrong with a request: every offending field at once, each with a code, a sentence and where it stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

INVALID = "InvalidRequest"
NOT_YET = "NotAvailableYet"


@dataclass(frozen=True)
class Violation:
    """One offending field. ``target`` is a JSON pointer into the body, or the name of a parameter or header."""

    code: str
    message: str
    target: str


class Refused(ValueError):
    """A request that is not taken, with at least one violation."""

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = tuple(violations)
        super().__init__("; ".join(f"{v.target}: {v.message}" for v in self.violations))

    @property
    def code(self) -> str:
        """NotAvailableYet when that is all that stands against the request, else InvalidRequest."""
        return NOT_YET if all(v.code == NOT_YET for v in self.violations) else INVALID


def pointer(parts: Iterable[str | int]) -> str:
    """A JSON pointer (RFC 6901); the empty text is the whole document."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
