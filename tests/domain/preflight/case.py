"""A case of the table that tests the checks."""

from __future__ import annotations

from dataclasses import dataclass, field

from domain.preflight.facts import Facts


@dataclass(frozen=True)
class Case:
    """Facts, and what a check makes of them; ``says`` is in its message."""

    check: str
    name: str
    facts: Facts
    outcome: str
    says: str = ""
    hard: frozenset[str] = field(default_factory=frozenset)
