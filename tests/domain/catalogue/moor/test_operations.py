"""What ends or refuses an operation without Azure having said so."""

from __future__ import annotations

import pytest

from domain.catalogue.entry import MOOR, Entry
from domain.catalogue.moor import access, decisions, extension, operations
from tests.domain.catalogue.shelf import unraised

OTHERS = {*access.ENTRIES, *decisions.ENTRIES, *extension.ENTRIES}
OWN = [entry for entry in operations.ENTRIES if entry not in OTHERS]


@pytest.mark.parametrize("entry", OWN, ids=lambda e: e.key)
def test_what_moor_says_is_raised_by_it_alone_and_with_every_fact(entry: Entry) -> None:
    assert unraised(entry) == set()
    assert (entry.situations, entry.on) == ((MOOR,), ())


def test_the_shelves_of_moor_stand_together() -> None:
    assert set(operations.ENTRIES) - set(OWN) == OTHERS


def test_a_name_that_is_taken_is_told_apart_by_who_has_it() -> None:
    taken = {entry.variant: entry for entry in OWN if entry.code == "ComputeNameInUse"}
    assert set(taken) == {None, "legacy", "settings"}
    assert "detach the legacy compute first" in taken["legacy"].remedy
    assert taken["settings"].remedy.startswith("Reattach it")


def test_what_may_pass_alone_is_transient_and_nothing_else() -> None:
    assert {entry.code for entry in OWN if entry.transient} == {
        *("SmokeTestTimedOut", "DetachStuck", "OperationConflict", "DeadlineExceeded"),
        *("StepKeepsFailing", "RunTerminated", "RunKeepsStopping", "RunLost"),
    }


def test_a_command_that_asks_moor_names_the_operation_to_ask_for() -> None:
    asking = {entry.code: entry.command for entry in OWN if entry.command.startswith("curl")}
    holder = asking.pop("OperationConflict")
    assert "/api/operations/{holder}" in holder, "the one that has the compute, not the one that was refused"
    assert set(asking) == {"OperationCanceled", "PreflightFailed", "RunTerminated", "RunKeepsStopping", "RunLost"}
    for command in asking.values():
        assert "/api/operations/{operation}" in command
