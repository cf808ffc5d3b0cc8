"""What a failed operation has left, with the command that reverts it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.access.relay import HYBRID_CONNECTION
from domain.access.roles import ROLE_ASSIGNMENT
from domain.arm_ids import COMPUTE, EXTENSION, RELAY, SCHEDULE
from domain.cluster.objects import INSTANCE_TYPES, NAMESPACES, instance_type_id, namespace_id
from domain.operation.codec import encode
from domain.operation.outcomes import Created
from domain.operation.record import Intent, Operation, StepRecord
from domain.operation.results import ExtensionSent, StillPaused
from domain.operation.undo import compute_stays, left_of, may_be_reverted, undo_of
from domain.problems import Problem
from tests.making import CLUSTER_ID, NOW, WORKSPACE_ID, make_operation

COMPUTE_ID = f"{WORKSPACE_ID}/computes/gpu"
EXTENSION_ID = f"{CLUSTER_ID}/providers/{EXTENSION}/azureml"
ROLE_ID = f"{CLUSTER_ID}/providers/{ROLE_ASSIGNMENT}/3c1f"
NAMESPACE_ID = namespace_id(make_operation().cluster, "ml")
TYPE_ID = instance_type_id(make_operation().cluster, "big")
MADE = tuple(
    Created(kind, target)
    for kind, target in ((EXTENSION, EXTENSION_ID), (ROLE_ASSIGNMENT, ROLE_ID), (COMPUTE, COMPUTE_ID))
)


def failed(*steps: tuple[str, str], **fields: object) -> Operation:
    records = tuple(StepRecord(name, "until", status) for name, status in steps)
    given = {"status": "Failed", "problem": Problem("C", "no"), "created": MADE, "steps": records, **fields}
    return make_operation(**given)


REVERTED = [(name, "Succeeded") for name in ("undo_compute", "undo_roles", "undo_extension")]


def test_an_undo_that_saw_to_everything_is_done() -> None:
    undone = tuple(replace(made, undone=True) for made in MADE)
    for operation in (failed(*REVERTED), failed(created=undone)):
        undo = undo_of(operation)
        assert undo is not None
        assert (undo.status, undo.left) == ("Done", ())


def test_one_that_was_cut_short_says_what_is_left_in_order_with_the_command() -> None:
    undo = undo_of(failed(REVERTED[0], ("undo_roles", "Failed")))
    assert undo is not None
    assert undo.status == "Incomplete"
    assert [(left.type, left.id, left.command) for left in undo.left] == [
        (ROLE_ASSIGNMENT, ROLE_ID, f"az role assignment delete --ids {ROLE_ID}"),
        (
            EXTENSION,
            EXTENSION_ID,
            "az k8s-extension delete --name azureml --cluster-name aks --resource-group rg "
            "--cluster-type managedClusters --yes",
        ),
    ]


def test_where_the_compute_stays_its_roles_are_named_with_it() -> None:
    operation = failed(("undo_compute", "Failed"), ("undo_roles", "Skipped"), ("undo_extension", "Succeeded"))
    undo = undo_of(operation)
    assert undo is not None
    assert compute_stays(operation)
    assert (undo.status, [left.type for left in undo.left]) == ("Incomplete", [COMPUTE, ROLE_ASSIGNMENT])
    assert undo.left[0].command == "az ml compute detach --name gpu --workspace-name ws --resource-group rg"
    assert not compute_stays(failed(("undo_compute", "Succeeded")))


def test_what_is_kept_on_purpose_is_not_cut_short() -> None:
    steps = [("undo_compute", "Skipped"), ("undo_roles", "Skipped"), ("undo_extension", "Succeeded")]
    for operation in (failed(*steps), failed(request={"onFailure": "keep"})):
        undo = undo_of(operation)
        assert undo is not None
        assert undo.status == "Kept"
    unreachable = replace(failed(*steps).steps[0], cut_short=True)
    undo = undo_of(failed(*steps).with_step(unreachable))
    assert undo is not None
    assert undo.status == "Incomplete"


def test_what_was_only_set_out_may_have_got_through() -> None:
    intents = (Intent("create", COMPUTE_ID, NOW), Intent("delete", EXTENSION_ID, NOW), Intent("create", "/x", NOW))
    step = StepRecord("attach_compute", "do", "Running", intents=intents)
    operation = failed(created=(), steps=(step,))
    assert [left.id for left in left_of(operation)] == [COMPUTE_ID]
    assert left_of(operation.with_step(StepRecord("undo_compute", "until", "Succeeded"))) == ()


def test_objects_of_the_cluster_and_relays_have_commands_of_their_own() -> None:
    relay = f"/subscriptions/s/resourceGroups/rg/providers/{RELAY}/r"
    made = (
        *(Created(RELAY, relay), Created(HYBRID_CONNECTION, f"{relay}/hybridConnections/h")),
        *(Created(NAMESPACES, NAMESPACE_ID), Created(INSTANCE_TYPES, TYPE_ID)),
    )
    assert [left.command for left in left_of(failed(created=made))] == [
        "kubectl delete instancetype big",
        "kubectl delete namespace ml",
        f"az resource delete --ids {relay}/hybridConnections/h",
        f"az resource delete --ids {relay}",
    ]
    tried = (StepRecord("ensure_namespace", "do", intents=(Intent("create", NAMESPACE_ID, NOW),)),)
    assert [left.type for left in left_of(failed(created=(), steps=tried))] == [NAMESPACES]


def test_a_job_counts_until_it_has_ended() -> None:
    job = StepRecord("smoke_test", "do", intents=(Intent("create", f"{WORKSPACE_ID}/jobs/moor-1", NOW),))
    left = left_of(failed(created=(), steps=(job,)))
    assert [each.command for each in left] == [
        "az ml job cancel --name moor-1 --workspace-name ws --resource-group rg",
    ]
    for over in ("undo_smoke_test", "smoke_test_done"):
        assert left_of(failed((over, "Succeeded"), created=()).with_step(job)) == ()


def test_while_it_reverts_it_is_running() -> None:
    undo = undo_of(failed(("undo_compute", "Waiting"), status="Undoing"))
    assert undo is not None
    assert (undo.status, len(undo.left)) == ("Running", 3)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "detach"},
        {"plan_only": True},
        {"created": ()},
        {"status": "Succeeded", "problem": None},
        {"status": "Running", "problem": None},
    ],
)
def test_others_have_no_undo(fields: dict[str, object]) -> None:
    assert undo_of(failed(**fields)) is None


SCHEDULES = [f"{WORKSPACE_ID}/schedules/{name}" for name in ("nightly", "weekly")]
PAUSED = StepRecord("pause_schedules", "do", "Succeeded", intents=tuple(Intent("stop", i, NOW) for i in SCHEDULES))


def detaching(*steps: StepRecord, **fields: object) -> Operation:
    given = {"kind": "detach", "created": (), "steps": (PAUSED, *steps), **fields}
    return failed(**given)


def resumed(status: str, **fields: object) -> StepRecord:
    return replace(StepRecord("resume_schedules", "do", status), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["detach", "reattach"])
@pytest.mark.parametrize(
    ("steps", "status", "left"),
    [
        ((), "Incomplete", SCHEDULES),  # Nobody came to enable them.
        ((resumed("Failed"),), "Incomplete", SCHEDULES),
        ((resumed("Failed", progress=encode(StillPaused((SCHEDULES[1],)))),), "Incomplete", SCHEDULES[1:]),
        ((resumed("Skipped", cut_short=True),), "Incomplete", SCHEDULES),
        ((resumed("Skipped"),), "Kept", SCHEDULES),  # The compute is gone.
        ((resumed("Succeeded", progress=encode(StillPaused((SCHEDULES[1],)))),), "Done", []),
    ],
)
def test_schedules_that_stay_paused_are_named(
    kind: str, steps: tuple[StepRecord, ...], status: str, left: list[str]
) -> None:
    for end in ("Failed", "Canceled"):
        undo = undo_of(detaching(*steps, kind=kind, status=end))
        assert undo is not None
        assert (undo.status, [each.id for each in undo.left]) == (status, left)
        assert {each.type for each in undo.left} <= {SCHEDULE}


def test_a_schedule_is_enabled_by_a_command() -> None:
    command = "az ml schedule enable --name nightly --workspace-name ws --resource-group rg"
    assert left_of(detaching())[0].command == command


def test_what_a_detach_was_set_out_to_pause_counts_while_it_is_at_work_and_none_when_it_succeeded() -> None:
    undo = undo_of(detaching(steps=(replace(PAUSED, status="Running"),), status="Undoing"))
    assert undo is not None
    assert (undo.status, [each.id for each in undo.left]) == ("Running", SCHEDULES)
    assert undo_of(detaching(status="Succeeded", problem=None)) is None
    assert undo_of(detaching(steps=())) is None


def test_what_a_reattach_made_is_kept_for_its_retry_and_named() -> None:
    operation = failed(kind="reattach")
    undo = undo_of(operation)
    assert undo is not None
    assert (undo.status, [left.type for left in undo.left]) == ("Kept", [COMPUTE, ROLE_ASSIGNMENT, EXTENSION])
    assert [may_be_reverted(operation, left) for left in undo.left] == [False] * 3


def test_an_instance_type_that_was_changed_is_changed_back() -> None:
    step = StepRecord("apply_instance_types", "do", "Succeeded", intents=(Intent("update", TYPE_ID, NOW),))
    tried = StepRecord("undo_instance_types", "until", "Failed", intents=(Intent("update", TYPE_ID, NOW),))
    for steps in ((step,), (step, tried)):
        undo = undo_of(failed(created=(), steps=steps))
        assert undo is not None
        (left,) = undo.left
        assert (undo.status, left.id) == ("Incomplete", TYPE_ID)
        assert left.command.startswith("kubectl get instancetype big --output json | jq '.spec = (")
    assert undo_of(failed(created=(), steps=(step, replace(tried, status="Succeeded")))).status == "Done"  # type: ignore[union-attr]


def test_a_change_of_the_extension_stays_and_is_named() -> None:
    changed = StepRecord("install_extension", "do", "Succeeded", intents=(Intent("update", EXTENSION_ID, NOW),))
    place = "--name azureml --cluster-name aks --resource-group rg --cluster-type managedClusters"
    skipped = StepRecord("undo_extension", "until", "Skipped")
    for replaced, command in (
        ({}, f"az k8s-extension show {place}"),
        ({"added": None}, f"az k8s-extension show {place}"),
        (
            {"added": None, "b": "x y", "a": "1"},
            f"az k8s-extension update {place} --configuration-settings a=1 'b=x y' --yes",
        ),
    ):
        sent = encode(ExtensionSent(EXTENSION_ID, updated=True, replaced=replaced))
        undo = undo_of(failed(created=(), steps=(replace(changed, value=sent), skipped)))
        assert undo is not None
        assert (undo.status, [left.command for left in undo.left]) == ("Kept", [command])
