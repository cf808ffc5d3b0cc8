"""Which test a place belongs to, so that only that test is told what is broken there."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults.questions import Violation

_SEPARATORS = re.compile(r"[/; ]")


@dataclass
class Owners:
    """Names of clusters, workspaces and computes that tests have made for themselves."""

    _tests: dict[str, str] = field(default_factory=dict)
    _at_work: str = ""

    def begin(self, test: str) -> None:
        """From now on places are made for this test."""
        self._at_work = test

    def made(self, *names: str) -> None:
        """The test at work has made a place of these names."""
        self._tests |= {name.lower(): self._at_work for name in names}

    def of(self, violation: Violation) -> str | None:
        """The test whose place or operation breaks an invariant; None when no place of a test is named."""
        segments = (part for text in violation.about for part in _SEPARATORS.split(text.lower()))
        return next((self._tests[part] for part in segments if part in self._tests), None)

    def concerns(self, test: str) -> Callable[[Violation], bool]:
        """Whether a violation is for a test to tell: it is about its own places, or about nobody's."""
        return lambda violation: self.of(violation) in (None, test)

    def told(self, violation: Violation) -> str:
        """A violation as the end of a run tells it, with the test that it belongs to."""
        return f"{violation} ({self.of(violation) or 'of no test in particular'})"
