"""What a conformance check is, and how it counts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

RECORDED = Path(__file__).parent / "recorded"


@dataclass
class Tally:
    """Exchanges that agree, that differ (with what differs), and that are left out (with the reason)."""

    agreeing: int = 0
    differing: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def compare(self, what: str, recorded: object, ours: object) -> None:
        if recorded == ours:
            self.agreeing += 1
        else:
            self.differing.append(f"{what}\n{first_difference(recorded, ours)}")


@dataclass(frozen=True)
class Check:
    """One aspect of one recorded file. Modules of ``durable`` and ``host`` list theirs in ``CHECKS``."""

    file: str
    aspect: str
    run: Callable[[], Awaitable[Tally]]


def first_difference(recorded: object, ours: object) -> str:
    left, right = str(recorded), str(ours)
    at = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    start = max(0, at - 80)
    return f"  recorded: ...{left[start : at + 200]!r}\n  ours:     ...{right[start : at + 200]!r}"
