"""What has to hold while months go by: whoever lives is woken, ends in bounded time, and names what it leaves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.faults import rules_azure, rules_kubernetes, rules_records, rules_rest
from tests.faults.evidence import Evidence, Head, Instance, moment, unpacked
from tests.faults.questions import TOLERANCE, Rule, Violation

# The watch comes every five minutes, or later where nothing else happens; a resumed run has its own way to its wait,
# and silence counts after three times the last pause, which is half an hour at least and an hour at most.
FOUND_WITHIN = timedelta(hours=3.5)
# Requests wait for jobs for twelve hours and for people for six; outages, which use up nothing, come beside it.
LONGEST = timedelta(days=3)
# A month asks ARM for its clusters every few minutes, whoever works: how often something is read is no rule here.
_READS = "_sendings_bounded"
AT_REST: tuple[Rule, ...] = (
    *(rule for rule in rules_azure.RULES if rule.__name__ != _READS),
    *rules_kubernetes.RULES,
    *rules_records.RULES,
    *rules_rest.RULES,
)


@dataclass(frozen=True)
class Look:
    """Records and engine at one moment, and since when nothing has struck."""

    now: datetime
    calm_since: datetime
    heads: Mapping[str, Head]
    instances: Mapping[str, Instance]


def asleep(look: Look) -> dict[str, str]:
    """The live operations that nothing in the engine will wake, each with what there is instead."""
    waiting = {key for key, instance in look.instances.items() if instance.live and instance.pending}
    parents = {key.partition(":")[0] for key in waiting}
    found = {}
    for head in look.heads.values():
        if head.final:
            continue
        instance = look.instances.get(f"{head.id}-{head.run}")
        if instance is None or not instance.live:
            found[head.id] = f"{head}: its instance is {instance.status if instance else 'unknown to the engine'}"
        elif instance.id not in parents:
            found[head.id] = f"{head}: no message, activity or timer will wake {instance.id}"
    return found


@dataclass
class WakeUps:
    """Remembers since when a live operation has nothing that will wake it."""

    _since: dict[str, datetime] = field(default_factory=dict)

    def broken(self, look: Look) -> list[Violation]:
        """The operations for which that has lasted longer than the watch may take to find them."""
        found = asleep(look)
        self._since = {key: self._since.get(key, look.now) for key in found}
        return [
            Violation("a future wake-up", f"{said} since {self._since[key]:%d %H:%M}", (key,))
            for key, said in found.items()
            if look.now - max(self._since[key], look.calm_since) > FOUND_WITHIN
        ]


def too_long(look: Look) -> Iterator[Violation]:
    """The operations that should have ended by now."""
    for head in look.heads.values():
        began = moment(head.row.get("created_time"))
        if not head.final and began is not None and look.now - began > LONGEST:
            step = next((s["name"] for s in head.steps if s["status"] in ("Running", "Waiting")), "no step")
            age = (look.now - began) / timedelta(hours=1)
            yield Violation("ends in bounded time", f"{head} has lived for {age:.0f} h; at {step}", (head.id,))


@dataclass(frozen=True)
class Thing:
    """What there is at the end and was not at the beginning, since when and on which cluster, where that is known.

    ``paused``: a schedule that was enabled. ``compute``: a compute, which belongs to a person who attached it.
    """

    id: str
    cluster: str = ""
    since: datetime | None = None
    paused: bool = False
    compute: bool = False


def unnamed(things: Iterable[Thing], heads: Mapping[str, Head]) -> Iterator[Violation]:
    """What is left, stands in no record of its time, and belongs to no compute that is attached."""
    things = list(things)
    in_use = {thing.cluster.lower() for thing in things if thing.compute and _names(thing, heads)}
    for thing in things:
        if not _names(thing, heads) and (thing.compute or thing.paused or thing.cluster.lower() not in in_use):
            since = f" since {thing.since:%d %H:%M}" if thing.since else ""
            yield Violation("no leftover not named", f"{thing.id} is there{since} and in no record", (thing.id,))


def _names(thing: Thing, heads: Mapping[str, Head]) -> bool:
    """Whether a record says that its operation has made this and not undone it, or has paused it."""
    return any(thing.id.lower() in (_paused(head) if thing.paused else _made(head, thing)) for head in heads.values())


def _made(head: Head, thing: Thing) -> list[str]:
    """Ids, in lower case, of what stays of an operation that was at work when the thing was made."""
    began, ended = moment(head.row.get("created_time")), head.finished
    of_its_time = thing.since is None or (
        began is not None and began <= thing.since + TOLERANCE and (ended is None or thing.since <= ended + TOLERANCE)
    )
    made = unpacked(head.row, "created") or () if of_its_time else ()
    return [str(each["id"]).lower() for each in made if not each.get("undone")]


def _paused(head: Head) -> list[str]:
    """Ids, in lower case, of the schedules that an operation has paused, or set out to pause."""
    step = head.step("pause_schedules") or {}
    return [str(each["resource_id"]).lower() for each in step.get("intents") or () if each["action"] == "stop"]


def at_rest(evidence: Evidence) -> list[Violation]:
    """What is broken when everything has come to rest, by the rules of the fault driver."""
    return [violation for rule in AT_REST for violation in rule(evidence)]
