"""What holds once everything has come to rest: whoever holds something works, and whatever works will end."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.faults.evidence import Evidence
from tests.faults.questions import Rule, Violation, goes_on, own_target

# A step polls at least so seldom that a day of it stays below this; pick-ups without progress end at five.
_MOST_ATTEMPTS = 2000
_MOST_PICK_UPS = 5
_LONE_RUN = re.compile(r"(?P<operation>.+)-(?P<run>\d+)(?::(?P<step>[a-z_]+))?$")


def _claims_free(evidence: Evidence) -> Iterator[Violation]:
    """Whoever holds something is at work."""
    for hold in evidence.holds:
        head = evidence.heads.get(hold.operation)
        if head is None or head.final:
            yield Violation("claims free", f"{hold}: {head or 'no such operation'}", hold.ids, settles=True)
        elif not own_target(head, hold.target):
            yield Violation("claims free", f"{hold} is none of its own targets", hold.ids, settles=True)
    for head in evidence.heads.values():
        step = head.step("claim")
        if head.final or head.plan_only or step is None or step["status"] != "Succeeded":
            continue
        if not any(h.operation == head.id and h.target.startswith("compute ") for h in evidence.holds):
            message = f"{head} is at work and holds no claim on its compute"
            yield Violation("claims held", message, head.ids, settles=True)


def _somebody_at_work(evidence: Evidence) -> Iterator[Violation]:
    """Every operation has ended, or the engine has an instance of its present run that will go on."""
    for head in evidence.heads.values():
        if head.final:
            continue
        instance = evidence.instances.get(f"{head.id}-{head.run}")
        if instance is None or not instance.live:
            state = instance.status if instance else "unknown to the engine"
            yield Violation("final or at work", f"{head}: its instance is {state}", head.ids, settles=True)
        elif not goes_on(evidence, instance):
            yield Violation("final or at work", f"{head}: nothing will ever wake {instance.id}", head.ids, settles=True)


def _no_orphans(evidence: Evidence) -> Iterator[Violation]:
    """No instance is left of an operation that has ended, of an old run, or of a cluster that nothing happened to."""
    due = {row["cluster"]: row["pending"] for row in evidence.reactions}
    for instance in evidence.instances.values():
        if not instance.live:
            continue
        if instance.id.startswith("cluster-"):
            if not any(due.values()) and not any(not head.final for head in evidence.heads.values()):
                message = f"{instance.id} looks at a cluster without news"
                yield Violation("no orphaned instance", message, (instance.id,), settles=True)
            continue
        named = _LONE_RUN.match(instance.id)
        head = evidence.heads.get(named["operation"]) if named else None
        if named is None or head is None:
            message = f"{instance.id} belongs to no operation"
            yield Violation("no orphaned instance", message, (instance.id,), settles=True)
        elif head.final or head.run != int(named["run"]):
            message = f"{instance.id} is {instance.status}; {head}"
            yield Violation("no orphaned instance", message, (instance.id, *head.ids), settles=True)
        elif not goes_on(evidence, instance):
            message = f"nothing will ever wake {instance.id}"
            yield Violation("no orphaned instance", message, (instance.id, *head.ids), settles=True)


def _reactions_done(evidence: Evidence) -> Iterator[Violation]:
    """A cluster that is due a look has somebody to look at it."""
    looking = any(i.live and i.id.startswith("cluster-") for i in evidence.instances.values())
    for row in evidence.reactions:
        if row["pending"] != (row["seen"] > row["handled"]):
            message = f"{row['cluster']}: pending is {row['pending']} at {row['seen']}/{row['handled']}"
            yield Violation("reactions", message, (row["cluster"],))
        elif row["pending"] and not looking:
            message = f"{row['cluster']} is due a look and nobody looks"
            yield Violation("reactions", message, (row["cluster"],), settles=True)


def _tries_bounded(evidence: Evidence) -> Iterator[Violation]:
    """Neither steps nor pick-ups are repeated without end."""
    for head in evidence.heads.values():
        for step in head.steps:
            if step["attempts"] > _MOST_ATTEMPTS:
                message = f"{head}: {step['name']} was tried {step['attempts']} times"
                yield Violation("retries bounded", message, (*head.ids, step["name"]))
        if head.pick_ups > _MOST_PICK_UPS:
            message = f"{head}: picked up {head.pick_ups} times without progress"
            yield Violation("retries bounded", message, head.ids)


RULES: tuple[Rule, ...] = (_claims_free, _somebody_at_work, _no_orphans, _reactions_done, _tries_bounded)
