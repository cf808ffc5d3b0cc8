"""The record of an operation: the truth that a person reads and that a run can be resumed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from domain.arm_ids import CONNECTED_CLUSTER, MANAGED_CLUSTER, WORKSPACE, ArmId, ArmPath, compute_id, parse_arm_id
from domain.operation.codec import CodecError, decode
from domain.operation.outcomes import Created, Finding, StepResult
from domain.operation.results import EndResult, Resolved
from domain.problems import Problem
from domain.times import Moment
from domain.workloads.jobs_seen import JobsSeen

NOT_STARTED, RUNNING, WAITING = "NotStarted", "Running", "Waiting"
NEEDS_APPROVAL = "NeedsApproval"
CANCELING, UNDOING = "Canceling", "Undoing"
SUCCEEDED, FAILED, CANCELED, SKIPPED = "Succeeded", "Failed", "Canceled", "Skipped"
LIVE = (NOT_STARTED, RUNNING, WAITING, NEEDS_APPROVAL, CANCELING, UNDOING)
FINAL = (SUCCEEDED, FAILED, CANCELED)
STATUSES = LIVE + FINAL
# A run that gives no sign of life for so long is stuck; longer where its last pause was long.
SILENCE, SILENT_PAUSES = timedelta(minutes=30), 3
Left = TypeVar("Left", bound=StepResult)
# Where the links of next pages stand among the operation URLs: no step has one of these names.
_PAGES = ("jobs", "endpoints", "deployments")
_ROLE_ASSIGNMENT = "/providers/microsoft.authorization/roleassignments/"
KINDS = ("attach", "detach", "reattach", "fleetAttach", "fleetDetach")


@dataclass(frozen=True)
class RequestedBy:
    """Who or what asked: ``source`` is http, event, timer, fleet or operation.

    ``principal`` is ``tenant:object id``; ``name`` is for display, and nothing goes by it.
    """

    source: str
    principal: str | None = None
    reason: str | None = None
    parent_id: str | None = None
    name: str | None = None

    def told(self) -> dict[str, str]:
        """What the journal says of who asked; what is not known is left out."""
        said = {"source": self.source, "principal": self.principal, "name": self.name, "reason": self.reason}
        return {name: value for name, value in said.items() if value}


APPROVE, REJECT = "approve", "reject"


@dataclass(frozen=True)
class Question:
    """What an operation asks a person, and the answer once there is one. ``told``: subscribers know of it.

    ``id`` is of this one asking: a step that asks again after a retry asks another question.
    """

    step: str
    text: str
    asked: Moment
    expires: Moment
    told: bool = False
    answer: str | None = None  # APPROVE or REJECT
    answered: Moment | None = None
    answered_by: RequestedBy | None = None
    id: str = ""


@dataclass(frozen=True)
class Intent:
    """Written before a call that changes something outside; what a step that is run again looks for first."""

    action: str
    resource_id: str
    time: Moment

    def same(self, other: Intent) -> bool:
        """Whether another intent is to do the same to the same."""
        return (self.action, self.resource_id.lower()) == (other.action, other.resource_id.lower())


@dataclass(frozen=True)
class StepRecord:
    """One step. ``name`` is its activity's name; ``value`` and ``intents`` are internal and never shown.

    ``intents`` are what the step set out to change, each thing once, the latest last. ``value`` is what it leaves for
    later steps, as the codec encodes it: one of the types of ``results``. ``progress`` is the same for what its next
    attempt is to know. ``failed_before``: it is retried after it has failed. ``version``: that of the app that began
    the step's wait, which is an engine instance of its own. ``backs`` counts how often the step has had the run go back
    to an earlier one. ``since``: when a step that began again for that reason had begun first. ``errors``: how often
    its work has raised in a row. ``cut_short``: an undo that was skipped because it could not be done from here.
    ``outage_since``: since when its attempts cannot look, because Azure, or storage, has an outage or asks to slow
    down. ``outage_seconds``: how long such times took that are over. None of that uses up the step's deadline.
    ``uncounted``: how many of its attempts use up none, those in an outage and those of an earlier beginning.
    ``pause_seconds``: how long it pauses, where that is long: the watch gives it more time then. ``calls``: how often
    its present run has called a do. ``waits``: that do continues in an engine instance of its own.
    """

    name: str
    kind: str
    status: str = NOT_STARTED
    attempts: int = 0
    bound_seconds: float | None = None
    started: Moment | None = None
    finished: Moment | None = None
    detail: str | None = None
    problem: Problem | None = None
    intents: tuple[Intent, ...] = ()
    value: Mapping[str, Any] = field(default_factory=dict)
    progress: Mapping[str, Any] = field(default_factory=dict)
    failed_before: bool = False
    version: str | None = None
    backs: int = 0
    since: Moment | None = None
    errors: int = 0
    cut_short: bool = False
    outage_since: Moment | None = None
    outage_seconds: float = 0.0
    uncounted: int = 0
    pause_seconds: float | None = None
    calls: int = 0
    waits: bool = False

    @property
    def intent(self) -> Intent | None:
        """The first of the intents; most steps have one at most."""
        return self.intents[0] if self.intents else None

    def with_intent(self, intent: Intent) -> StepRecord:
        """The step with one more intent; the last one stays as it is, with its time, if it is of this same beginning.

        A step that has begun again - a retry, a run that went back - sends again what it had sent before.
        """
        last = self.intents[-1] if self.intents else None
        if last is not None and last.same(intent) and not self.is_earlier(last):
            return self
        return replace(self, intents=(*(i for i in self.intents if not i.same(intent)), intent))

    def progress_of(self, kind: type[Left]) -> Left | None:
        """What the last attempt has put down for the next one; None when it was nothing. Raises CodecError."""
        return decode(kind, self.progress) if self.progress else None

    def is_earlier(self, intent: Intent) -> bool:
        """Whether an intent of this step is older than its present beginning."""
        return self.started is not None and intent.time < self.started

    def begun_again(self) -> StepRecord:
        """The step as it is before it begins, with nothing but what it set out to change, and its counters."""
        return StepRecord(
            self.name,
            self.kind,
            attempts=self.attempts,
            bound_seconds=self.bound_seconds,
            intents=self.intents,
            backs=self.backs,
            uncounted=self.attempts,
            since=self._first_started_but_for_outages,
        )

    @property
    def first_started(self) -> datetime | None:
        """When the step began, however often the run has gone back since; a retry by a person begins it again."""
        return self.since or self.started

    @property
    def _first_started_but_for_outages(self) -> datetime | None:
        first = self.first_started
        return None if first is None else first + timedelta(seconds=self.outage_seconds)

    @property
    def over(self) -> bool:
        """Whether the step has come to its end, whatever that was."""
        return self.status in (SUCCEEDED, SKIPPED, FAILED, CANCELED)

    @property
    def deadline(self) -> datetime | None:
        """When a step that has begun runs out of time."""
        if self.started is None or self.bound_seconds is None:
            return None
        return self.started + timedelta(seconds=self.bound_seconds + self.outage_seconds)


@dataclass(frozen=True)
class JournalEntry:
    """One line of the append-only journal; the store numbers it, from 1 on."""

    step: str
    event: str
    time: Moment
    attempt: int | None = None
    message: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    sequence: int = 0


@dataclass(frozen=True)
class Operation:
    """An operation as recorded. ``run`` counts its engine instances and is the fence: only the present one writes.

    ``left_out`` are names of steps that the request does not need. They are in no list and are not taken.

    ``cancel`` is who asked to cancel it, until it has ended or is retried. ``plan_only``: it only looks. ``pick_ups``
    counts how often the run was started again since ``steps_over`` had the value in ``pick_up_mark``. ``questions`` are
    what its steps have asked people. ``operation_urls`` are Azure's long-running operations by the step that has begun
    them. They may carry signatures: they are kept in a column of their own and never shown. ``version`` is the
    orchestration version that the engine instance of its present run is started with (None: not known). ``held_up``:
    why that instance does not move, while it does not. ``retried_by`` are the principals who have had it retried.
    ``jobs_seen`` is what its survey knows of the workspace's jobs; the link of the next page is not in it (``jobs``).
    """

    id: str
    kind: str
    status: str
    request: Mapping[str, Any]
    fingerprint: str
    requested_by: RequestedBy
    created_time: Moment
    updated_time: Moment
    workspace_id: str | None = None
    cluster_id: str | None = None
    compute_name: str | None = None
    run: int = 1
    started_time: Moment | None = None
    finished_time: Moment | None = None
    steps: tuple[StepRecord, ...] = ()
    created: tuple[Created, ...] = ()
    findings: tuple[Finding, ...] = ()
    result: EndResult | None = None
    problem: Problem | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    journal_length: int = 0
    pick_ups: int = 0
    pick_up_mark: int = 0
    cancel: RequestedBy | None = None
    plan_only: bool = False
    questions: tuple[Question, ...] = ()
    operation_urls: Mapping[str, str] = field(default_factory=dict, repr=False)
    version: str | None = None
    held_up: str | None = None
    left_out: tuple[str, ...] = ()
    retried_by: tuple[str, ...] = ()
    jobs_seen: JobsSeen | None = None

    def question(self, step_name: str) -> Question | None:
        """What a step asks, or has asked; None when it has asked nothing."""
        return next((q for q in self.questions if q.step == step_name), None)

    def with_question(self, question: Question) -> Operation:
        """The operation with that question put in the place of the one its step asked before."""
        others = tuple(q for q in self.questions if q.step != question.step)
        return replace(self, questions=(*others, question))

    @property
    def orchestrator(self) -> str:
        """The orchestrator that takes its steps: a plan has one of its own, which only looks."""
        return f"{self.kind}_plan" if self.plan_only else self.kind

    @property
    def attach_request(self) -> Mapping[str, Any]:
        """What is to be attached: an attach is asked for that, a reattach makes it of what it finds (``resolve``)."""
        if self.kind != "reattach":
            return self.request
        return self.resolved.attach_request or {}

    @property
    def steps_over(self) -> int:
        """How many steps have come to their end."""
        return sum(1 for s in self.steps if s.over)

    @property
    def final(self) -> bool:
        """Whether the operation has ended."""
        return self.status in FINAL

    @property
    def instance_id(self) -> str:
        """Id of the engine instance of the present run."""
        return f"{self.id}-{self.run}"

    def step(self, name: str) -> StepRecord | None:
        """The step of that name, or None before the plan of steps is recorded."""
        return next((s for s in self.steps if s.name == name), None)

    def with_step(self, step: StepRecord) -> Operation:
        """The operation with that step put in the place of the one of its name; a new one comes before the end."""
        if self.step(step.name) is None:
            end = next((i for i, s in enumerate(self.steps) if s.name == "record"), len(self.steps))
            return replace(self, steps=(*self.steps[:end], step, *self.steps[end:]))
        return replace(self, steps=tuple(step if s.name == step.name else s for s in self.steps))

    def result_of(self, kind: type[Left]) -> Left | None:
        """What a step left for later ones, by the type of it; None when it has not run or has left nothing.

        Raises CodecError when what is stored is not of that type.
        """
        step = self.step(kind.STEP)
        return decode(kind, step.value) if step is not None and step.value else None

    def needed(self, kind: type[Left]) -> Left:
        """The same, of a step that has to have run. Raises CodecError when it has left nothing."""
        left = self.result_of(kind)
        if left is None:
            raise CodecError(f"{kind.__name__}: step {kind.STEP} has left nothing")
        return left

    @property
    def resolved(self) -> Resolved:
        """What ``resolve`` has found; nothing is known before it has run. Raises CodecError."""
        return self.result_of(Resolved) or Resolved()

    @property
    def workspace(self) -> ArmId:
        """The workspace. Raises ValueError when the operation names none."""
        return parse_arm_id(str(self.workspace_id), WORKSPACE)

    @property
    def cluster(self) -> ArmId:
        """The cluster. Raises ValueError while it is not known."""
        return parse_arm_id(str(self.cluster_id), MANAGED_CLUSTER, CONNECTED_CLUSTER)

    @property
    def compute_id(self) -> ArmPath:
        """ARM id of the compute. Raises ValueError when the operation names no workspace."""
        return compute_id(self.workspace, str(self.compute_name))

    def operation_url(self, step_name: str) -> str | None:
        """URL of Azure's long-running operation that a step has begun; None when it has begun none that can be read."""
        return self.operation_urls.get(step_name)

    def with_operation_url(self, step_name: str, url: str | None) -> Operation:
        """The operation with that URL in the place of the one that the step had begun before; None takes it away."""
        others = {name: kept for name, kept in self.operation_urls.items() if name != step_name}
        return replace(self, operation_urls={**others, step_name: url} if url else others)

    @property
    def jobs(self) -> JobsSeen | None:
        """What is known of the workspace's jobs, with the links of next pages, which are kept with the signed URLs."""
        seen = self.jobs_seen
        if seen is None:
            return None
        jobs, endpoints, deployments = (self.operation_url(name) for name in _PAGES)
        served = replace(seen.served, link=endpoints, deployments=deployments) if seen.served else None
        return replace(seen, reading=replace(seen.reading, link=jobs), served=served)

    def with_jobs(self, seen: JobsSeen | None) -> Operation:
        """The operation with that in the place of what was known before."""
        links: tuple[str | None, ...] = (None, None, None)
        if seen is not None:
            served = seen.served
            links = (seen.reading.link, served.link if served else None, served.deployments if served else None)
            without = replace(served, link=None, deployments=None) if served else None
            seen = replace(seen, reading=replace(seen.reading, link=None), served=without)
        after = self
        for name, link in zip(_PAGES, links, strict=True):
            after = after.with_operation_url(name, link)
        return replace(after, jobs_seen=seen)

    @property
    def granted_time(self) -> datetime | None:
        """When this operation last set out to grant a role; None when it has granted none."""
        intents = [i for s in self.steps for i in s.intents if i.action == "create"]
        times = [i.time for i in intents if _ROLE_ASSIGNMENT in i.resource_id.lower()]
        return max(times) if times else None

    @property
    def current_step(self) -> StepRecord | None:
        """The step under way: the last one that was started and is not over."""
        return next((s for s in reversed(self.steps) if s.status in (RUNNING, WAITING)), None)

    @property
    def waiter(self) -> str | None:
        """The step whose wait is an engine instance of its own, while it is under way; None when there is none."""
        step = self.current_step
        return step.name if step is not None and (step.kind != "do" or step.waits) else None

    @property
    def waiter_id(self) -> str | None:
        """Id of that instance."""
        return f"{self.instance_id}:{self.waiter}" if self.waiter is not None else None

    @property
    def due_time(self) -> datetime:
        """When a live operation has to have given a sign of life: half an hour, or three of its pauses, after the last.

        A pause of months counts as one of thirty days.
        """
        step = self.current_step
        pause = 0.0 if step is None else min(step.pause_seconds or 0.0, 30 * 86400.0)
        return self.updated_time + max(SILENCE, SILENT_PAUSES * timedelta(seconds=pause))
