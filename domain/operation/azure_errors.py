"""What an error of Azure means for a step: wait, or stop with the true cause."""

from __future__ import annotations

from collections.abc import Mapping

from domain.catalogue.entry import REQUEST, fill_text
from domain.catalogue.explain import find, make_problem, problem_of
from domain.operation.outcomes import Again, Stop
from domain.problems import AzureAnswer

_TRANSIENT_STATUSES = frozenset({0, 408, 429, 500, 502, 503, 504})
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
) -> Again | Stop:
    """The outcome of a step whose call Azure refused; ``status`` 0 stands for no answer at all.

    ``situation`` and ``facts`` say what the call was for; the catalogue knows what the words mean there.
    """
    wait = None if retry_after is None else min(retry_after, _LONGEST_WAIT_TOLD)
    words = {**facts, "status": str(status), "azure_code": code, "said": message}
    if status in _TRANSIENT_STATUSES:
        # An outage is waited out, whatever its words are.
        key = {0: "AzureSilent", 429: "AzureThrottles"}.get(status, "AzureUnavailable")
        return Again(wait, make_problem(key, words).message)
    if code == IDENTITY_REFUSED:
        return Stop(make_problem(IDENTITY_REFUSED, words))
    found = find(situation, AzureAnswer(code, message, status), facts)
    if found is None:
        return Stop(make_problem("AzureRefused", words, answer))
    entry, said = found
    if entry.transient:
        return Again(wait, fill_text(entry.cause, {**words, **said}))
    return Stop(problem_of(entry, {**words, **said}, answer))
