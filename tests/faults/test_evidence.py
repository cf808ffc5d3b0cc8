"""Evidence that is read while operations are at work: whatever happens between two readings, nothing looks broken."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.faults import rules_azure
from tests.faults.evidence import Records, Row, gather, head_of
from tests.faults.test_rules import COMPUTE, JOURNAL, PUT, attach, request

# Readings of one gathering; a moment after the last changes nothing.
MOMENTS = range(10)
DETACH = request("DELETE", COMPUTE, 5.5, query={"underlyingResourceAction": "Detach"})
BUSY, OVER = (
    {"id": "job", "body": {"properties": {"computeId": COMPUTE, "status": status}}}
    for status in ("Running", "Completed")
)


class AtWork:
    """A stack whose app does something right before the reading of a given number, and not yet before the others."""

    published_engine = False

    def __init__(self, folder: Path, kind: str, moment: int) -> None:
        self.kind, self.moment, self.readings = kind, moment, 0
        self.host_state = folder
        self.options = SimpleNamespace(world={"principals": [{"name": "moor-app", "objectId": "app"}]})
        self.clock = SimpleNamespace(now=lambda: None)
        self.azure = self

    def _done(self) -> bool:
        self.readings += 1
        return self.readings > self.moment

    def requests(self, kind: str, method: str) -> list[Row]:
        done = self._done()
        return [PUT if self.kind == "attach" else DETACH] if done and kind == "arm" else []

    def operations(self) -> list[Row]:
        self._done()
        return []

    def resources(self, kind: str) -> list[Row]:
        done = self._done()
        return [OVER if done else BUSY] if kind.endswith("/jobs") and self.kind == "detach" else []

    def underlying_deletes(self) -> int:
        self._done()
        return 0

    def rows(self, table: str) -> list[Row]:
        self._done()
        return []

    def read(self) -> Records:
        """The intent is there once the change is: it is written before."""
        lines = JOURNAL[:5] if self._done() else JOURNAL[:4]
        head = head_of(attach(kind=self.kind, status="Running", journal_length=len(lines)))
        return Records({"op": head}, {"op": lines}, {})


@pytest.mark.parametrize("kind", ["attach", "detach"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_change_between_two_readings_breaks_nothing(tmp_path: Path, kind: str, moment: int) -> None:
    """An intent and then its PUT; a job that ends, and then the DELETE of its compute."""
    stack = cast(Any, AtWork(tmp_path, kind, moment))
    evidence = gather(stack, stack, stack)
    assert [violation for rule in rules_azure.RULES for violation in rule(evidence)] == []
    assert stack.readings == len(MOMENTS) - 1
