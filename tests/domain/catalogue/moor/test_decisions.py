"""What ends an operation because a person said no, or said nothing."""

from __future__ import annotations

import pytest

from domain.catalogue.entry import MOOR, Entry
from domain.catalogue.moor import decisions
from tests.domain.catalogue.shelf import unraised

# ApprovalTimedOut is raised under a name.
NAMED = "NO_ANSWER_CODE"


@pytest.mark.parametrize("entry", decisions.ENTRIES, ids=lambda e: e.key)
def test_what_moor_says_is_raised_by_it_alone_and_with_every_fact(entry: Entry) -> None:
    assert unraised(entry, NAMED if entry.code == "ApprovalTimedOut" else "") == set()
    assert (entry.situations, entry.on) == ((MOOR,), ())


@pytest.mark.parametrize("entry", decisions.ENTRIES, ids=lambda e: e.key)
def test_a_person_may_decide_again(entry: Entry) -> None:
    assert "/api/operations/{operation}/retry" in entry.command
    assert "retry" in entry.remedy.lower()
    assert not entry.transient, "a decision does not pass alone"


def test_more_time_is_asked_for_by_the_field_that_gives_it() -> None:
    remedies = {entry.code: entry.remedy for entry in decisions.ENTRIES}
    assert "workloads.deadline" in remedies["DrainDeadlineExceeded"]
    assert "approvalTimeout" in remedies["ApprovalTimedOut"]
