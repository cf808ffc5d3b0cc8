"""What a failed attach has left, with the command that removes it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.access.relay import HYBRID_CONNECTION
from domain.access.roles import ROLE_ASSIGNMENT
from domain.arm_ids import COMPUTE, EXTENSION, RELAY
from domain.cluster.objects import INSTANCE_TYPES, NAMESPACES, instance_type_id, namespace_id
from domain.operation.outcomes import Created
from domain.operation.record import Intent, Operation, StepRecord
from domain.operation.undo import compute_stays, left_of, undo_of
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
        {"kind": "reattach"},
        {"plan_only": True},
        {"created": ()},
        {"status": "Succeeded", "problem": None},
        {"status": "Running", "problem": None},
    ],
)
def test_others_have_no_undo(fields: dict[str, object]) -> None:
    assert undo_of(failed(**fields)) is None
