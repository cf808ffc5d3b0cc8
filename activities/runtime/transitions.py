"""What a step's beginning and outcome make of its operation's record."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from domain.catalogue.explain import make_problem
from domain.operation.codec import encode
from domain.operation.next_step import listed, listed_step, next_step
from domain.operation.outcomes import (
    LONGEST_PAUSE_OF_A_DO,
    MOST_CALLS_OF_A_DO,
    MOST_ERRORS,
    Again,
    Ask,
    Back,
    Done,
    Finding,
    Outcome,
    Stop,
    brief,
    capped,
)
from domain.operation.record import (
    CANCELED,
    CANCELING,
    FAILED,
    NEEDS_APPROVAL,
    NOT_STARTED,
    RUNNING,
    SKIPPED,
    SUCCEEDED,
    UNDOING,
    WAITING,
    JournalEntry,
    Operation,
    Question,
    StepRecord,
)
from domain.operation.steps import RECORD, Step, bound_of
from gateways import clock
from gateways.host_json import orchestration_version
from gateways.settings import read_app_names
from gateways.storage.records import Change

# A wait that has nothing new to tell writes so seldom: the watch takes a run for stuck after three times as long. A
# pause that is longer is recorded, by the minute, so that the watch gives it more time.
_SIGN_OF_LIFE = timedelta(minutes=10)
_PASSING = re.compile(
    r"(?<![0-9a-f-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f-])"
    r"|(?<!since )\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?",
    re.IGNORECASE,
)
MOST_TOLD = 200  # Of what one step made or undid, in the journal.
CANCELED_CODE, NO_ANSWER_CODE = "OperationCanceled", "ApprovalTimedOut"


@dataclass(frozen=True)
class Call:
    """What the orchestrator says: whose step this is, of which run, and the time. The rest is what its list says.

    Whoever can start an orchestrator can say anything there, so no more is taken from it. ``unwritten_since``: since
    when the record could not be written. ``waits``: a do is called by an instance of its own, no more by its run.
    """

    operation: str
    run: int
    step: str
    bound: float
    now: datetime
    kind: str = "do"
    always: bool = False
    undo: bool = False
    cancelable: bool = False
    unwritten_since: datetime | None = None
    waits: bool = False

    def of(self, step: Step) -> Call:
        """The call with what the list of the operation says of its step."""
        return Call(
            *(self.operation, self.run, self.step, step.bound, self.now, step.kind),
            always=step.always,
            undo=step.undo,
            cancelable=step.cancelable,
            unwritten_since=self.unwritten_since,
            waits=self.waits,
        )


def outage_since(operation: Operation, step: StepRecord, call: Call) -> datetime | None:
    """Since when a step of an operation, as recorded, could not look; None when its last attempt could.

    What the orchestrator says of a time in which nothing was written holds for the time since the last writing only.
    """
    if step.outage_since is not None or call.unwritten_since is None or step.started is None:
        return step.outage_since
    return max(call.unwritten_since, operation.updated_time, step.started)


def _with_outage(operation: Operation, step: StepRecord, call: Call, outcome: Outcome) -> StepRecord:
    """The step with an outage that has begun, or is over, by what its attempt has come to."""
    since = outage_since(operation, step, call)
    if isinstance(outcome, Again) and outcome.outage:
        return replace(step, outage_since=since or call.now)
    if since is None:
        return step
    lost = max(0.0, (call.now - since).total_seconds())
    return replace(step, outage_since=None, outage_seconds=step.outage_seconds + lost)


def begin(operation: Operation, call: Call) -> Change | None:
    """The step is under way: recorded before its work, so that a step cut short is seen to have begun.

    None when nothing is to be written: the step is none of the operation's, or over, or not next.
    """
    its = listed_step(operation, call.step)
    if its is None:
        return None
    call = call.of(its)
    planned = operation = replace(operation, held_up=None)  # It moves.
    if not operation.steps:
        planned = replace(operation, steps=_not_begun(operation), started_time=clock.now())
    step = planned.step(call.step) or StepRecord(call.step, call.kind, bound_seconds=call.bound)
    if step.over or not is_next(planned, call.step):
        return None
    if step.kind != "do" and step.status != NOT_STARTED:
        return None  # A poll changes nothing before it knows something.
    moment = clock.now()
    attempt = step.attempts + 1
    bound = bound_of(operation.request, call.step, call.bound)
    begun = replace(step, status=RUNNING, attempts=attempt, started=step.started or moment, bound_seconds=bound)
    begun = replace(begun, outage_since=outage_since(operation, step, call))
    if call.kind == "do":
        begun = _of_a_do(replace(begun, calls=step.calls + 1), waits=call.waits)
    else:
        begun = replace(begun, version=begun.version or orchestration_version())
    event = "started" if attempt == 1 else "retried"
    after = replace(planned.with_step(begun), status=_status(planned, call, RUNNING))
    # A do that waits for long polls, in an until of its own: the journal tells of changes.
    told = step.status == NOT_STARTED or attempt <= MOST_CALLS_OF_A_DO
    return Change(after, [journal_entry(call.step, event, moment, attempt)] if told else [])


def _of_a_do(step: StepRecord, *, waits: bool) -> StepRecord:
    """A do with what is known of who calls it next: its run, or an engine instance of its own."""
    return replace(step, waits=waits, version=(step.version or orchestration_version()) if waits else step.version)


def _after_a_call(step: StepRecord, call: Call, pause: float = 0.0) -> StepRecord:
    """The same after a call that has come to no end: the orchestrator goes by calls and pause (orchestrators/run)."""
    if step.kind != "do":
        return step
    return _of_a_do(step, waits=call.waits or step.calls >= MOST_CALLS_OF_A_DO or pause > LONGEST_PAUSE_OF_A_DO)


def is_next(operation: Operation, name: str) -> bool:
    """Whether the record says that this step is to be taken now."""
    due = next_step(operation)
    return due is not None and due.name == name


def _not_begun(operation: Operation) -> tuple[StepRecord, ...]:
    """The list that an operation begins with; the steps that undo join it when they begin."""
    return tuple(StepRecord(s.name, s.kind, bound_seconds=s.bound) for s in listed(operation) if not s.undo)


def raised(operation: Operation, call: Call) -> Change | None:
    """A step's work has raised: once more it is called again; so many times in a row end it.

    Not a step that is always taken: what it ends or gives back would stay as it is.
    """
    its = listed_step(operation, call.step)
    step = operation.step(call.step)
    if its is None or step is None or not is_next(operation, call.step):
        return None
    errors = step.errors + 1
    if errors < MOST_ERRORS or its.always:
        return Change(operation.with_step(_after_a_call(replace(step, errors=errors), call)))
    facts = {**read_app_names(), "step": call.step, "errors": str(errors), "operation": operation.id}
    return finish(operation, call.of(its), Stop(make_problem("StepKeepsFailing", facts)))


def unfinished_before(operation: Operation, step: StepRecord) -> str | None:
    """The step that the run continues from since this one had it go back; None when this one is next.

    A message that is delivered once more after the run went back is answered as before: the answer may have been lost.
    """
    if not step.backs or step.status != NOT_STARTED:
        return None
    names = [s.name for s in operation.steps]
    return next((s.name for s in operation.steps[: names.index(step.name)] if not s.over), None)


def finish(operation: Operation, call: Call, outcome: Outcome) -> Change | None:
    """What a step's outcome changes; None when another delivery of the same message has ended the step already."""
    stood, operation = operation, replace(operation, held_up=None)  # It moves.
    step = operation.step(call.step)
    assert step is not None
    if step.over:
        return None
    step = _with_outage(operation, step, call, outcome)
    operation = operation.with_step(step)
    moment = clock.now()
    question = operation.question(call.step)
    if isinstance(outcome, Stop) and outcome.problem.code == NO_ANSWER_CODE and question and question.answer:
        outcome = Again(None, "was answered at the last moment")  # After the step had looked: the record decides.
    if not isinstance(outcome, Stop) and outcome.detail is not None:
        outcome = replace(outcome, detail=brief(outcome.detail))
    if isinstance(outcome, Back):
        return _back(operation, step, call, outcome, moment)
    if isinstance(outcome, Again):
        waiting = _waiting(operation, step, call, outcome, moment)
        return _sign_of_life(stood, moment) if _says_the_same(stood, waiting.operation, step) else waiting
    if isinstance(outcome, Stop):
        problem = replace(outcome.problem, step=call.step)
        status = CANCELED if problem.code == CANCELED_CODE else FAILED
        failed = replace(step, status=status, finished=moment, detail=None, problem=problem)
        entry = journal_entry(call.step, status.lower(), moment, step.attempts, problem.message, {"code": problem.code})
        after = replace(
            operation.with_step(failed),
            problem=operation.problem or problem,
            findings=_findings(operation, outcome),
            counts={},
        )
        if call.step != RECORD.name or operation.final:
            return Change(after, [entry])
        # The step that writes the end has failed: what it found is the end, or nothing would ever end the operation.
        ended = replace(after, status=FAILED, finished_time=moment)
        return Change(ended, [entry, journal_entry("operation", "failed", moment, message=problem.message)])
    return _done(operation, step, call, outcome, moment)


def _back(operation: Operation, step: StepRecord, call: Call, outcome: Back, moment: datetime) -> Change:
    """Steps from the one to go back to, to this one, begin again.

    Raises ValueError for a step that does not come before this one: a bug.
    """
    names = [s.name for s in operation.steps]
    first, last = names.index(outcome.step), names.index(step.name)
    if first >= last:
        raise ValueError(f"{step.name} goes back to {outcome.step}, which does not come before it")
    again = {*names[first : last + 1]}
    steps = tuple(s.begun_again() if s.name in again else s for s in operation.steps)
    steps = tuple(replace(s, backs=s.backs + 1) if s.name == step.name else s for s in steps)
    after = replace(operation, steps=steps, status=_status(operation, call, RUNNING), counts={})
    message = f"back to {outcome.step}: {outcome.detail}"
    return Change(after, [journal_entry(step.name, "back", moment, step.attempts, message)])


def _waiting(operation: Operation, step: StepRecord, call: Call, outcome: Again, moment: datetime) -> Change:
    polls = step.attempts + (0 if step.kind == "do" else 1)
    seen = step.progress if outcome.progress is None else encode(outcome.progress)
    detail = step.detail if _same_words(step.detail, outcome.detail) else outcome.detail
    waiting = replace(step, status=WAITING, attempts=polls, detail=detail, progress=seen, errors=0)
    waiting = replace(waiting, uncounted=step.uncounted + outcome.outage)
    waiting = _after_a_call(replace(waiting, pause_seconds=_long_pause(outcome.after)), call, outcome.after or 0.0)
    event = "waiting" if step.kind == "do" else "polled"
    after = replace(operation.with_step(waiting), status=_status(operation, call, WAITING), counts=outcome.counts)
    if outcome.ask is None:
        polls_on = step.kind == "do" and polls > MOST_CALLS_OF_A_DO and detail == step.detail
        return Change(after, [] if polls_on else [journal_entry(step.name, event, moment, polls, outcome.detail)])
    asked = operation.question(call.step)
    if asked is not None and asked.answer is not None:
        return Change(after, [journal_entry(step.name, event, moment, polls, "has been answered meanwhile")])
    question = _question(call.step, outcome.ask, moment)
    if asked:
        question = replace(asked, told=outcome.ask.told, expires=max(asked.expires, outcome.ask.expires))
    message = outcome.detail if asked else question.text
    return Change(
        replace(after.with_question(question), status=_status(operation, call, NEEDS_APPROVAL)),
        [journal_entry(step.name, event if asked else "asked", moment, polls, message)],
    )


def _same_words(one: str | None, other: str | None) -> bool:
    """Whether two details say the same, but for the ids of requests and the times that Azure puts into its answers."""
    return one is not None and other is not None and _PASSING.sub("", one) == _PASSING.sub("", other)


def _long_pause(seconds: float | None) -> float | None:
    if seconds is None or seconds <= _SIGN_OF_LIFE.total_seconds():
        return None
    return 60.0 * math.ceil(seconds / 60)


def _says_the_same(before: Operation, after: Operation, step: StepRecord) -> bool:
    """Whether a poll has found what the one before it found, but for being one more."""
    polled = after.step(step.name)
    assert polled is not None
    polled = replace(polled, attempts=step.attempts, uncounted=step.uncounted)
    return step.kind != "do" and after.with_step(polled) == before


def _sign_of_life(operation: Operation, moment: datetime) -> Change | None:
    """What a poll writes that has nothing to tell: now and then that the run is alive, for the watch.

    A run that lives so long after it was resumed has got further than the one before it.
    """
    if moment - operation.updated_time < _SIGN_OF_LIFE:
        return None
    return Change(replace(operation, pick_ups=0) if operation.pick_ups else operation, [])


def _question(step: str, ask: Ask, moment: datetime) -> Question:
    return Question(step, ask.text, moment, ask.expires, ask.told, id=uuid.uuid4().hex)


def _done(operation: Operation, step: StepRecord, call: Call, outcome: Done, moment: datetime) -> Change:
    status = SKIPPED if outcome.skipped else SUCCEEDED
    left = {} if outcome.value is None else encode(outcome.value)
    over = replace(step, status=status, finished=moment, detail=outcome.detail, value=left, progress={})
    over = replace(over, cut_short=outcome.cut_short)
    after = replace(
        operation.with_step(over).with_operation_url(step.name, outcome.operation_url),
        status=_status(operation, call, RUNNING),
        cluster_id=outcome.cluster_id or operation.cluster_id,
        created=tuple(
            replace(made, undone=made.undone or made.id in outcome.undone)
            for made in (*operation.created, *(made for made in outcome.created if made not in operation.created))
        ),
        findings=_findings(operation, outcome),
        counts={},
    )
    # The head has all of them: the journal tells of the first, and counts.
    data: dict[str, Any] = {"created": [vars(c) for c in outcome.created[:MOST_TOLD]]} if outcome.created else {}
    if outcome.undone:
        data["undone"] = list(outcome.undone[:MOST_TOLD])
    if max(len(outcome.created), len(outcome.undone)) > MOST_TOLD:
        data["counts"] = {"created": len(outcome.created), "undone": len(outcome.undone)}
    entries = [journal_entry(step.name, status.lower(), moment, step.attempts, outcome.detail, data)]
    # An end that the watch has written meanwhile stays: this run was slow, and came to its own too late.
    if outcome.ending is not None and not operation.final:
        end = outcome.ending
        # What succeeded has nothing left to poll; a retry of the others continues where they stood.
        urls = {} if end.status == SUCCEEDED else after.operation_urls
        after = replace(after, status=end.status, result=end.result, problem=end.problem, finished_time=moment)
        after = replace(after, operation_urls=urls, jobs_seen=None if end.status == SUCCEEDED else after.jobs_seen)
        message = end.problem.message if end.problem else None
        entries.append(journal_entry("operation", end.status.lower(), moment, message=message))
    return Change(after, entries)


def _findings(operation: Operation, outcome: Done | Stop) -> tuple[Finding, ...]:
    """What was found so far; a check that looked again has the last word."""
    again = {finding.check for finding in outcome.findings}
    return capped((*(finding for finding in operation.findings if finding.check not in again), *outcome.findings))


def _status(operation: Operation, call: Call, wanted: str) -> str:
    """The operation's status while a step is at work; an end, once written, stays."""
    if operation.final:
        return operation.status
    if call.undo:
        return UNDOING
    return CANCELING if operation.cancel is not None else wanted


def journal_entry(
    step: str,
    event: str,
    moment: datetime,
    attempt: int | None = None,
    message: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> JournalEntry:
    """One line of the journal."""
    return JournalEntry(step, event, moment, attempt, message, data or {})
