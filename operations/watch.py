"""Operations whose engine instance is gone or stuck, and claims that were left behind.

The record is what an operation resumes from: a pick-up writes a new run - which shuts the old one out - and starts it;
its finished steps answer from the record, and a step that was cut short looks before it acts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from activities.lifecycle.ending import publish
from activities.runtime import locks
from domain.catalogue.explain import make_problem
from domain.operation.facts import facts_of
from domain.operation.record import (
    FAILED,
    NOT_STARTED,
    RUNNING,
    SILENCE,
    SUCCEEDED,
    WAITING,
    JournalEntry,
    Operation,
    StepRecord,
)
from domain.problems import Problem
from domain.times import to_text
from gateways import clock, durable
from gateways.host_json import orchestration_version
from gateways.storage import claims, cursors, live_index, records
from gateways.storage.claims import Claim
from gateways.storage.records import Change, Stored
from operations import held_up
from operations.upkeep.rounds import Round

logger = logging.getLogger(__name__)

# A start that is under way somewhere else gets this long before the timer steps in.
_START_GRACE = timedelta(minutes=2)
_MOST_PICK_UPS = 5


@dataclass(frozen=True)
class Verdict:
    """What is to become of a live operation: nothing, a first start, a pick-up, or its end.

    ``held_up``: why its instance does not move and is left alone nevertheless.
    """

    action: str  # "none", "start", "pick_up" or "end"
    problem: Problem | None = None
    held_up: str | None = None


NONE = Verdict("none")


def judge(
    operation: Operation,
    runtime_status: str,
    now: datetime,
    version: str | None,
    waiter_status: str | None = None,
    watched_since: datetime | None = None,
) -> Verdict:
    """What engine statuses mean for an operation that its record says is live: of its run, and of its step's wait.

    ``waiter_status`` None: its step has no wait of its own, or nobody has asked. ``version`` is the orchestration
    version of the app that is deployed. What a newer release began is left to a newer one: this one would continue with
    steps of its own. ``watched_since``: when the watch began to run again after a while without it; host or storage was
    away then, so that no run could give a sign of life before.
    """
    newer = held_up.newer_release(operation, version)
    if newer is not None and runtime_status != "Terminated":
        return Verdict("none", held_up=newer)
    if durable.is_live(runtime_status):
        if now > max(operation.due_time, (watched_since or operation.updated_time) + SILENCE):
            return _pick_up(operation, "gives no sign of life")
        if _waits_in_vain(operation, runtime_status, waiter_status, now):
            what = f"waits in vain: the instance of its step {operation.waiter} is {str(waiter_status).lower()}"
            return _pick_up(operation, what)
        return Verdict("none", held_up=held_up.pending(operation, runtime_status, now))
    if runtime_status == "Terminated":
        # Somebody did that on purpose, past this product: a timer does not act against that. No grace: the
        # step's wait is an instance of its own, which continues and writes into the record at each poll.
        return Verdict("end", make_problem("RunTerminated", facts_of(operation)))
    if now - operation.updated_time < _START_GRACE:
        return NONE
    if operation.status == NOT_STARTED and runtime_status == durable.MISSING:
        return Verdict("start")
    return _pick_up(operation, f"is {runtime_status.lower()} although the operation has not ended")


def is_at_work(runtime_status: str) -> bool:
    """Whether the engine has begun an instance and it has not ended."""
    return durable.is_live(runtime_status) and runtime_status != "Pending"


def _waits_in_vain(operation: Operation, runtime_status: str, waiter_status: str | None, now: datetime) -> bool:
    """Whether nobody polls for a run that waits.

    A run that was resumed takes a while to come to its wait, longer on a busy engine: until it has given a sign of life
    no wait is missed. That of a do is known only once its present run has come to it.
    """
    if waiter_status is None or durable.is_live(waiter_status) or not is_at_work(runtime_status):
        return False
    step = operation.current_step
    if waiter_status == durable.MISSING and operation.pick_ups and not (step is not None and step.waits):
        return False
    return now - operation.updated_time >= _START_GRACE


def _pick_up(operation: Operation, what: str) -> Verdict:
    if operation.steps_over == operation.pick_up_mark and operation.pick_ups >= _MOST_PICK_UPS:
        step = operation.current_step
        where = f" It stands at {step.name}: {step.detail or step.status}." if step else ""
        said = f"{what}, and {_MOST_PICK_UPS} new runs have not got further.{where}"
        return Verdict("end", make_problem("RunKeepsStopping", {**facts_of(operation), "what": said}))
    return Verdict("pick_up", make_problem("RunLost", {**facts_of(operation), "what": what}))


def pick_up(operation: Operation, why: str, known: Stored | None = None) -> Operation | None:
    """Write a new run of an operation, to be started by the caller; None when it has moved or ended meanwhile.

    ``known`` saves a reading: the record that was judged, as it was read.
    """
    moment = clock.now()

    def resumed(seen: Operation) -> Change:
        pick_ups = seen.pick_ups + 1 if seen.steps_over == seen.pick_up_mark else 1
        after = replace(
            seen,
            run=seen.run + 1,
            status=RUNNING,
            # The new run calls what is under way itself.
            steps=tuple(step if step.over else replace(step, calls=0, waits=False) for step in seen.steps),
            pick_ups=pick_ups,
            pick_up_mark=seen.steps_over,
            version=orchestration_version(),
            held_up=None,
        )
        return Change(after, [JournalEntry("operation", "resumed", moment, after.run, why)])

    after, taken = _change_unless_moved(operation, moment, resumed, known)
    return after if taken else None


def end(operation: Operation, problem: Problem) -> Operation:
    """End an operation as failed, unless it has moved: the final state first, then its last steps.

    The step that it stood at has failed with it; what that had set out to change stays known.
    """
    moment = clock.now()

    def failed(seen: Operation) -> Change:
        given_up = [step for step in seen.steps if step.status in (RUNNING, WAITING)]
        ended = replace(seen, status=FAILED, problem=seen.problem or problem, finished_time=moment)
        for step in given_up:
            told = replace(problem, step=step.name)
            ended = ended.with_step(replace(step, status=FAILED, finished=moment, detail=None, problem=told))
        entries = [JournalEntry(s.name, "failed", moment, s.attempts, problem.message) for s in given_up]
        return Change(ended, [*entries, JournalEntry("operation", "failed", moment, message=problem.message)])

    after, taken = _change_unless_moved(operation, moment, failed)
    return close(after) if taken else after


def _change_unless_moved(
    judged: Operation, moment: datetime, change: Callable[[Operation], Change], known: Stored | None = None
) -> tuple[Operation, bool]:
    """The operation after a change of what was judged, and whether it was changed."""
    taken = False

    def decide(seen: Operation) -> Change | None:
        nonlocal taken
        taken = not _has_moved(seen, judged)
        return change(seen) if taken else None

    return records.change(judged.id, None, decide, moment, known).operation, taken


def cut_off(now: datetime, of: Round) -> list[Operation]:
    """Operations that ended a while ago and hold claims still: their last steps have not been taken.

    What is live holds its claims by right, and costs no reading. Raises azure.core.exceptions.AzureError when claims or
    live operations cannot be listed.
    """
    found = []
    for holder in sorted({claim.operation_id for claim in claims.held(of.miss)} - live_index.ids()):
        if of.out_of_time:
            break
        with of.looking_at(holder):
            stored = records.read(holder)
            if stored and _last_steps(stored.operation) and now - stored.operation.updated_time >= _START_GRACE:
                found.append(stored.operation)
    return found


def abandoned(operation: Operation, runtime_status: str, now: datetime) -> bool:
    """Whether the run of an operation that has ended will not take its last steps any more."""
    return not durable.is_live(runtime_status) or now > operation.updated_time + SILENCE


def close(operation: Operation) -> Operation:
    """Take the last steps of an operation that has ended, in the place of its run; what is over already stays.

    Raises azure.core.exceptions.AzureError.
    """
    notify = operation.step("notify")
    findings = publish(operation, operation.status) if notify is None or not notify.over else ()
    _give_back(operation.id)
    moment = clock.now()

    def decide(seen: Operation) -> Change | None:
        after, entries = seen, []
        for step in _last_steps(seen):
            attempt, started = max(1, step.attempts), step.started or moment
            if step.status == NOT_STARTED:
                entries.append(JournalEntry(step.name, "started", moment, attempt))
            over = replace(step, status=SUCCEEDED, attempts=attempt, started=started, finished=moment, detail=None)
            after = after.with_step(over)
            entries.append(JournalEntry(step.name, "succeeded", moment, attempt, "taken by the watch"))
        kept = tuple(f for f in seen.findings if f.check not in {finding.check for finding in findings})
        return Change(replace(after, findings=(*kept, *findings)), entries) if entries else None

    return records.change(operation.id, None, decide, moment).operation


def _last_steps(operation: Operation) -> list[StepRecord]:
    """The steps after ``record``, as far as they are not over; empty until that step has written the end."""
    recorded = operation.step("record")
    if recorded is None or not recorded.over:
        return []
    return [step for step in operation.steps if step.name in ("notify", "release") and not step.over]


def _has_moved(seen: Operation, judged: Operation) -> bool:
    """Whether an operation is not any more what was judged: the next look judges again."""
    is_alive = to_text(seen.updated_time) != to_text(judged.updated_time)  # Which is no line of the journal.
    return seen.final or seen.run != judged.run or seen.journal_length != judged.journal_length or is_alive


def free(of: Round) -> list[Operation]:
    """Release stale claims; the answer is operations found unrecorded and recorded now.

    What a run holds that has its last steps before it is left to the run, or to ``close``. A claim that cannot be
    understood holds its target until somebody has looked. What is held by no live operation comes first; of the others
    a run takes as many as it has time for, and the next one continues there.

    Raises azure.core.exceptions.AzureError when claims or live operations cannot be listed.
    """
    recorded, live = [], live_index.ids()
    for claim in _in_turn(list(claims.held(of.miss)), live, of):
        with of.looking_at(f"what holds {claim.target}"):
            found = locks.complete(claim)
            if found is None:
                claims.release(claim)
            elif found.fresh:
                recorded.append(found.operation)
            elif locks.left_over(claim, found.operation) and not _last_steps(found.operation):
                claims.release(claim)
    _unreserve(None, of, live)
    return recorded


def _in_turn(held: list[Claim], live: set[str], of: Round) -> Iterator[Claim]:
    """Claims while there is time: first those of no live operation, then the others from where the run before ended."""
    start = ""
    with of.looking_at("the position of the run before"):
        start = cursors.read(of.duty)
    others = sorted((claim for claim in held if claim.operation_id in live), key=lambda claim: claim.key)
    turn = [*(c for c in others if c.key > start), *(c for c in others if c.key <= start)]
    position = ""
    for claim in (*(c for c in held if c.operation_id not in live), *turn):
        if of.out_of_time:
            logger.warning("%s: the time is over; the next run continues", of.duty)
            break
        yield claim
        position = claim.key if claim.operation_id in live else position
    else:
        position = ""
    if position != start:
        with of.looking_at("the position for the next run"):
            cursors.write(of.duty, position)


def _give_back(operation_id: str) -> None:
    """Release all that an operation holds, when it has ended."""
    of = Round("claims")
    for claim in claims.held(of.miss, operation_id):
        if locks.is_stale(claim):
            claims.release(claim)
    _unreserve(operation_id, of)


def _unreserve(operation_id: str | None, of: Round, live: Collection[str] = ()) -> None:
    """Delete the reservations of operations that are not live, of one or of all; ``live`` are known to be.

    Where it is unknown whether one has ended, that counts as live.
    """
    for target, user in list(claims.reserved(of.miss, operation_id)):
        if user in live or of.out_of_time:
            continue
        with of.looking_at(f"who relies on {target}"):
            stored = records.read(user)
            if stored is None or stored.operation.final:
                claims.unreserve(target, user)
