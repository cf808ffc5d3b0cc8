"""The invariants of an app that does nothing twice and loses nothing, asserted after scenarios and faults.

One shared checker (reliability anchors D3). It goes by the evidence alone: rows of Table Storage, the simulated
Azure's log and the engine's memory - never by what the product says of itself.

What is true only once everything has settled (claims given back, waiters ended) is looked at again until it is, for a
minute at most; what can never become true again (a second effect, a gap in a journal) counts at once. What was told
once is not told again: the evidence of a stack keeps a violation for as long as the stack lives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from local.stack import Stack
from tests.faults import rules_azure, rules_kubernetes, rules_records, rules_rest
from tests.faults.evidence import Evidence, RecordReader, Row, Tables, gather
from tests.faults.questions import Rule, Violation, line_of

# Real seconds that things get to settle: a busy machine takes its time.
SETTLING = 60.0
_RULES: tuple[Rule, ...] = (*rules_azure.RULES, *rules_kubernetes.RULES, *rules_records.RULES, *rules_rest.RULES)
_Key = tuple[str, tuple[str, ...]]


def anybody(violation: Violation) -> bool:
    """Everything concerns who asks so."""
    return True


@dataclass
class Invariants:
    """The checker of one stack; it remembers what it told, and journals, so that a line that changes is seen."""

    stack: Stack
    tables: Tables
    _journals: dict[str, list[str]] = field(default_factory=dict)
    _rows: dict[str, list[Row]] = field(default_factory=dict)
    _excused: list[tuple[str, str]] = field(default_factory=list)
    _told: set[_Key] = field(default_factory=set)
    _kept: dict[_Key, Violation] = field(default_factory=dict)
    _reader: RecordReader = field(init=False)

    def __post_init__(self) -> None:
        self._reader = RecordReader(self.tables)

    def excuse(self, invariant: str, text: str) -> None:
        """Pass over, from now on, violations of an invariant whose message has this text (a name, an id)."""
        self._excused.append((invariant, text))

    def check(self, settling: float = SETTLING, concerns: Callable[[Violation], bool] = anybody) -> list[Violation]:
        """What is broken and was not told before, after giving things ``settling`` real seconds to come to rest.

        What does not concern the caller is left for ``check_at_end``.
        """
        deadline = time.monotonic() + settling
        while True:
            found = []
            for violation in self._look():
                if concerns(violation):
                    found.append(violation)
                elif not violation.settles:
                    self._kept[violation.key] = violation
            at_once = [violation for violation in found if not violation.settles]
            if at_once or not found or time.monotonic() > deadline:
                return self._tell(at_once or found)
            time.sleep(0.2)

    def check_at_end(self, settling: float = SETTLING) -> list[Violation]:
        """What nobody was told of, whomever it concerns. Everything is read anew, not only what was written since."""
        self._reader = RecordReader(self.tables)
        found = self.check(settling)
        return found + self._tell([violation for violation in self._kept.values() if violation.key not in self._told])

    def _look(self) -> list[Violation]:
        evidence = gather(self.stack, self.tables, self._reader)
        found = [violation for rule in _RULES for violation in rule(evidence)]
        found += self._append_only(evidence)
        return [v for v in found if v.key not in self._told and not self._is_excused(v)]

    def _tell(self, found: list[Violation]) -> list[Violation]:
        self._told |= {violation.key for violation in found}
        return found

    def _is_excused(self, violation: Violation) -> bool:
        return any(violation.invariant == name and text in violation.message for name, text in self._excused)

    def _append_only(self, evidence: Evidence) -> Iterator[Violation]:
        """Lines of a journal that were there stay as they were."""
        for operation_id, before in self._journals.items():
            rows = evidence.journals.get(operation_id, [])
            if rows is self._rows.get(operation_id):  # The reader has not read it anew.
                continue
            now = [line_of(row) for row in rows]
            for number, line in enumerate(before):
                if number >= len(now) or now[number] != line:
                    found = now[number] if number < len(now) else "gone"
                    message = f"{operation_id}: line {number + 1} was {line}, is {found}"
                    head = evidence.heads.get(operation_id)
                    yield Violation("journal append-only", message, head.ids if head else (operation_id,))
                    break
        for operation_id, rows in evidence.journals.items():
            if rows is not self._rows.get(operation_id):
                self._journals[operation_id] = [line_of(row) for row in rows]
                self._rows[operation_id] = rows


def check(stack: Stack, settling: float = SETTLING) -> list[Violation]:
    """What is broken on a stack; the list is empty when every invariant holds."""
    tables = Tables(stack)
    try:
        return Invariants(stack, tables).check(settling)
    finally:
        tables.close()
