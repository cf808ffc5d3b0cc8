"""What an activity answers: done, again, stop or back.

Expected failures are values; an exception is answered as raised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, overload

from domain.problems import Problem, problem_to_json

if TYPE_CHECKING:  # Results of operations name findings, which stand here.
    from domain.operation.results import EndResult


class StepResult(Protocol):
    """What a step leaves in its record: a frozen dataclass of ``results``. ``STEP`` is the name of its step."""

    STEP: ClassVar[str]


@dataclass(frozen=True)
class Created:
    """A resource that an operation made and may undo."""

    type: str
    id: str
    undone: bool = False


@dataclass(frozen=True)
class Finding:
    """What a check found: ``outcome`` is pass, warning, fail or unknown."""

    check: str
    outcome: str
    message: str
    remedy: str | None = None
    command: str | None = None


# Findings only tell: so many are kept of an operation, and how many more there were.
MOST_FINDINGS, LONGEST_TEXT, FURTHER_FINDINGS = 200, 4_000, "furtherFindings"
_RANK = {"fail": 0, "unknown": 1, "warning": 2}


def capped(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """At most 200 findings in their order, the worst of them, and a count of the others; long words are cut."""
    told = [f for f in findings if f.check != FURTHER_FINDINGS]
    left_out = sum(int(f.message.split(" ")[0]) for f in findings if f.check == FURTHER_FINDINGS)
    if len(told) + bool(left_out) > MOST_FINDINGS:
        worst = sorted(range(len(told)), key=lambda n: _RANK.get(told[n].outcome, 3))[: MOST_FINDINGS - 1]
        left_out += len(told) - len(worst)
        told = [told[n] for n in sorted(worst)]
    told = [replace(f, message=brief(f.message)) for f in told]
    if left_out:
        told.append(Finding(FURTHER_FINDINGS, "unknown", f"{left_out} further findings are left out."))
    return tuple(told)


@overload
def brief(text: str) -> str: ...
@overload
def brief(text: str | None) -> str | None: ...
def brief(text: str | None) -> str | None:
    """A text that only tells, cut where it is very long; how much is left out stands at its end."""
    if text is None or len(text) <= LONGEST_TEXT:
        return text
    return f"{text[:LONGEST_TEXT]}... and {len(text) - LONGEST_TEXT} more characters"


@dataclass(frozen=True)
class Ending:
    """The end of an operation: its final status and, when there is one, its result."""

    status: str
    result: EndResult | None = None
    problem: Problem | None = None


@dataclass(frozen=True)
class Done:
    """The step is finished. ``value`` stays in the record, where later steps find it; histories do not carry it.

    ``undone`` are ids of resources that the operation had made and that are gone again. ``cluster_id``: the operation's
    cluster, where its request does not name it. ``cut_short``: skipped, because it could not be done from here, and not
    because somebody wants it so. ``operation_url`` is Azure's long-running operation that the step has
    begun: it may carry a signature, and is kept apart from ``value``.
    """

    value: StepResult | None = None
    detail: str | None = None
    created: tuple[Created, ...] = ()
    findings: tuple[Finding, ...] = ()
    undone: tuple[str, ...] = ()
    skipped: bool = False
    cut_short: bool = False
    ending: Ending | None = None
    cluster_id: str | None = None
    operation_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Ask:
    """A question to a person, who may answer until it expires. ``told``: subscribers know of it."""

    text: str
    expires: datetime
    told: bool = False


@dataclass(frozen=True)
class Again:
    """Ask again after so many seconds; None lets the step's own back-off decide.

    ``ask``: it waits for a person. ``progress`` is what the step's next attempt is to know; None leaves it as it was.
    ``outage``: the attempt could not look, because Azure did not answer or asked to slow down. Such time is none of the
    step's: it uses up no deadline.
    """

    after: float | None
    detail: str
    counts: Mapping[str, int] = field(default_factory=dict)
    ask: Ask | None = None
    progress: StepResult | None = None
    outage: bool = False


@dataclass(frozen=True)
class Stop:
    """The step cannot succeed; the problem says why and what to do."""

    problem: Problem
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Back:
    """The run continues from an earlier step, named ``step``: what it and the steps after it came to holds no more.

    Their records begin again, intents kept. A step has the run go back ``MOST_BACKS`` times at most; after that it ends
    with ``problem``, or, without one, looks again until its deadline.
    """

    step: str
    detail: str
    problem: Problem | None = None


Outcome = Done | Again | Stop | Back
MOST_BACKS = 5
# Calls of a do in the history of its run; then, or for a pause of more seconds, it continues in an until of its own.
MOST_CALLS_OF_A_DO, LONGEST_PAUSE_OF_A_DO = 5, 60.0
# About a quarter of an hour of calls that raised, then the step is given up.
MOST_ERRORS = 20

# What an orchestrator gets to see: enough to decide what comes next, and nothing that histories should not hold.
DONE = {"kind": "done"}
SUPERSEDED = {"kind": "superseded"}
# The activity raised: a bug, or an outage that nobody foresaw. Its text stays in the log.
RAISED = {"kind": "raised"}


def again(after: float, *, unwritten: bool = False) -> dict[str, Any]:
    """Tell the orchestrator to ask again after so many seconds.

    ``unwritten``: the record could not be written, so that only the orchestrator knows of the call.
    """
    return {"kind": "again", "after": after} | ({"unwritten": True} if unwritten else {})


def back(step: str) -> dict[str, Any]:
    """Have the orchestrator continue from an earlier step."""
    return {"kind": "back", "step": step}


def stop(problem: Problem) -> dict[str, Any]:
    """Tell the orchestrator that the step cannot succeed."""
    return {"kind": "stop", "problem": problem_to_json(problem)}
