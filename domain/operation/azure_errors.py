"""What an error of Azure means for a step: wait, or stop with the true cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from domain.catalogue.entry import REQUEST, fill_text
from domain.catalogue.explain import cause_of, closest, make_problem, problem_of_cause, repeated
from domain.operation.outcomes import Again, Stop
from domain.problems import AzureAnswer

_TRANSIENT_STATUSES = frozenset({0, 408, 429, 500, 502, 503, 504})
# What services answer for whatever they did not foresee; and the status of an answer that is no refusal itself.
_FAILED, _ACCEPTED = 500, 200
_LONGEST_WAIT_TOLD = 3600.0
# The app's own identity is refused a token: nothing was sent, and time does not cure it.
IDENTITY_REFUSED = "AppIdentityRefused"
_NO_FACTS: Mapping[str, str] = {}


def outcome_of_error(
    status: int,
    code: str,
    message: str,
    retry_after: float | None,
    answer: AzureAnswer,
    situation: str = REQUEST,
    facts: Mapping[str, str] = _NO_FACTS,
    inner: Sequence[AzureAnswer] = (),
) -> Again | Stop:
    """The outcome of a step whose call Azure refused; ``status`` 0 stands for no answer at all.

    ``situation`` and ``facts`` say what the call was for; the catalogue knows what the words mean there. ``inner`` are
    the errors inside the answer, outermost first.
    """
    wait = None if retry_after is None else min(retry_after, _LONGEST_WAIT_TOLD)
    words = {**facts, "status": str(status), "azure_code": code, "said": message}
    failed = (AzureAnswer(code, message), *inner) if status == _FAILED else ()
    further = [replace(each, status=_ACCEPTED) for each in failed]
    within = cause_of(situation, further, facts)
    if within is not None and within.entry.vague is None and not within.entry.transient:
        # A service that failed inside, and names what time does not cure.
        return Stop(problem_of_cause(replace(within, answer=_of_request(within.answer, answer)), words))
    if status in _TRANSIENT_STATUSES:
        # An outage is waited out, whatever its words are.
        key = {0: "AzureSilent", 429: "AzureThrottles"}.get(status, "AzureUnavailable")
        more = repeated(inner)
        return Again(wait, make_problem(key, words).message + (f": {more}" if more else ""))
    if code == IDENTITY_REFUSED:
        return Stop(make_problem(IDENTITY_REFUSED, words))
    said = [AzureAnswer(code, message, status), *inner]
    cause = cause_of(situation, said, facts)
    if cause is None:
        near = closest(said) or answer
        words["said"] = repeated(said) or message
        return Stop(make_problem("AzureRefused", words, answer if near == said[0] else _of_request(near, answer)))
    if cause.entry.transient:
        return Again(wait, fill_text(cause.entry.cause, {**words, "said": str(cause.answer.message), **cause.facts}))
    its = answer if cause.answer == said[0] else _of_request(cause.answer, answer)
    return Stop(problem_of_cause(replace(cause, answer=its), words))


def passes(status: int, code: str, message: str, inner: Sequence[AzureAnswer] = ()) -> bool:
    """Whether a refusal passes alone: an outage, or words that say so, whatever the status."""
    cause = cause_of(REQUEST, [AzureAnswer(code, message, status), *inner], _NO_FACTS)
    return status in _TRANSIENT_STATUSES or (cause is not None and cause.entry.transient)


def _of_request(said: AzureAnswer, answer: AzureAnswer) -> AzureAnswer:
    """What an inner error says, with the status and the ids of the answer that it came in."""
    return replace(answer, code=said.code, message=said.message)
