"""The order of a detach: a person and what uses the compute first, the call late, clean-up after it."""

from __future__ import annotations

from domain.operation.step_lists import DETACH, DETACH_PLAN
from domain.operation.steps import (
    APPROVAL,
    CANCEL_JOBS,
    CLAIM,
    COMPUTE_GONE,
    DELETE_ENDPOINTS,
    DETACH_COMPUTE,
    DRAIN,
    ENDPOINTS_GONE,
    EXTENSION_GONE,
    FIND_ORPHANS,
    NOTIFY,
    PAUSE_SCHEDULES,
    PLAN,
    PREFLIGHT,
    RECORD,
    RELEASE,
    REMOVE_EXTENSION,
    REMOVE_INSTANCE_TYPES,
    REMOVE_ROLES,
    RESOLVE,
    RESUME_SCHEDULES,
    SNAPSHOT,
    SURVEY,
)
from orchestrators.detach import detach, detach_plan
from tests.orchestrators.taking import STOP, check_end, check_plan, in_order, names, taken


def test_nothing_changes_before_preflight_nor_before_a_person_has_said_yes() -> None:
    assert DETACH[:5] == (CLAIM, RESOLVE, PREFLIGHT, SURVEY, APPROVAL)


def test_what_uses_the_compute_goes_before_the_compute() -> None:
    # A schedule that is not paused starts what has just been waited for.
    assert in_order(DETACH, PAUSE_SCHEDULES, CANCEL_JOBS, DRAIN, DETACH_COMPUTE)
    assert in_order(DETACH, DELETE_ENDPOINTS, ENDPOINTS_GONE, DETACH_COMPUTE)


def test_what_is_remembered_is_taken_down_while_it_is_there() -> None:
    assert in_order(DETACH, SNAPSHOT, DETACH_COMPUTE, COMPUTE_GONE, FIND_ORPHANS)


def test_roles_go_as_soon_as_the_compute_is_gone_whatever_becomes_of_the_rest() -> None:
    assert DETACH.index(REMOVE_ROLES) == DETACH.index(COMPUTE_GONE) + 1
    assert in_order(DETACH, FIND_ORPHANS, REMOVE_INSTANCE_TYPES, REMOVE_EXTENSION, EXTENSION_GONE, RECORD)
    for name in ("find_orphans", "remove_instance_types", "remove_extension", "extension_gone"):
        assert "remove_roles" in taken(detach, {name: STOP}), name


def test_while_the_compute_stays_its_roles_stay() -> None:
    for name in names(DETACH[: DETACH.index(REMOVE_ROLES)]):
        assert "remove_roles" not in taken(detach, {name: STOP}), name


def test_once_azure_detaches_nothing_cancels_it() -> None:
    after = DETACH[DETACH.index(COMPUTE_GONE) : DETACH.index(RESUME_SCHEDULES)]
    assert len(after) > 2
    assert [step.name for step in after if step.cancelable] == []
    before = DETACH[: DETACH.index(COMPUTE_GONE)]
    assert [step.name for step in before if not step.cancelable] == []


def test_record_notify_and_release_end_it_whatever_happened() -> None:
    check_end(detach, DETACH, RECORD, NOTIFY, RELEASE)


def test_after_a_failure_schedules_are_resumed_and_nothing_else_is_reverted() -> None:
    assert names([step for step in DETACH if step.undo]) == ["resume_schedules"]
    assert taken(detach, {"drain": STOP})[-4:] == ["resume_schedules", "record", "notify", "release"]
    assert "resume_schedules" not in taken(detach)


def test_jobs_that_came_since_are_cancelled_and_waited_for_again() -> None:
    told = taken(detach, {"drain": [{"kind": "back", "step": "cancel_jobs"}]})
    place = told.index("drain")
    assert told[place - 1 : place + 4] == ["cancel_jobs", "drain", "cancel_jobs", "drain", "delete_endpoints"]
    late = taken(detach, {"detach_compute": [{"kind": "back", "step": "drain"}]})
    again = late[late.index("detach_compute") + 1 :]
    assert again[:5] == ["drain", "delete_endpoints", "endpoints_gone", "snapshot", "detach_compute"]


def test_a_plan_only_looks() -> None:
    assert DETACH_PLAN == (RESOLVE, PREFLIGHT, SURVEY, PLAN, RECORD)
    check_plan(detach_plan, DETACH_PLAN)
