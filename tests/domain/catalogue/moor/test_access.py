"""What Moor finds wrong with roles and with Azure Arc clusters."""

from __future__ import annotations

import pytest

from domain.catalogue.azure import attach
from domain.catalogue.entry import MOOR, Entry
from domain.catalogue.moor import access
from tests.domain.catalogue.shelf import unraised


@pytest.mark.parametrize("entry", access.ENTRIES, ids=lambda e: e.key)
def test_what_moor_says_is_raised_by_it_alone_and_with_every_fact(entry: Entry) -> None:
    assert unraised(entry) == set()
    assert (entry.situations, entry.on) == ((MOOR,), ())


def test_a_missing_role_goes_by_the_code_under_which_azures_false_names_are_explained() -> None:
    moor = next(entry for entry in access.ENTRIES if entry.variant == "moor")
    assert {moor.code} == {entry.code for entry in attach.ROLES}
    assert "--assignee-object-id {principal} " in moor.command
    assert "would fail the attach" in moor.cause


def test_a_relay_is_made_again_by_an_attach() -> None:
    relays = [entry for entry in access.ENTRIES if entry.code.startswith("Relay")]
    assert [entry.code for entry in relays] == ["RelayFailed", "RelayNotOwn", "RelayGone"]
    for entry in relays:
        assert "start the attach again" in entry.remedy.lower()


def test_nothing_here_passes_alone() -> None:
    assert [entry.key for entry in access.ENTRIES if entry.transient] == []
