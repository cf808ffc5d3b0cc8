"""The order of an attach: nothing changes before preflight, what something needs comes first, undo goes backwards."""

from __future__ import annotations

from activities.registry import BINDINGS
from domain.operation.step_lists import ATTACH, ATTACH_PLAN
from domain.operation.steps import (
    APPLY_INSTANCE_TYPES,
    ATTACH_COMPUTE,
    CLAIM,
    CLEANUP_LEGACY,
    COMPONENTS_HEALTHY,
    COMPUTE_READY,
    ENSURE_NAMESPACE,
    ENSURE_RELAY,
    EXTENSION_READY,
    FAILED_COMPUTE_GONE,
    GRANT_COMPUTE_ROLES,
    GRANT_WORKSPACE_ROLES,
    INSTALL_EXTENSION,
    NOTIFY,
    PLAN,
    PREFLIGHT,
    PROVIDERS_REGISTERED,
    READ_BY_SDK,
    RECORD,
    REGISTER_PROVIDERS,
    RELEASE,
    REMOVE_FAILED_COMPUTE,
    RESOLVE,
    SMOKE_TEST,
    SMOKE_TEST_DONE,
)
from orchestrators.attach import attach, attach_plan
from tests.orchestrators.taking import STOP, check_end, check_plan, in_order, names, taken


def test_nothing_changes_before_preflight() -> None:
    assert ATTACH[:3] == (CLAIM, RESOLVE, PREFLIGHT)


def test_each_step_comes_after_what_it_needs() -> None:
    assert in_order(ATTACH, REGISTER_PROVIDERS, INSTALL_EXTENSION, EXTENSION_READY, COMPONENTS_HEALTHY)
    # The extension is given the relay's connection string, and fails over what v1 has left.
    assert in_order(ATTACH, ENSURE_RELAY, INSTALL_EXTENSION)
    assert in_order(ATTACH, CLEANUP_LEGACY, INSTALL_EXTENSION)
    # Roles spread while the extension is being installed.
    assert in_order(ATTACH, GRANT_WORKSPACE_ROLES, INSTALL_EXTENSION)
    assert in_order(ATTACH, COMPONENTS_HEALTHY, APPLY_INSTANCE_TYPES, ATTACH_COMPUTE)
    assert in_order(ATTACH, ENSURE_NAMESPACE, ATTACH_COMPUTE)
    assert in_order(ATTACH, REMOVE_FAILED_COMPUTE, FAILED_COMPUTE_GONE, ATTACH_COMPUTE, COMPUTE_READY)
    assert in_order(ATTACH, REGISTER_PROVIDERS, PROVIDERS_REGISTERED, ENSURE_RELAY)
    # The compute's own identity exists once the compute does.
    assert in_order(ATTACH, COMPUTE_READY, GRANT_COMPUTE_ROLES, SMOKE_TEST, SMOKE_TEST_DONE)


def test_record_notify_and_release_end_it_whatever_happened() -> None:
    check_end(attach, ATTACH, RECORD, NOTIFY, RELEASE)


def test_what_only_informs_comes_before_the_end_is_recorded_and_fails_nothing() -> None:
    assert in_order(ATTACH, COMPUTE_READY, SMOKE_TEST_DONE, READ_BY_SDK, RECORD, NOTIFY, RELEASE)
    assert (READ_BY_SDK.always, READ_BY_SDK.undo, READ_BY_SDK.cancelable) == (False, False, False)


def test_what_it_made_is_reverted_backwards() -> None:
    does = [step.name for step in ATTACH if not step.undo]
    reverts = {binding.step.name: binding.undo.name for binding in BINDINGS if binding.undo is not None}
    # By the first step that makes something of the kind: roles are granted by two.
    expected = list(dict.fromkeys(reverts[name] for name in does if name in reverts))[::-1]
    undo = [step.name for step in ATTACH if step.undo]
    assert len(undo) > 2
    # Roles do not wait for their turn: what follows the compute may fail, and they would stay.
    roles, compute = "undo_roles", "undo_compute"
    assert [name for name in undo if name != roles] == [name for name in expected if name != roles]
    assert undo.index(roles) == undo.index(compute) + 1
    # All of it is reverted, whatever step has failed, before the end is recorded.
    assert taken(attach, {"preflight": STOP}) == ["claim", "resolve", "preflight", *undo, "record", "notify", "release"]


def test_an_undo_that_fails_keeps_no_other_from_being_done() -> None:
    undo = [step.name for step in ATTACH if step.undo]
    told = taken(attach, {"preflight": STOP, **dict.fromkeys(undo, STOP)})
    assert told == ["claim", "resolve", "preflight", *undo, "record", "notify", "release"]


def test_a_compute_that_failed_is_removed_and_attached_again() -> None:
    told = taken(attach, {"compute_ready": [{"kind": "back", "step": "remove_failed_compute"}]})
    place = told.index("compute_ready")
    again = ["remove_failed_compute", "failed_compute_gone", "attach_compute", "compute_ready"]
    assert told[place - 3 : place + 5] == again * 2
    assert told[place + 5 :] == names([step for step in ATTACH[ATTACH.index(COMPUTE_READY) + 1 :] if not step.undo])


def test_steps_that_the_request_does_not_need_are_not_taken() -> None:
    left_out = ["ensure_relay", "smoke_test", "undo_smoke_test"]
    told = taken(attach, {"claim": {"kind": "done", "leftOut": left_out}, "compute_ready": STOP})
    assert {*told} & {*left_out} == set()
    assert "undo_compute" in told


def test_a_plan_only_looks() -> None:
    assert ATTACH_PLAN == (RESOLVE, PREFLIGHT, PLAN, RECORD)
    check_plan(attach_plan, ATTACH_PLAN)
