"""From what Azure says to the problem that a person reads: the true cause first, Azure's own words second."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from domain.catalogue.azure import (
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
    Entry,
    fill_command,
    fill_text,
)
from domain.catalogue.moor import cluster as cluster_api
from domain.catalogue.moor import operations as own
from domain.problems import AzureAnswer, Problem

_SPECIFIC = (*attach.ENTRIES, *health.ENTRIES, *extension.ENTRIES, *jobs.ENTRIES, *endpoints.ENTRIES)
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
_NO_REASON = "Azure gave no reason."


def explain(situation: str, answers: Sequence[AzureAnswer], facts: Mapping[str, str]) -> Problem:
    """The problem that Azure's answers stand for in a situation.

    ``answers`` are all that Azure said of one failure, outermost first: the first one known decides. When none is, the
    problem is the situation's generic one and repeats the first.
    """
    for answer in answers:
        found = find(situation, answer, facts)
        if found is not None:
            return problem_of(found[0], {**facts, **found[1]}, answer)
    return problem_of(GENERIC[situation], facts, answers[0] if answers else None)


def find(situation: str, answer: AzureAnswer, facts: Mapping[str, str]) -> tuple[Entry, dict[str, str]] | None:
    """The entry of an answer of Azure, with the facts that its words give; None when the catalogue has none."""
    return next((matching[0] for tier in tiers(situation) if (matching := _matching(tier, answer, facts))), None)


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
