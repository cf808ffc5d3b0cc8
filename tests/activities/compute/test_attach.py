"""When Azure ML is asked for the compute, what it is asked for, and what becomes of an attach that fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from activities.compute import attach as module
from activities.compute.attach import (
    attach_compute,
    compute_ready,
    planned_attach,
    remove_failed_compute,
    undo_compute,
)
from activities.runtime.step import StepAtWork
from domain.arm_ids import COMPUTE
from domain.operation.codec import encode
from domain.operation.outcomes import Again, Back, Created, Done, Outcome, Stop
from domain.operation.record import Intent, StepRecord
from domain.operation.results import ComponentsSeen, ComputeReady, Resolved
from domain.problems import AzureAnswer
from gateways import clock
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer
from gateways.azure.long_running import OVER, WAITING, Progress
from tests.activities.making import FakeArm, Intents, at_work, watch_intents
from tests.making import CLUSTER_ID, NOW, WORKSPACE_ID

TARGET = f"{WORKSPACE_ID}/computes/gpu"
OTHER_CLUSTER = CLUSTER_ID.replace("/aks", "/other")
USER = CLUSTER_ID.replace("Microsoft.ContainerService/managedClusters/aks", "Microsoft.ManagedIdentity/x/user")
RESOLVED = Resolved(location="westeurope")
# What Azure ML says of an attach whose workspace lacks a role; and of one whose namespace is not there.
NO_ROLE = AzureAnswer("BadRequest", "AKS role check failed for user assigned identity.", 400)
OTHER = AzureAnswer("UserError", "Something else is wrong.", 400)
SHORT, LONG = timedelta(minutes=3), timedelta(hours=1)


def compute(state: str = "Succeeded", cluster: str = CLUSTER_ID, namespace: str = "default") -> dict[str, Any]:
    properties = {"computeType": "Kubernetes", "provisioningState": state, "resourceId": cluster}
    return {"id": TARGET, "properties": {**properties, "properties": {"namespace": namespace}}}


@pytest.fixture
def intents(monkeypatch: pytest.MonkeyPatch) -> Intents:
    return watch_intents(monkeypatch)


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> FakeArm:
    return FakeArm().install(monkeypatch)


def resolved(value: Resolved = RESOLVED) -> StepRecord:
    return StepRecord("resolve", "do", "Succeeded", value=encode(value))


def granted(ago: timedelta) -> StepRecord:
    """The step that granted a role so long ago."""
    role = f"{CLUSTER_ID}/providers/Microsoft.Authorization/roleAssignments/r"
    intents = (Intent("create", role, clock.now() - ago),)
    return StepRecord("grant_workspace_roles", "do", "Succeeded", intents=intents)


def attaching(*earlier: StepRecord, sent: datetime | None = None, **request: Any) -> StepAtWork:
    """The attach, after an attempt that was cut short then."""
    step = at_work("attach_compute", earlier=(resolved(), *earlier), request={"namespace": "default", **request})
    if sent is None:
        return step
    record = replace(step.record, intents=(Intent("create", TARGET, sent),))
    return replace(step, operation=step.operation.with_step(record))


# --- attach_compute


def test_the_cluster_is_attached_as_asked(azure: FakeArm, intents: Intents) -> None:
    told = attach_compute(attaching(description="the pool", tags={"team": "vision"}))
    assert told == Done(created=(Created(COMPUTE, TARGET),))
    assert azure.calls == [("PUT", TARGET)]
    assert intents == [("create", TARGET)]
    assert azure.bodies[TARGET] == {
        "location": "westeurope",
        "tags": {"team": "vision"},
        "properties": {
            "computeType": "Kubernetes",
            "computeLocation": "westeurope",
            "resourceId": CLUSTER_ID,
            "properties": {"namespace": "default"},
            "description": "the pool",
        },
    }


def test_the_operation_that_azure_has_begun_is_kept(monkeypatch: pytest.MonkeyPatch, azure: FakeArm) -> None:
    watch_intents(monkeypatch)
    monkeypatch.setattr(arm, "put", lambda *_: ArmAnswer(201, {}, operation_url="https://x/1"))
    told = attach_compute(attaching())
    assert isinstance(told, Done)
    assert told.operation_url == "https://x/1"


@pytest.mark.parametrize(
    ("identity", "sent"),
    [
        (None, None),
        ({"type": "SystemAssigned"}, {"type": "SystemAssigned"}),
        (
            {"type": "UserAssigned", "userAssignedIdentityId": USER},
            {"type": "UserAssigned", "userAssignedIdentities": {USER: {}}},
        ),
    ],
    ids=["none", "its own", "one of a user"],
)
def test_with_the_identity_that_is_asked_for(azure: FakeArm, intents: Intents, identity: Any, sent: Any) -> None:
    attach_compute(attaching(identity=identity))
    assert azure.bodies[TARGET].get("identity") == sent


def test_instance_types_are_those_asked_for_or_else_those_that_stay(azure: FakeArm, intents: Intents) -> None:
    size = {"cpu": "2", "memory": "4Gi"}
    asked = {"name": "small", "nodeSelector": {}, "resources": {"requests": size, "limits": size}}
    kept = replace(RESOLVED, kept_instance_types={"big": {"nodeSelector": {"pool": "gpu"}}})
    attach_compute(attaching(resolved(kept), instanceTypes=[asked], defaultInstanceType="small"))
    sent = azure.bodies.pop(TARGET)["properties"]["properties"]
    assert (sent["defaultInstanceType"], [*sent["instanceTypes"]]) == ("small", ["small"])
    step = at_work("attach_compute", earlier=(resolved(kept),), request={"namespace": "default"})
    attach_compute(step)
    sent = azure.bodies[TARGET]["properties"]["properties"]
    assert sent == {"namespace": "default", "instanceTypes": {"big": {"nodeSelector": {"pool": "gpu"}}}}


def test_a_compute_that_exists_already_is_not_made(azure: FakeArm, intents: Intents) -> None:
    azure.bodies[TARGET] = compute()
    assert attach_compute(attaching()) == Done(detail="the compute exists already")
    # But for one that an earlier attempt of the step made, be it that it failed.
    got_through = Done(detail="an earlier attempt of this step got through", created=(Created(COMPUTE, TARGET),))
    assert attach_compute(attaching(sent=NOW)) == got_through
    azure.bodies[TARGET] = compute("Failed")
    assert attach_compute(attaching(sent=NOW)) == got_through
    assert (azure.calls, intents) == ([], [])


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (compute("Failed"), "ComputeFailed"),
        (compute(cluster=OTHER_CLUSTER), "ComputeNameInUse"),
        (compute(namespace="training"), "ComputeNameInUse"),
    ],
    ids=["failed", "another cluster", "another namespace"],
)
def test_a_compute_of_this_name_that_is_something_else_stops_the_attach(
    azure: FakeArm, intents: Intents, found: dict[str, Any], code: str
) -> None:
    azure.bodies[TARGET] = found
    told = attach_compute(attaching())
    assert isinstance(told, Stop)
    assert told.problem.code == code
    assert (azure.calls, intents) == ([], [])


def test_one_that_is_being_detached_is_waited_for(azure: FakeArm, intents: Intents) -> None:
    azure.bodies[TARGET] = compute("Deleting")
    assert isinstance(attach_compute(attaching()), Again)
    assert (azure.calls, intents) == ([], [])


def test_an_attempt_that_does_not_show_is_waited_for_before_it_is_sent_again(azure: FakeArm, intents: Intents) -> None:
    assert isinstance(attach_compute(attaching(sent=clock.now())), Again)
    assert azure.calls == []
    assert isinstance(attach_compute(attaching(sent=NOW)), Done)
    assert azure.calls == [("PUT", TARGET)]


def test_roles_granted_minutes_ago_are_waited_for(azure: FakeArm, intents: Intents) -> None:
    told = attach_compute(attaching(granted(SHORT)))
    assert isinstance(told, Again)
    assert told.after is not None
    assert 0 < told.after <= 60
    assert (azure.calls, intents) == ([], [])
    assert isinstance(attach_compute(attaching(granted(LONG))), Done)


@pytest.mark.parametrize(("found", "planned"), [(None, True), (compute("Deleting"), True), (compute(), False)])
def test_a_plan_names_a_compute_that_is_not_there(found: dict[str, Any] | None, planned: bool) -> None:
    change = planned_attach(attaching(), found)
    assert (change is not None) is planned
    if change is not None:
        assert (change.step, change.action, change.resource_id) == ("attach_compute", "create", TARGET)


# --- compute_ready


def ready(
    monkeypatch: pytest.MonkeyPatch,
    found: dict[str, Any] | None,
    progress: Progress | None = None,
    sent: datetime | None = NOW,
    earlier: tuple[StepRecord, ...] = (),
    failed_before: bool = False,
) -> Outcome:
    """What becomes of an attach that Azure ML was asked for then (None: by somebody else)."""
    polled: list[str | None] = []

    def poll(url: str | None) -> Progress:
        polled.append(url)
        return progress or Progress(OVER)

    monkeypatch.setattr(module, "poll", poll)
    monkeypatch.setattr(module, "find_compute", lambda target: found if target == TARGET else None)
    intents = () if sent is None else (Intent("create", TARGET, sent),)
    asked = StepRecord("attach_compute", "do", "Succeeded", intents=intents)
    step = at_work(
        "compute_ready", kind="until", earlier=(*earlier, asked), operation_urls={"attach_compute": "https://x/1"}
    )
    if failed_before:
        step = replace(step, operation=step.operation.with_step(replace(step.record, failed_before=True)))
    told = compute_ready(step)
    assert polled == ["https://x/1"]
    return told


def test_it_is_ready_when_the_compute_itself_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    components = StepRecord("components_healthy", "until", "Succeeded", value=encode(ComponentsSeen("10.0.0.4")))
    found = {**compute(namespace="training"), "identity": {"type": "SystemAssigned", "principalId": "p"}}
    told = ready(monkeypatch, found, earlier=(components,))
    assert told == Done(ComputeReady(TARGET, "Succeeded", "training", "p", "10.0.0.4"))
    assert ready(monkeypatch, compute()) == Done(ComputeReady(TARGET, "Succeeded", "default"))


@pytest.mark.parametrize(
    ("found", "progress", "detail"),
    [
        (compute(), Progress(WAITING, 9.0), "Azure ML attaches the cluster"),
        (compute("Creating"), None, "the compute is Creating"),
        (None, None, "the compute does not show yet"),
    ],
    ids=["its operation", "its state", "does not show"],
)
def test_it_is_waited_for(monkeypatch: pytest.MonkeyPatch, found: Any, progress: Progress | None, detail: str) -> None:
    told = ready(monkeypatch, found, progress)
    assert isinstance(told, Again)
    assert told.detail == detail
    assert told.after == (progress.retry_after if progress is not None else None)


@pytest.mark.parametrize(
    ("found", "error"),
    [(compute("Failed"), None), (compute("Canceled"), OTHER), (compute("Creating"), OTHER), (None, OTHER)],
    ids=["failed", "cancelled", "its operation failed", "does not show"],
)
def test_an_attach_that_failed_stops(monkeypatch: pytest.MonkeyPatch, found: Any, error: AzureAnswer | None) -> None:
    told = ready(monkeypatch, found, Progress(OVER, error=error))
    assert isinstance(told, Stop)
    if error is not None:
        assert told.problem.azure == error


def test_a_false_name_for_a_missing_role_goes_back_while_the_roles_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    failed, error = compute("Failed"), Progress(OVER, error=NO_ROLE)
    now = clock.now()
    told = ready(monkeypatch, failed, error, now, (granted(SHORT),))
    assert isinstance(told, Back)
    assert told.step == "remove_failed_compute"
    assert told.problem is not None
    assert told.problem.code == "WorkspaceIdentityLacksRole"
    # Not when the roles are old, another cause is told, or somebody else attached the compute.
    for outcome in (
        ready(monkeypatch, failed, error, now, (granted(LONG),)),
        ready(monkeypatch, failed, error, now),
        ready(monkeypatch, failed, Progress(OVER, error=OTHER), now, (granted(SHORT),)),
        ready(monkeypatch, failed, error, None, (granted(SHORT),)),
    ):
        assert isinstance(outcome, Stop)


def test_a_retry_of_an_attach_that_failed_makes_it_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    told = ready(monkeypatch, compute("Failed"), failed_before=True)
    assert isinstance(told, Back)
    assert told.step == "remove_failed_compute"
    assert isinstance(ready(monkeypatch, compute("Failed"), sent=None, failed_before=True), Stop)


# --- remove_failed_compute


def removing(sent: bool = True, asked: datetime | None = None) -> StepAtWork:
    """The step before the attach: it had asked for the compute before, or not; and had detached it then."""
    intents = (Intent("create", TARGET, NOW),) if sent else ()
    attach = StepRecord("attach_compute", "do", intents=intents)
    step = at_work("remove_failed_compute", earlier=(attach,))
    record = replace(step.record, intents=() if asked is None else (Intent("detach", TARGET, asked),))
    return replace(step, operation=step.operation.with_step(record))


def test_nothing_is_removed_that_this_operation_has_not_attached(azure: FakeArm, intents: Intents) -> None:
    azure.bodies[TARGET] = compute("Failed")
    assert remove_failed_compute(removing(sent=False)) == Done(detail="this operation has attached none", skipped=True)
    assert (azure.calls, intents) == ([], [])


@pytest.mark.parametrize(("found", "skipped"), [(None, False), (compute(), True)], ids=["gone", "ready meanwhile"])
def test_nothing_is_removed_that_is_gone_or_ready(
    azure: FakeArm, intents: Intents, found: dict[str, Any] | None, skipped: bool
) -> None:
    if found is not None:
        azure.bodies[TARGET] = found
    told = remove_failed_compute(removing())
    assert isinstance(told, Done)
    assert told.skipped is skipped
    assert (azure.calls, intents) == ([], [])


def test_the_one_that_failed_is_detached_once(azure: FakeArm, intents: Intents) -> None:
    azure.bodies[TARGET] = compute("Failed")
    assert isinstance(remove_failed_compute(removing()), Done)
    assert azure.calls == [("DELETE", TARGET)]
    assert intents == [("detach", TARGET)]
    azure.bodies[TARGET] = compute("Deleting")
    assert isinstance(remove_failed_compute(removing(asked=NOW)), Done)
    azure.bodies[TARGET] = compute("Failed")
    assert isinstance(remove_failed_compute(removing(asked=clock.now())), Again)
    assert len(azure.calls) == 1


# --- undo_compute


def undoing(**fields: Any) -> StepAtWork:
    return at_work("undo_compute", kind="until", created=(Created(COMPUTE, TARGET),), **fields)


def test_an_undo_detaches_what_the_operation_attached(
    monkeypatch: pytest.MonkeyPatch, azure: FakeArm, intents: Intents
) -> None:
    azure.bodies[TARGET] = compute()
    monkeypatch.setattr(module, "refusal", lambda *_: None)
    assert undo_compute(at_work("undo_compute", kind="until")) == Done(detail="this operation made none", skipped=True)
    assert azure.calls == []
    assert isinstance(undo_compute(undoing()), Again)
    assert azure.calls == [("DELETE", TARGET)]
    assert undo_compute(undoing()) == Done(detail="is gone", undone=(TARGET,))


def test_an_undo_leaves_what_somebody_uses_by_now(
    monkeypatch: pytest.MonkeyPatch, azure: FakeArm, intents: Intents
) -> None:
    azure.bodies[TARGET] = compute()
    azure.lists[f"{WORKSPACE_ID}/jobs"] = [
        {
            "id": f"{WORKSPACE_ID}/jobs/train",
            "name": "train",
            "properties": {"jobType": "Command", "status": "Running", "computeId": TARGET},
        }
    ]
    azure.bodies[WORKSPACE_ID] = {}
    told = undo_compute(undoing())
    assert isinstance(told, Done)
    assert told.skipped
    assert "job train (Running)" in told.findings[0].message
    assert (azure.calls, intents) == ([], [])
