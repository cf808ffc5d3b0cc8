"""What every step of an operation has in common: fence, record, deadline and back-off around one activity's work.

The outcome of a finished step is kept in the record. A step that is asked again - a message delivered twice, a run
resumed from the record - answers from there and does nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from azure.core.exceptions import AzureError

from activities.runtime import slots
from activities.runtime.pauses import FIRST_PAUSE, back_off, outage_pause, storage_pause
from activities.runtime.slots import SlotsTaken
from activities.runtime.transitions import (
    CANCELED_CODE,
    Call,
    begin,
    finish,
    is_next,
    journal_entry,
    outage_since,
    raised,
    unfinished_before,
)
from domain.access.propagation import LACKS_ROLE, is_spreading
from domain.catalogue.explain import make_problem
from domain.cluster.commands import commands_of, with_commands
from domain.operation.azure_errors import outcome_of_error
from domain.operation.facts import facts_of
from domain.operation.next_step import listed, listed_step, next_step, undo_is_due
from domain.operation.outcomes import (
    DONE,
    MOST_BACKS,
    RAISED,
    SUPERSEDED,
    Again,
    Back,
    Outcome,
    Stop,
    again,
    back,
    stop,
)
from domain.operation.record import NOT_STARTED, Intent, Operation, StepRecord
from domain.operation.results import TurnedAway
from domain.operation.steps import Step, situation_of
from domain.times import from_text, in_words
from domain.workloads.jobs_seen import JobsSeen, StillReading
from gateways import clock, policy
from gateways.azure.arm import ArmError
from gateways.kubernetes import run_command
from gateways.kubernetes.run_command import Begun, StillRunning
from gateways.kubernetes.ways import Ways, opened
from gateways.policy import PolicyUnavailable
from gateways.settings import SettingError, read_app_names
from gateways.storage import records
from gateways.storage.claims import ClaimContested
from gateways.storage.records import Change, Stored, Superseded
from gateways.storage.tables import RecordTooLarge, is_outage

logger = logging.getLogger(__name__)

# Before the next activity reads on in a list that one alone does not get through.
_NEXT_PAGES = 1.0
# What cancel_jobs sets out to do with a job: that begins nothing which would have to be seen through.
_OF_A_JOB = "cancel"
# How long a resource may be invisible after its PUT: ARM's caches and the providers' own take seconds.
_VISIBLE_WITHIN = 60.0


@dataclass
class StepAtWork:
    """What a step's work sees: the call, and its operation as recorded when the step began.

    ``begun`` are the commands in a cluster that its work leaves running, ``jobs`` what is known of the workspace's jobs
    when the work has looked at them: both are kept in the record, whatever the outcome is.
    """

    call: Call
    operation: Operation
    latest: Stored | None = None
    begun: Begun = field(default_factory=Begun)
    jobs: JobsSeen | None = None

    def __post_init__(self) -> None:
        self.jobs = self.operation.jobs if self.jobs is None else self.jobs

    @property
    def record(self) -> StepRecord:
        """This step's own record."""
        record = self.operation.step(self.call.step)
        assert record is not None
        return record

    @property
    def turned_away(self) -> int:
        """How many attempts of this step have come to nothing because others were in clusters."""
        kept = self.record.progress_of(TurnedAway)
        return 0 if kept is None else kept.times

    @property
    def tries(self) -> int:
        """Which attempt this is of those that count: a neighbour's cluster uses up none of them, nor does an outage."""
        return self.record.attempts - self.turned_away - self.record.uncounted

    @property
    def intent(self) -> Intent | None:
        """What an earlier attempt of this step set out to change, if it got so far: look before acting again."""
        return self.record.intent

    @property
    def out_of_time(self) -> bool:
        """Whether this is the last attempt before the step's deadline ends it: time to say what else there is."""
        return self.waited_since(self.record.started) >= (self.record.bound_seconds or self.call.bound)

    @property
    def in_outage(self) -> float:
        """For how many seconds, until this attempt, the step could not look; 0 when its last attempt could."""
        since = outage_since(self.operation, self.record, self.call)
        return 0.0 if since is None else max(0.0, (self.call.now - since).total_seconds())

    def waited_since(self, moment: datetime | None) -> float:
        """Seconds since a moment of this step's beginning, or of its first one, but for outages; 0 without a moment."""
        if moment is None:
            return 0.0
        return (self.call.now - moment).total_seconds() - self.record.outage_seconds - self.in_outage

    def may_go_back(self, to: str) -> bool:
        """Whether this step may have the run go back once more, to a step that the operation has.

        One that an earlier release began may not have it.
        """
        return self.record.backs < MOST_BACKS and self.operation.step(to) is not None

    @property
    def begins_again(self) -> bool:
        """Whether all that this step set out to change is of an earlier beginning: the run went back, or a retry."""
        return bool(self.record.intents) and all(self.record.is_earlier(intent) for intent in self.record.intents)

    @property
    def failed_before(self) -> bool:
        """Whether somebody has asked to retry this step after it failed."""
        return self.record.failed_before

    @property
    def facts(self) -> dict[str, str]:
        """What problems say of this operation: names and ids for their texts and commands."""
        return {**read_app_names(), **facts_of(self.operation)}

    def intend(self, action: str, resource_id: str) -> None:
        """Record what is about to be changed, right before the call. This is the fence as well.

        Raises Superseded when another run has taken over, and OvertakenByDelivery when the engine has delivered this
        step's message a second time meanwhile: the change must not be made then.
        """

        def decide(operation: Operation) -> Change:
            step = operation.step(self.call.step)
            assert step is not None
            if step.over or step.attempts != self.record.attempts:
                raise OvertakenByDelivery
            if not is_next(operation, self.call.step):
                raise Superseded(f"{self.call.step} of {operation.id} is not next any more")
            moment = clock.now()  # After the record was read: the journal's times follow its order.
            intended = step.with_intent(Intent(action, resource_id, moment))
            data = {"action": action, "resourceId": resource_id}
            entry = journal_entry(self.call.step, "intended", moment, data=data)
            return Change(operation.with_step(intended), [entry])

        self.latest = records.change(self.call.operation, self.call.run, decide, clock.now(), self.latest)


class OvertakenByDelivery(Exception):
    """Another delivery of the same message has begun the step since: it looks, and acts if there is need to."""


Work = Callable[[StepAtWork], Outcome]


def run_step(work: Work, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Do one step's work for one call of the orchestrator, and say what comes next.

    A run that was taken over, or whose operation has ended meanwhile, changes nothing and gets that answer. So does a
    call for a step that is not next by the record, whoever made it.

    An outage of storage fails nothing: it is waited out, however long it takes.

    Raises azure.core.exceptions.AzureError when storage refuses what is asked: the orchestrator calls again.
    """
    call = _call(fields)
    try:
        begun = records.change(call.operation, call.run, lambda o: begin(o, call), clock.now())
        its = listed_step(begun.operation, call.step)
        step = begun.operation.step(call.step)
        if its is None:
            logger.info("%s: %s is no step of the plan that it was begun with", call.operation, call.step)
            return DONE
        if step is not None and step.over:
            return _answer(call, begun.operation)
        if step is None or not is_next(begun.operation, call.step):
            return _not_next(begun.operation, its)
        call = call.of(its)
        at_work = StepAtWork(call, begun.operation, begun, Begun(commands_of(begun.operation, call.step)))
        with opened(partial(_ways, begun.operation)):
            outcome = _canceled(at_work) or _limit(_outcome(work, at_work), at_work)
        after = _kept(at_work, outcome)
    except Superseded as fence:
        logger.warning("%s: %s changes nothing: %s", call.operation, call.step, fence)
        return SUPERSEDED
    except AzureError as error:
        if not is_outage(error):
            raise
        logger.warning("%s: %s waits: storage does not answer: %s", call.operation, call.step, error)
        return again(storage_pause(error), unwritten=True)
    finished = after.step(call.step)
    assert finished is not None
    logger.info("%s: %s: %s", call.operation, call.step, finished.status)
    if isinstance(outcome, Back) and finished.status == NOT_STARTED:
        return back(outcome.step)
    if not finished.over:
        return again((outcome.after if isinstance(outcome, Again) else None) or FIRST_PAUSE)
    return _answer(call, after)


def _ways(operation: Operation) -> Ways:
    """The ways into the cluster that the policy has open for the operation's workspace; none while it is unknown."""
    try:
        entry = policy.current().entry_of(str(operation.workspace_id))
    except PolicyUnavailable as error:
        logger.warning("%s: %s", operation.id, error)
        return Ways()
    return Ways() if entry is None else Ways(entry.administratorCredential, entry.runCommand)


def note_raised(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Count in the record that a step's work has raised, and say what comes next: again, or the step's end.

    Raises azure.core.exceptions.AzureError, CodecError, KeyError and the like: where the record cannot be written,
    the orchestrator counts.
    """
    call = _call(fields)
    try:
        after = records.change(call.operation, call.run, lambda o: raised(o, call), clock.now()).operation
    except Superseded:
        return SUPERSEDED
    step = after.step(call.step)
    return _answer(call, after) if step is not None and step.over else RAISED


def _call(fields: Mapping[str, Any]) -> Call:
    # The engine's time is never ahead of ours; a deadline does not come earlier because somebody says so.
    now = min(from_text(fields["now"]), clock.now())
    unwritten = from_text(fields["unwrittenSince"]) if fields.get("unwrittenSince") else None
    waits = "errors" in fields  # What an instance of its own carries from call to call.
    return Call(fields["operation"], fields["run"], fields["step"], 0.0, now, unwritten_since=unwritten, waits=waits)


def _not_next(operation: Operation, asked: Step) -> dict[str, Any]:
    """What to do instead of a step that is not next, and of which nothing is done therefore."""
    step = operation.step(asked.name)
    unfinished = unfinished_before(operation, step) if step is not None else None
    if unfinished is not None:
        return back(unfinished)
    if not operation.final and operation.problem is not None:
        if asked.undo and not undo_is_due(operation):
            return DONE
        if not asked.undo and not asked.always:
            return stop(operation.problem)  # A run that is to finish an undo passes what was not done.
    due = next_step(operation)
    logger.warning("%s: %s is not next, but %s", operation.id, asked.name, due.name if due is not None else "nothing")
    return SUPERSEDED


def _canceled(step: StepAtWork) -> Stop | None:
    """The step's end when somebody asked to cancel and this is a safe point: nothing of it may be half done."""
    call = step.call
    if step.operation.cancel is None or not call.cancelable or call.always or call.undo:
        return None
    sent = [i for i in step.record.intents if i.action != _OF_A_JOB and not step.record.is_earlier(i)]
    if call.kind == "do" and sent:
        return None  # Its request may be on its way; between the polls of an until there is none.
    return Stop(make_problem(CANCELED_CODE, step.facts))


def _kept(step: StepAtWork, outcome: Outcome) -> Operation:
    """The operation with what a step has come to. What the record cannot hold ends the step, and says so."""
    call = step.call
    try:
        return records.change(
            call.operation, call.run, lambda o: _finished(o, step, outcome), clock.now(), step.latest
        ).operation
    except RecordTooLarge as error:
        logger.error("%s: %s: its record is too large: %s", call.operation, call.step, error)
        end = _too_large(step, error)
        step.jobs = None  # Findings only tell, and jobs are listed again: they make room for the end.
        return records.change(
            *(call.operation, call.run, lambda o: _finished(replace(o, findings=()), step, end), clock.now())
        ).operation


def _too_large(step: StepAtWork, error: RecordTooLarge) -> Stop:
    return Stop(make_problem("RecordTooLarge", {**step.facts, "step": step.call.step, "said": str(error)}))


def _finished(operation: Operation, step: StepAtWork, outcome: Outcome) -> Change | None:
    change, its = finish(operation, step.call, outcome), operation.step(step.call.step)
    if change is None and (its is None or its.over):
        return None
    # A step that is over, or whose run goes back, waits for none.
    commands = step.begun.commands if isinstance(outcome, Again) else ()
    after = with_commands(operation if change is None else change.operation, step.call.step, commands)
    if step.jobs != step.operation.jobs:
        after = after.with_jobs(step.jobs)
    if change is None:  # A poll that has nothing to tell.
        return None if after == operation else Change(after)
    return replace(change, operation=after)


def _outcome(work: Work, step: StepAtWork) -> Outcome:
    try:
        with run_command.of_step(step.begun):
            outcome = work(step)
        step.begun.clear()  # What has looked is done with its commands: the next attempt looks again.
        return outcome
    except OvertakenByDelivery:
        return Again(FIRST_PAUSE, "another delivery of this step is at work")
    except SlotsTaken as taken:
        return Again(slots.PAUSE, str(taken), progress=TurnedAway(step.turned_away + 1))
    except StillReading as reading:
        return Again(_NEXT_PAGES, str(reading))
    except StillRunning as running:
        return Again(running.after, str(running), progress=TurnedAway(step.turned_away + 1))
    except ArmError as error:
        logger.warning("%s: %s: Azure answered %s", step.call.operation, step.call.step, error)
        situation = situation_of(step.call.step)
        said = (error.status, error.code, error.message, error.retry_after, error.answer)
        outcome = outcome_of_error(*said, situation, step.facts, error.inner)
        role_missing = isinstance(outcome, Stop) and (error.status == 403 or outcome.problem.code == LACKS_ROLE)
        if role_missing and is_spreading(step.operation.granted_time, clock.now()):
            return Again(error.retry_after, f"a role granted minutes ago may not have spread yet: {error.code}")
        return replace(outcome, outage=True) if isinstance(outcome, Again) and error.outage else outcome
    except RecordTooLarge as error:
        return _too_large(step, error)
    except ClaimContested as contested:
        return Again(FIRST_PAUSE, f"others are taking the same claim ({contested})")
    except SettingError as error:
        return Stop(make_problem("SettingInvalid", {**step.facts, "said": str(error)}))


def _answer(call: Call, operation: Operation) -> dict[str, Any]:
    """What a step that is over has come to; the first of a run brings the steps that are not taken, too."""
    step = operation.step(call.step)
    assert step is not None
    answer = stop(step.problem) if step.problem is not None else DONE
    first = next((each.name for each in listed(operation)), None)
    return {**answer, "leftOut": list(operation.left_out)} if call.step == first and operation.left_out else answer


def _limit(outcome: Outcome, step: StepAtWork) -> Outcome:
    """Turn another attempt after the step's deadline into its end; give the others a pause that fits.

    A step that may not go back once more ends, or looks again.
    """
    if isinstance(outcome, Back) and not step.may_go_back(outcome.step):
        outcome = Stop(outcome.problem) if outcome.problem is not None else Again(None, outcome.detail)
    if not isinstance(outcome, Again):
        return outcome
    if outcome.outage:
        return replace(outcome, after=outage_pause(outcome.after, step.in_outage))
    call = step.call
    waited = step.waited_since(step.record.started)
    bound = step.record.bound_seconds or call.bound
    if waited >= bound:
        return Stop(
            make_problem(
                "DeadlineExceeded",
                {**step.facts, "step": call.step, "waited": in_words(waited), "detail": outcome.detail},
            )
        )
    pause = outcome.after if outcome.after is not None else back_off(waited)
    return replace(outcome, after=max(1.0, min(pause, bound - waited)))


def wait_for_earlier_attempt(step: StepAtWork) -> Again | None:
    """Before a request is sent again: wait until the first would show, if it got through."""
    if step.intent is None:
        return None
    age = (clock.now() - step.intent.time).total_seconds()
    if age >= _VISIBLE_WITHIN:
        return None
    return Again(min(15.0, _VISIBLE_WITHIN - age + 1), "looking whether an earlier attempt of this step got through")
