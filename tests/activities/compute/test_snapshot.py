"""What a detach remembers: a request that attaches again, the roles, nothing secret; and that it fails nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from activities.compute.snapshot import snapshot
from activities.extension.replay import lost_with_it
from activities.runtime.step import StepAtWork
from domain.access.roles import ROLE_ASSIGNMENT
from domain.arm_ids import EXTENSION
from domain.extension.wanted import EXTENSION_TYPE
from domain.operation.codec import encode
from domain.operation.outcomes import Created, Done
from domain.operation.record import Operation, StepRecord
from domain.operation.results import ExtensionSent, Snapshot
from domain.requests.parsing import parse_request, request_to_json
from gateways.azure.arm import ArmError
from gateways.storage import record_list
from gateways.storage.record_list import Page
from tests.activities.making import FakeArm, at_work
from tests.making import CLUSTER_ID, WORKSPACE_ID, make_operation

TARGET = f"{WORKSPACE_ID}/computes/gpu"
PLACE = f"{CLUSTER_ID}/providers/{EXTENSION}"
ROLE = f"{WORKSPACE_ID}/providers/{ROLE_ASSIGNMENT}/11111111-0000-4000-8000-000000000001"
LIMITS = {"cpu": "2", "memory": "4Gi"}
TYPE = {"nodeSelector": {"pool": "gpu"}, "resources": {"requests": LIMITS, "limits": LIMITS}}
SECRET = "https://vault.vault.azure.net/secrets/own"
SETTINGS = {"enableTraining": "True", "enableInference": "False"}


def compute(kind: str = "Kubernetes", **inner: Any) -> dict[str, Any]:
    properties = {"namespace": "training", "instanceTypes": {"big": TYPE}, **inner}
    return {
        "id": TARGET,
        "tags": {"team": "vision"},
        "properties": {
            "computeType": kind,
            "description": "the pool",
            "resourceId": CLUSTER_ID,
            "properties": properties,
        },
    }


def extension(protected: tuple[str, ...] = (), **settings: Any) -> dict[str, Any]:
    return {
        "id": f"{PLACE}/azureml",
        "name": "azureml",
        "properties": {
            "extensionType": EXTENSION_TYPE,
            "releaseTrain": "stable",
            "configurationSettings": {**SETTINGS, **settings},
            "configurationProtectedSettings": dict.fromkeys(protected, ""),
        },
    }


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> FakeArm:
    return FakeArm({TARGET: compute()}, {PLACE: [extension()]}).install(monkeypatch)


@pytest.fixture(autouse=True)
def records(monkeypatch: pytest.MonkeyPatch) -> list[Operation]:
    """Earlier operations, newest first; none unless a test puts some there."""
    earlier: list[Operation] = []
    monkeypatch.setattr(record_list, "page", lambda *_: Page(tuple(earlier), None))
    return earlier


def detaching(attempts: int = 1, **fields: Any) -> StepAtWork:
    return at_work("snapshot", attempts, **fields)


def kept(outcome: object) -> Snapshot:
    assert isinstance(outcome, Done)
    assert isinstance(outcome.value, Snapshot)
    return outcome.value


def test_the_request_attaches_the_same_again(azure: FakeArm) -> None:
    outcome = snapshot(detaching())
    request = kept(outcome).attach_request
    assert request["workspaceId"] == WORKSPACE_ID
    assert request["clusterId"] == CLUSTER_ID
    assert (request["computeName"], request["namespace"]) == ("gpu", "training")
    assert (request["description"], request["tags"]) == ("the pool", {"team": "vision"})
    assert [(each["name"], each["nodeSelector"]) for each in request["instanceTypes"]] == [("big", {"pool": "gpu"})]
    # A clean-up may have taken the extension by then; a request of a person's own is undone when it fails.
    assert (request["extension"]["manage"], request["onFailure"], request["grantRoles"]) == ("ensure", "undo", False)
    # It is one that POST /attach accepts as it stands.
    assert request_to_json(parse_request("attach", dict(request))) == request
    assert isinstance(outcome, Done)
    assert "POST result.snapshot.attachRequest to /attach" in str(outcome.detail)
    assert (outcome.findings, azure.calls) == ((), [])


def test_the_roles_are_those_that_earlier_operations_made_for_it(azure: FakeArm, records: list[Operation]) -> None:
    made, undone = Created(ROLE_ASSIGNMENT, ROLE), Created(ROLE_ASSIGNMENT, f"{ROLE}2", undone=True)
    records.append(make_operation(id="earlier", created=(made, undone)))
    found = kept(snapshot(detaching()))
    assert found.role_assignments == (ROLE,)
    assert found.attach_request["grantRoles"] is True


def test_protected_settings_are_named_by_the_secrets_that_were_sent(azure: FakeArm, records: list[Operation]) -> None:
    sent = StepRecord("install_extension", "do", "Succeeded", value=encode(ExtensionSent("/e", {"my.own": SECRET})))
    records.append(make_operation(id="earlier", steps=(sent,)))
    azure.lists[PLACE] = [extension(("my.own",))]
    request = kept(snapshot(detaching())).attach_request
    assert request["extension"]["configurationProtectedSettings"] == {"my.own": SECRET}


def test_what_may_be_a_secret_is_left_out_and_said(azure: FakeArm) -> None:
    azure.lists[PLACE] = [extension((), **{"my.password": "hunter2"})]
    outcome = snapshot(detaching())
    assert isinstance(outcome, Done)
    assert "hunter2" not in str(outcome)
    (finding,) = outcome.findings
    assert (finding.check, finding.outcome) == ("snapshot", "warning")
    assert "my.password" in finding.message


def test_without_an_extension_the_attachment_alone_is_remembered(azure: FakeArm) -> None:
    azure.lists[PLACE] = []
    assert kept(snapshot(detaching())).attach_request["namespace"] == "training"


def test_an_extension_that_cannot_be_read_is_asked_for_a_few_times_and_then_said(azure: FakeArm) -> None:
    for status in (429, 503):
        azure.lists[PLACE] = status
        with pytest.raises(ArmError):
            snapshot(detaching(40))
    azure.lists[PLACE] = 500
    for attempts in (1, 2, 3):
        with pytest.raises(ArmError):
            snapshot(detaching(attempts))
    outcome = snapshot(detaching(4))
    assert kept(outcome).attach_request["extension"]["manage"] == "ensure"
    azure.lists[PLACE] = 403
    refused = snapshot(detaching())
    for told in (outcome, refused):
        assert isinstance(told, Done)
        assert [(finding.check, finding.outcome) for finding in told.findings] == [("snapshot", "unknown")]


def test_what_no_request_makes_again_is_a_finding_and_fails_nothing(azure: FakeArm) -> None:
    azure.bodies[TARGET] = compute(namespace="Not_A_Namespace")
    no_request = snapshot(detaching())
    azure.bodies[TARGET] = {**compute(), "identity": {"type": "SystemAssigned,UserAssigned"}}
    identities = snapshot(detaching())
    azure.bodies[TARGET], azure.lists[PLACE] = compute("AKS"), []
    legacy = snapshot(detaching())
    for told in (no_request, identities, legacy):
        assert isinstance(told, Done)
        assert told.value is None
        (finding,) = told.findings
        assert (finding.check, finding.outcome) == ("snapshot", "warning")
        assert finding.message.startswith("No attach request makes this attachment again: ")
        assert finding.message == told.detail


def test_there_is_nothing_to_remember_of_what_is_gone_or_on_no_known_cluster(azure: FakeArm) -> None:
    expected = Done(detail="there is nothing to remember", skipped=True)
    step = detaching()
    assert snapshot(replace(step, operation=replace(step.operation, cluster_id=None))) == expected
    del azure.bodies[TARGET]
    assert snapshot(step) == expected


# compute_create_or_update_kubernetes.json of the official examples, and the cores of the implicit type.
OFFICIAL = {
    "nodeSelector": None,
    "resources": {
        "requests": {"cpu": "1", "memory": "4Gi", "nvidia.com/gpu": None},
        "limits": {"cpu": "1", "memory": "4Gi", "nvidia.com/gpu": None},
    },
}
DECIMAL = {"resources": {"requests": {"cpu": "0.6", "memory": "1536Mi"}, "limits": {"cpu": "0.6", "memory": "1536Mi"}}}


@pytest.mark.parametrize("default", ["defaultInstanceType", "defaultinstancetype", "big"])
def test_r19_a_default_type_in_azures_spelling_is_replayed(azure: FakeArm, default: str) -> None:
    azure.bodies[TARGET] = compute(
        defaultInstanceType=default, instanceTypes={"defaultInstanceType": OFFICIAL, "big": TYPE}
    )
    outcome = snapshot(detaching())
    request = kept(outcome).attach_request
    assert request["defaultInstanceType"] == default
    assert [each["name"] for each in request["instanceTypes"]] == ["big"], (
        "the implicit type exists without being asked for"
    )
    assert request_to_json(parse_request("attach", dict(request))) == request
    assert isinstance(outcome, Done)
    assert outcome.findings == ()


def test_r19_decimals_null_and_bytes_are_replayed(azure: FakeArm) -> None:
    raw = {"nodeSelector": None, "resources": {"requests": {"cpu": 0.5, "memory": "1073741824"}, "limits": LIMITS}}
    azure.bodies[TARGET] = compute(instanceTypes={"small": DECIMAL, "official": OFFICIAL, "raw": raw})
    types = {each["name"]: each for each in kept(snapshot(detaching())).attach_request["instanceTypes"]}
    assert types["small"]["resources"]["limits"] == {"cpu": "600m", "memory": "1536Mi"}
    assert types["official"]["resources"]["requests"] == {"cpu": "1", "memory": "4Gi"}
    assert types["raw"]["resources"]["requests"] == {"cpu": "500m", "memory": "1048576Ki"}


def test_r19_what_cannot_be_replayed_is_said_in_words_and_before(azure: FakeArm) -> None:
    other = {"resources": {"requests": LIMITS, "limits": {**LIMITS, "amd.com/gpu": "1"}}}
    azure.bodies[TARGET] = compute(instanceTypes={"amd": other})
    outcome = snapshot(detaching())
    assert isinstance(outcome, Done)
    assert outcome.value is None
    assert "Violation(" not in str(outcome.detail)
    assert "/instanceTypes/0/resources/limits/amd.com~1gpu: An instance type has cpu, memory and" in str(outcome.detail)
    assert lost_with_it(detaching()) == outcome.findings
    azure.bodies[TARGET] = compute(instanceTypes={"Big_One": TYPE, "big": TYPE})
    (lost,) = lost_with_it(detaching())
    assert (lost.check, lost.outcome, "Big_One" in lost.message) == ("snapshot", "warning", True)
    azure.bodies[TARGET] = compute()
    assert lost_with_it(detaching()) == ()
