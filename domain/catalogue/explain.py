"""From what Azure says to the problem that a person reads: the true cause first, Azure's own words second."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from domain.catalogue.azure import (
    admission,
    attach,
    endpoints,
    extension,
    health,
    jobs,
    platform,
)
from domain.catalogue.entry import (
    ATTACH,
    DETACH,
    ENDPOINT,
    EXTENSION,
    HEALTH,
    JOB,
    REQUEST,
    WRAPPER,
    Entry,
    fill_command,
    fill_text,
)
from domain.catalogue.moor import cluster as cluster_api
from domain.catalogue.moor import operations as own
from domain.problems import AzureAnswer, Problem, says_nothing

_SPECIFIC = (
    *admission.ENTRIES,
    *attach.ENTRIES,
    *health.ENTRIES,
    *extension.ENTRIES,
    *jobs.ENTRIES,
    *endpoints.ENTRIES,
)
GENERIC: Mapping[str, Entry] = {
    ATTACH: attach.GENERIC,
    DETACH: jobs.DETACH_FAILED,
    EXTENSION: extension.GENERIC,
    HEALTH: health.GENERIC,
    JOB: jobs.JOB_FAILED,
    ENDPOINT: endpoints.GENERIC,
    REQUEST: platform.GENERIC,
}
ENTRIES: tuple[Entry, ...] = (
    *_SPECIFIC,
    *GENERIC.values(),
    *platform.ENTRIES,
    *platform.BY_STATUS,
    *own.ENTRIES,
    *cluster_api.ENTRIES,
)
_BY_KEY = {entry.key: entry for entry in ENTRIES}
_INTERNAL = re.compile(r"internal ?server", re.IGNORECASE)
_NO_REASON = "Azure gave no reason."
# Of what the catalogue does not know, so many texts of so many characters each are repeated.
_MOST_WORDS, _LONGEST_WORDS = 6, 1000


@dataclass(frozen=True)
class Cause:
    """What was found in the answers to one failure: the entry, the facts that the words give, and whose words they are.

    ``adds`` is what Azure says besides, further in.
    """

    entry: Entry
    facts: Mapping[str, str]
    answer: AzureAnswer
    adds: str = ""


def explain(situation: str, answers: Sequence[AzureAnswer], facts: Mapping[str, str]) -> Problem:
    """The problem that Azure's answers stand for in a situation.

    ``answers`` are all that Azure said of one failure, outermost first: the first one known decides, unless its words
    may stand around a cause further in (``Entry.vague``). When none is, the problem is the situation's generic one and
    repeats what they say.
    """
    cause = cause_of(situation, answers, facts)
    if cause is not None:
        return problem_of_cause(cause, facts)
    said = repeated(answers)
    words = {**facts, "said": said} if said else facts
    return problem_of(GENERIC[situation], words, closest(answers))


def problem_of_cause(cause: Cause, facts: Mapping[str, str]) -> Problem:
    """The problem of a cause that was found."""
    problem = problem_of(cause.entry, {**facts, **cause.facts}, cause.answer)
    return replace(problem, message=f"{problem.message} Azure adds: {cause.adds}") if cause.adds else problem


def cause_of(situation: str, answers: Sequence[AzureAnswer], facts: Mapping[str, str]) -> Cause | None:
    """What the answers, outermost first, stand for in a situation; None when the catalogue knows none of them."""
    known = [(at, each) for at, answer in enumerate(answers) for each in _meanings(situation, answer, facts)]
    for at, (entry, said) in known:
        if entry.vague is None:
            return Cause(entry, said, _with_ids(answers[at], answers))
    # Who stands around a cause and asks for patience in the same words is waited for.
    patient = {at for at, (entry, _) in known if entry.transient}
    for at, (entry, said) in known:
        if entry.vague == WRAPPER and not entry.transient and at in patient:
            continue
        further = [each for each in answers[at + 1 :] if not says_nothing(each)]
        if entry.vague == WRAPPER or not (further or _says_otherwise(answers[at])):
            return Cause(entry, said, _with_ids(answers[at], answers), _joined(further, besides=answers[at]))
    return None


def _says_otherwise(answer: AzureAnswer) -> bool:
    """Whether an answer known by its code, which may mean anything, has words that mean something else."""
    return not says_nothing(answer) and _INTERNAL.search(answer.message or "") is None


def find(situation: str, answer: AzureAnswer, facts: Mapping[str, str]) -> tuple[Entry, dict[str, str]] | None:
    """The entry of an answer of Azure, with the facts that its words give; None when the catalogue has none."""
    found = _meanings(situation, answer, facts)
    return next((each for each in found if each[0].vague is None), found[0]) if found else None


def _meanings(situation: str, answer: AzureAnswer, facts: Mapping[str, str]) -> list[tuple[Entry, dict[str, str]]]:
    """Every entry that knows an answer, the situation's own first; by its status alone only where no other does."""
    *by_words, by_status = tiers(situation)
    found = [each for tier in by_words for each in _matching(tier, answer, facts)]
    return found or _matching(by_status, answer, facts)


def repeated(answers: Sequence[AzureAnswer]) -> str:
    """What answers say that the catalogue does not know, in one text; empty when they name no cause."""
    return _joined([each for each in answers if not says_nothing(each)])


def closest(answers: Sequence[AzureAnswer]) -> AzureAnswer | None:
    """The answer that is closest to the cause: the last that says more than that something failed."""
    telling = [each for each in answers if not says_nothing(each)]
    return _with_ids((telling or list(answers[:1]))[-1], answers) if answers else None


def _with_ids(answer: AzureAnswer, answers: Sequence[AzureAnswer]) -> AzureAnswer:
    """An answer with the ids of its request: of several, the outermost alone has them."""
    ids = next((each for each in answers if each.request_id or each.correlation_id), None)
    if ids is None or answer.request_id or answer.correlation_id:
        return answer
    return replace(answer, request_id=ids.request_id, correlation_id=ids.correlation_id)


def _joined(answers: Sequence[AzureAnswer], besides: AzureAnswer | None = None) -> str:
    """The words of several answers, each once; JSON gives way to what was read in it."""
    said: list[str] = []
    for answer in answers:
        words = (answer.message or "").strip()[:_LONGEST_WORDS]
        if not words or (besides is not None and words in (besides.message or "")):
            continue
        holding = [each for each in said if _bare(words) in _bare(each)]
        if not holding or any("{" in each for each in holding):
            said = [*(each for each in said if each not in holding), words]
    told = said if len(said) <= _MOST_WORDS else [*said[: _MOST_WORDS - 1], said[-1]]
    return " ".join([*(each if each[-1] in ".!?" else f"{each}." for each in told[:-1]), *told[-1:]])


def _bare(words: str) -> str:
    return words.replace("\\", "")


def tiers(situation: str) -> Iterator[tuple[Entry, ...]]:
    """Entries in the order in which they are asked: the situation's own, any request's, those by status alone."""
    yield tuple(e for e in _SPECIFIC if situation in e.situations)
    yield platform.ENTRIES
    yield platform.BY_STATUS


def make_problem(key: str, facts: Mapping[str, str], azure: AzureAnswer | None = None) -> Problem:
    """The problem of an entry that is known by its key: what Moor itself raises. Raises KeyError for another key."""
    return problem_of(_BY_KEY[key], facts, azure)


def problem_of(entry: Entry, facts: Mapping[str, str], azure: AzureAnswer | None) -> Problem:
    """An entry with its placeholders filled."""
    said = azure or AzureAnswer()
    words = {"said": said.message or _NO_REASON, "azure_code": said.code or "no code", **facts}
    return Problem(
        code=entry.code,
        message=fill_text(entry.cause, words),
        remedy=fill_text(entry.remedy, words),
        command=fill_command(entry.command, words),
        documentation=entry.documentation,
        transient=entry.transient,
        azure=azure,
    )


def _matching(
    entries: Sequence[Entry], answer: AzureAnswer, facts: Mapping[str, str]
) -> list[tuple[Entry, dict[str, str]]]:
    return [(e, found) for e in entries if (found := e.facts_in(answer, facts)) is not None]
