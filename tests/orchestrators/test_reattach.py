"""The order of a reattach: the rules of a detach, then those of an attach, and no way back in between."""

from __future__ import annotations

from domain.operation.step_lists import ATTACH, DETACH, REATTACH, REATTACH_PLAN
from domain.operation.steps import (
    APPROVAL,
    CLAIM,
    CLEANUP_LEGACY,
    ENSURE_RELAY,
    FIND_ORPHANS,
    INSTALL_EXTENSION,
    KEEP_TLS_SECRET,
    NOTIFY,
    PLAN,
    PREFLIGHT,
    RECORD,
    RELEASE,
    RESOLVE,
    SURVEY,
)
from orchestrators.reattach import reattach, reattach_plan
from tests.orchestrators.taking import STOP, check_end, check_plan, in_order, names, taken

RESUME = next(step for step in REATTACH if step.name == "resume_schedules")
_SECOND = REATTACH.index(ENSURE_RELAY)
FIRST_HALF, SECOND_HALF = REATTACH[:_SECOND], REATTACH[_SECOND : REATTACH.index(RESUME)]


def test_nothing_changes_before_preflight_of_both_halves_nor_before_a_person_has_said_yes() -> None:
    assert REATTACH[:5] == (CLAIM, RESOLVE, PREFLIGHT, SURVEY, APPROVAL)


def test_the_first_half_is_a_detach_that_remembers_what_it_attaches_again() -> None:
    of_a_detach = DETACH[: DETACH.index(FIND_ORPHANS) + 1]
    # The compute comes back: its roles stay.
    assert names(FIRST_HALF) == [name for name in names(of_a_detach) if name not in ("snapshot", "remove_roles")]


def test_the_second_half_is_an_attach_of_what_was_there() -> None:
    of_an_attach = [step.name for step in ATTACH if not step.undo and not step.always]
    begins = of_an_attach.index("ensure_relay")
    kept = [name for name in names(SECOND_HALF) if name != "keep_tls_secret"]
    # Providers are registered already, and a reattach takes no smoke test.
    assert kept == [name for name in of_an_attach[begins:] if name not in ("smoke_test", "smoke_test_done")]
    assert in_order(REATTACH, KEEP_TLS_SECRET, CLEANUP_LEGACY, INSTALL_EXTENSION)


def test_nothing_is_reverted_and_schedules_are_resumed_whatever_happened() -> None:
    assert [step.name for step in REATTACH if step.undo] == []
    check_end(reattach, REATTACH, RESUME, RECORD, NOTIFY, RELEASE)
    assert taken(reattach, {"drain": STOP})[-4:] == ["resume_schedules", "record", "notify", "release"]


def test_the_second_half_is_taken_only_after_the_first() -> None:
    for step in FIRST_HALF:
        assert {*taken(reattach, {step.name: STOP})} & {*names(SECOND_HALF)} == set()


def test_a_plan_only_looks() -> None:
    assert REATTACH_PLAN == (RESOLVE, PREFLIGHT, SURVEY, PLAN, RECORD)
    check_plan(reattach_plan, REATTACH_PLAN)
