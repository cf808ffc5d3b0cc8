"""A policy that gives little, over the whole stack: what is refused never reaches Azure, and others' work is hidden."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from local import app_roles, tenant
from local import world as worlds
from local.policy import NARROW, entry, policy_of
from local.stack import Options, Stack, running_stack
from tests.scenarios.conftest import BY_HAND, FACTOR, place_in
from tests.scenarios.event_reports import host_log
from tests.scenarios.helpers import Place, ended, succeeded

ADA, GRACE = f"user:{tenant.ASKER.object_id}", f"user:{tenant.APPROVER.object_id}"
READS_ONLY = NARROW[-1]


@pytest.fixture(scope="module")
def scoped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose policy gives workspace team-vision little, workspace hidden to Grace alone, and READS_ONLY all."""
    who = {"operator": [ADA], "approver": [GRACE], "privileged": [ADA]}
    narrow = entry(
        worlds.SUBSCRIPTION,
        match=worlds.WORKSPACE,
        who=who,
        clusters=[worlds.cluster_id("listed-*")],
        namespaces=["default"],
        grantableRoles=["Reader"],
        administratorCredential=False,
        runCommand=False,
    )
    hidden = entry(worlds.SUBSCRIPTION, match=worlds.workspace_id("hidden"), who={"approver": [GRACE]})
    entries = [narrow, hidden, *json.loads(policy_of([READS_ONLY]))["workspaces"]]
    policy = json.dumps({"version": 1, "workspaces": entries})
    world = worlds.world_of("listed-1", "other-1", workspaces=("team-vision", "hidden"))
    options = Options(factor=FACTOR, world=world, settings={**BY_HAND, "MOOR_POLICY": policy})
    with running_stack(options, state_dir=tmp_path_factory.mktemp("policy")) as running:
        yield running


def place(cluster: str = "listed-1", workspace: str = "team-vision", compute: str = "gpu") -> Place:
    return Place(worlds.workspace_id(workspace), worlds.cluster_id(cluster), compute)


def calls_of_the_app(scoped: Stack) -> int:
    requests = scoped.azure.requests(kind="arm")
    return sum((each["principal"] or {}).get("objectId") == worlds.APP_OBJECT for each in requests)


def test_what_the_policy_does_not_give_never_reaches_azure(scoped: Stack) -> None:
    before = calls_of_the_app(scoped)
    refused = {
        "/clusterId": place("other-1").attach_body(),
        "/namespace": place().attach_body(namespace="kube-system"),
        "/grantRoles": place().attach_body(grantRoles=True),
        "": place(workspace="hidden").attach_body(),
    }
    for where, body in refused.items():
        for query in ("", "?plan=true"):
            answer = scoped.app.call("POST", f"/attach{query}", body)
            assert (answer.status, answer.body["error"]["code"]) == (403, "NotAllowed"), answer.body
            assert {detail["target"] for detail in answer.body["error"].get("details", [])} == ({where} - {""})
    assert calls_of_the_app(scoped) == before
    assert scoped.app.operations() == []
    assert f"asked by {scoped.azure.about['tenantId']}:{tenant.ASKER.object_id}" in host_log(scoped)


def test_what_it_gives_is_done_and_seen_by_those_who_may(scoped: Stack) -> None:
    operation = succeeded(scoped, scoped.app.start("attach", place().attach_body())["id"])
    findings = {finding["check"]: finding["outcome"] for finding in operation["findings"]}
    assert findings["callerPermissions"] == "pass"
    assert [each["id"] for each in scoped.approver.operations()] == [operation["id"]]
    answer = scoped.approver.call("POST", f"/operations/{operation['id']}/approve", {"questionId": "none"})
    assert answer.status == 409, "may answer, and nothing is asked"


@pytest.mark.long
def test_an_operation_id_of_somebody_else_is_in_use(scoped: Stack) -> None:
    scoped.app.start("attach", place(compute="mine").attach_body(), "deploy-42")
    assert scoped.approver.get("/operations/deploy-42")["id"] == "deploy-42"
    another = scoped.app.call("POST", "/attach", place(compute="two").attach_body(), {"Operation-Id": "deploy-42"})
    assert (another.status, another.body["error"]["code"]) == (409, "OperationIdInUse")
    succeeded(scoped, "deploy-42")


def test_who_may_not_do_it_alone_does_not_get_it_done(scoped: Stack) -> None:
    group = f"/subscriptions/{READS_ONLY}/resourceGroups/ml/providers"
    there = Place(
        f"{group}/Microsoft.MachineLearningServices/workspaces/reads",
        f"{group}/Microsoft.ContainerService/managedClusters/reads",
        "gpu",
    )
    scope = f"/subscriptions/{READS_ONLY}"
    scoped.azure.seed(
        {
            "subscriptions": [{"subscriptionId": READS_ONLY}],
            "roleDefinitions": [app_roles.narrower("Moor of reads", (), [scope])],
            "roleAssignments": [
                app_roles.role(scope, "Moor of reads"),
                {"role": "Reader", "scope": scope, "principalId": tenant.ASKER.object_id},
            ],
            "workspaces": [{"id": there.workspace_id, "location": worlds.LOCATION}],
            "clusters": [{"id": there.cluster_id, **worlds.cluster_body()}],
        }
    )
    operation = ended(scoped, scoped.app.start("attach", there.attach_body())["id"])
    assert operation["status"] == "Failed"
    assert operation["error"]["code"] == "PreflightFailed"
    (finding,) = [each for each in operation["findings"] if each["check"] == "callerPermissions"]
    assert finding["outcome"] == "fail"
    assert "workspaces/computes/write" in finding["message"]
    assert scoped.azure.requests(kind="arm", method="PUT", path=f"^{there.compute_id}") == []


def test_other_places_are_unknown(scoped: Stack) -> None:
    there = place_in(scoped)
    assert scoped.app.call("POST", "/attach", there.attach_body()).status == 403
