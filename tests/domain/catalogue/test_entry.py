"""What it takes to recognise an entry, and how its texts are filled."""

from __future__ import annotations

import time

import pytest

from domain.catalogue.entry import Entry, Match, Sample, coded, fill_command, fill_text, worded
from domain.catalogue.explain import ENTRIES
from domain.problems import AzureAnswer

SAID = AzureAnswer("Conflict", "Compute 'gpu' of kind <b>\nis busy.", 409)


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        (Match(), True),
        (coded("Conflict"), True),
        (coded("Other", "CONFLICT"), True),
        (coded("Other"), False),
        (worded("IS busy"), True),
        (worded(r"compute.*busy"), True),
        (worded(r"^is busy"), False),
        (worded("idle"), False),
        (Match(statuses=(408, 409)), True),
        (Match(statuses=(408,)), False),
        (Match(codes=("Conflict",), text="idle"), False),
        (Match(codes=("Conflict",), statuses=(200,)), False),
        (Match(text="busy", given=("known",)), True),
        (Match(text="busy", given=("known", "unknown")), False),
        (Match(text="busy", unless=("unknown",)), True),
        (Match(text="busy", unless=("unknown", "known")), False),
    ],
)
def test_every_part_of_a_match_has_to_fit(match: Match, fits: bool) -> None:
    assert (match.facts_in(SAID, {"known": "yes"}) is not None) is fits


def test_named_groups_become_facts_and_those_without_words_do_not() -> None:
    match = worded(r"compute '(?P<compute>\w+)'(?P<nothing>x?)(?: at (?P<place>\w+))?")
    assert match.facts_in(SAID, {}) == {"compute": "gpu"}


def test_an_answer_without_code_or_words_fits_neither() -> None:
    silent = AzureAnswer()
    assert coded("Conflict").facts_in(silent, {}) is None
    assert worded("busy").facts_in(silent, {}) is None


def test_the_first_match_that_fits_gives_the_facts() -> None:
    matches = (coded("Other"), worded(r"(?P<how>busy)"), worded(r"(?P<what>compute)"))
    entry = Entry("A", ("attach",), "c", "r.", "az", on=matches)
    assert entry.facts_in(SAID, {}) == {"how": "busy"}
    assert Entry("A", ("attach",), "c", "r.", "az").facts_in(SAID, {}) is None


def test_entries_that_share_a_code_have_keys_of_their_own() -> None:
    assert Entry("A", (), "c", "r.", "az").key == "A"
    assert Entry("A", (), "c", "r.", "az", variant="other").key == "A-other"


def test_a_sample_is_an_answer() -> None:
    assert Sample("Conflict", "busy", 409).answer == AzureAnswer("Conflict", "busy", 409)


@pytest.mark.parametrize("facts", [{}, {"some_scope": ""}])
def test_what_is_not_known_stays_as_its_name(facts: dict[str, str]) -> None:
    assert fill_text("It is {some_scope}.", facts) == "It is <some-scope>."
    assert fill_command("az x --scope {some_scope}", facts) == "az x --scope <some-scope>"


def test_a_fact_is_not_a_template() -> None:
    assert fill_text("It is {a}.", {"a": "{b}", "b": "x"}) == "It is {b}."
    assert fill_command("az {a}", {"a": "{b}", "b": "x"}) == "az '{b}'"


def test_what_azure_can_tell_is_looked_up_by_the_command() -> None:
    command = "az role assignment list --assignee {workspace_principal}"
    assert fill_command(command, {"workspace_principal": "p-1"}).endswith("--assignee p-1")
    looked_up = fill_command(command, {"workspace_id": "/subscriptions/s/w"})
    assert "--assignee $(az resource show --ids /subscriptions/s/w --query " in looked_up
    assert looked_up.endswith("--output tsv)")


def test_facts_are_quoted_in_commands() -> None:
    assert fill_command("az x --scope {scope}", {"scope": "/a b'; rm -rf /"}) == "az x --scope '/a b'\"'\"'; rm -rf /'"
    assert fill_command("az x --scope {some_scope}", {}) == "az x --scope <some-scope>"


@pytest.mark.parametrize("words", ["x", "compute ", "policyAssignmentName: ", "version ", "service principal ", " '"])
def test_a_long_text_takes_no_time_to_speak_of(words: str) -> None:
    """A minute and more for one of these, before what may stand between two words was bounded."""
    said, began = AzureAnswer("X", words * (200_000 // len(words))), time.process_time()
    for entry in ENTRIES:
        entry.facts_in(said, {})
    assert time.process_time() - began < 10
