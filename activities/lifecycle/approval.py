"""Questions to people: a step asks and waits for the answer, which operations/decide.py puts into the record."""

from __future__ import annotations

from datetime import datetime, timedelta

from activities.lifecycle.ending import publish
from activities.runtime.step import StepAtWork
from activities.runtime.transitions import NO_ANSWER_CODE
from domain.access.policy import ALWAYS, NEVER, WHEN_FORCED
from domain.access.privileges import may_force
from domain.arm_ids import same_resource
from domain.catalogue.explain import make_problem
from domain.operation.outcomes import (
    Again,
    Ask,
    Done,
    Outcome,
    Stop,
)
from domain.operation.record import (
    APPROVE,
    Operation,
    Question,
)
from domain.operation.results import Surveyed
from domain.requests.durations import approval_timeout
from domain.times import to_text
from gateways import clock, policy
from gateways.policy import PolicyUnavailable
from gateways.settings import Settings, read_approval_settings

# What a lost event costs at most; an answer whose event arrives is seen at once.
_POLL = 300.0
_POLICY_PAUSE = 30.0


def approval(step: StepAtWork) -> Outcome:
    """Wait for a person's yes, where the request or a setting asks for one."""
    operation = step.operation
    survey = operation.step("survey")
    if survey is not None and survey.status == "Skipped":
        return Done(detail="nothing is left to approve", skipped=True)
    try:
        entry = policy.current().entry_of(str(operation.workspace_id))
    except PolicyUnavailable as error:
        return Again(_POLICY_PAUSE, f"whether an approval is asked for is unknown: {error}", outage=True)
    # Where the policy does not name the workspace any more, nothing is done there without somebody's yes.
    why = required_by(operation, read_approval_settings(), ALWAYS if entry is None else entry.approval)
    if why is None:
        return Done(detail="neither the request nor the policy nor a setting asks for one", skipped=True)
    return ask(step, _text(operation, why), approval_timeout(operation.request))


def required_by(operation: Operation, settings: Settings, approval: str = NEVER) -> str | None:
    """What asks for an approval of the operation; None when nothing does.

    ``approval`` is what the policy says of the workspace; the settings can add to it and take nothing away.
    """
    request = operation.request
    if request.get("approval") == "required":
        return "the request asks for an approval"
    if any(same_resource(str(workspace), str(operation.workspace_id)) for workspace in settings.approval_workspaces):
        return "MOOR_APPROVAL_WORKSPACES names the workspace"
    if approval == ALWAYS:
        return "the policy asks for one always at this workspace"
    if approval == WHEN_FORCED and may_force(request):
        return "the request may force, and the policy asks for one then"
    if settings.approval_for_force and may_force(request):
        return "MOOR_APPROVAL_FOR_FORCE is set and the request may force"
    return None


def ask(step: StepAtWork, text: str, timeout: timedelta) -> Done | Again | Stop:
    """Ask once, then wait for the answer: done when it is yes, stop when it is no or does not come in time."""
    question = step.operation.question(step.call.step)
    if question is None:
        expires = clock.now() + timeout
        return Again(1.0, _waiting(text, expires), ask=Ask(text, expires))
    # Answered already or not: who was asked is to hear of it. A topic that does not answer is tried at each poll.
    told = question.told or not publish(step.operation, "NeedsApproval", of=step.call.step)
    if question.answer is not None:
        return _answered(step, question)
    # Nobody could answer in an outage that is just over.
    expires = question.expires + timedelta(seconds=step.in_outage)
    left = (expires - clock.now()).total_seconds()
    if left <= 0:
        facts = {**step.facts, "until": to_text(expires), "question": question.text}
        return Stop(make_problem(NO_ANSWER_CODE, facts))
    return Again(min(_POLL, left), _waiting(question.text, expires), ask=Ask(question.text, expires, told))


def _waiting(text: str, expires: datetime) -> str:
    return f"waits for approval until {to_text(expires)}: {text}"


def _answered(step: StepAtWork, question: Question) -> Done | Stop:
    who = (question.answered_by.principal if question.answered_by else None) or "the caller"
    reason = question.answered_by.reason if question.answered_by else None
    because = f" ({reason})" if reason else ""
    if question.answer == APPROVE:
        return Done(detail=f"approved by {who}{because}")
    told = {**step.facts, "rejected_by": who, "rejected_because": because or " for no reason given"}
    return Stop(make_problem("ApprovalRejected", told))


def _text(operation: Operation, why: str) -> str:
    """What is asked, for a person who decides on it."""
    workloads = operation.request.get("workloads") or {}
    found = (operation.result_of(Surveyed) or Surveyed()).workloads
    uses = ", ".join(f"{use.type} {use.name} ({use.status})" for use in found[:10])
    more = f" and {len(found) - 10} more" if len(found) > 10 else ""
    used = f"In use by {uses}{more}; policy {workloads.get('policy', 'refuse')}." if found else "Nothing uses it."
    verb = operation.kind.capitalize()
    return f"{verb} {operation.compute_name} from {operation.workspace_id}? {used} Asked because {why}."
