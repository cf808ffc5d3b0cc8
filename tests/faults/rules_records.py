"""What is recorded: one operation at a time on a compute, whole journals in order, lists that show what is there."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from tests.faults.evidence import Evidence, Head, Row, moment
from tests.faults.questions import ENDS, TOLERANCE, Rule, Violation, asked_to_go_on, refused, spells_of


def _one_live_operation(evidence: Evidence) -> Iterator[Violation]:
    """At most one operation at work on a compute, now and at any time that journals tell of."""
    at_work = [head for head in evidence.heads.values() if not refused(head) and not head.plan_only]
    live = Counter(head.compute_id.lower() for head in at_work if not head.final)
    for compute, count in live.items():
        if count > 1:
            yield Violation("one live operation", f"{count} live operations on {compute}", (compute,))
    spells: dict[str, list[tuple[datetime, datetime | None, Head]]] = defaultdict(list)
    for head in at_work:
        spells[head.compute_id.lower()] += [(begin, end, head) for begin, end in spells_of(evidence, head)]
    for of_compute in spells.values():
        for (_, end, earlier), (begin, _, later) in pairwise(sorted(of_compute, key=lambda spell: spell[0])):
            if end is None or end > begin + TOLERANCE:
                message = f"{later} began before {earlier} on the same compute had ended"
                yield Violation("one live operation", message, (earlier.id, *later.ids))


def _journal_whole(evidence: Evidence) -> Iterator[Violation]:
    """Numbered from 1 without a gap, as many as the head counts, in the order of time and of steps, each end once."""
    for operation_id, rows in evidence.journals.items():
        head = evidence.heads.get(operation_id)
        if head is None:
            yield Violation("journal whole", f"{operation_id}: a journal without an operation", (operation_id,))
            continue
        numbers = [row["sequence"] for row in rows]
        # The head was read in an earlier page of the same query than its newest lines may be.
        if numbers != list(range(1, len(rows) + 1)) or len(rows) != head.journal_length:
            yield Violation(
                "journal whole", f"{head}: lines {numbers}, head counts {head.journal_length}", head.ids, settles=True
            )
        times = [moment(row["time"]) for row in rows]
        for number, (earlier, later) in enumerate(pairwise(times), start=1):
            if earlier is None or later is None or later < earlier - TOLERANCE:
                yield Violation("journal whole", f"{head}: line {number + 1} is older than line {number}", head.ids)
        yield from _in_step_order(head, rows)
    for head in evidence.heads.values():
        if head.id not in evidence.journals:
            yield Violation("journal whole", f"{head}: no journal", head.ids, settles=True)


def _in_step_order(head: Head, rows: list[Row]) -> Iterator[Violation]:
    parts = _parts(rows)
    if parts[0][:1] != [("operation", "accepted")]:
        yield Violation("journal whole", f"{head}: begins with {parts[0][:1]}", head.ids)
    plan = [step["name"] for step in head.steps]
    for part in parts:
        begun = [step for step, event in part if event == "started"]
        if len(set(begun)) != len(begun):
            yield Violation("journal whole", f"{head}: a step began twice: {begun}", head.ids)
        # What was undone by an earlier part is no step of the present plan any more.
        if [name for name in plan if name in begun] != [name for name in begun if name in plan]:
            yield Violation("steps in order", f"{head}: began {begun}, planned {plan}", head.ids)
        for (earlier, _), (later, event) in pairwise([(s, e) for s, e in part if s != "operation"]):
            if event == "started" and earlier != later and not _over_before(part, earlier, later):
                yield Violation("steps in order", f"{head}: {later} began before {earlier} had ended", head.ids)
    for step in head.steps:
        ends = [
            [event for name, event in stretch if name == step["name"] and event in ENDS]
            for part in parts
            for stretch in _stretches(part)
        ]
        last = [event for part in ends for event in part][-1:]
        wanted = [step["status"].lower()] if step["status"].lower() in ENDS else []
        if any(len(part) > 1 for part in ends) or (wanted and last != wanted) or (not wanted and ends[-1]):
            message = f"{head}: {step['name']} is {step['status']}, its ends are {ends}"
            yield Violation("journal whole", message, head.ids)
    closing = [[event for name, event in part if name == "operation" and event in ENDS] for part in parts]
    if any(len(part) > 1 for part in closing) or closing[-1] != ([head.status.lower()] if head.final else []):
        yield Violation("journal whole", f"{head}: its ends are {closing}", head.ids)


def _stretches(part: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """A part cut where the run went back to an earlier step: what had ended may end once more."""
    found: list[list[tuple[str, str]]] = [[]]
    for step, event in part:
        found[-1].append((step, event))
        if event == "back":
            found.append([])
    return found


def _parts(rows: list[Row]) -> list[list[tuple[str, str]]]:
    """A journal cut where a person asked to go on with the operation."""
    parts: list[list[tuple[str, str]]] = [[]]
    for row in rows:
        if asked_to_go_on(row):
            parts.append([])
        parts[-1].append((row["step"], row["event"]))
    return parts


def _over_before(part: list[tuple[str, str]], earlier: str, later: str) -> bool:
    before = part[: part.index((later, "started"))]
    return any((earlier, end) in before for end in ENDS)


def _index_whole(evidence: Evidence) -> Iterator[Violation]:
    """A list shows an operation where it belongs, once, and nothing that is not there."""
    for operation_id, keys in evidence.index.items():
        head = evidence.heads.get(operation_id)
        if head is None:
            message = f"{operation_id}: index rows without an operation"
            yield Violation("index whole", message, (operation_id,), settles=True)
            continue
        wanted = {
            "recent": 1,
            "status": 1,
            "kind": 1,
            "workspace": 1,
            "compute": 1,
            "cluster": int(bool(head.cluster_id)),
        }
        found = Counter(key.split(";", 1)[0] for key in keys)
        if {name: count for name, count in wanted.items() if count} != dict(found):
            yield Violation("index whole", f"{head}: {dict(found)}", head.ids, settles=True)
        elif not any(key.startswith(f"status;{head.status};") for key in keys):
            yield Violation("index whole", f"{head}: {keys}", head.ids, settles=True)


RULES: tuple[Rule, ...] = (_one_live_operation, _journal_whole, _index_whole)
