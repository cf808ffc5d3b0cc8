"""The policy over HTTP: what is refused, what is hidden, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import azure.functions as func
import pytest

from domain.access.principal import Caller, KeyHolder
from gateways import policy
from gateways.storage import records
from local.policy import entry
from operations import limits
from tests.conftest import Tables
from tests.domain.access.policies import ADA, GRACE, person
from tests.triggers.http.http_app import CLUSTER, SUBSCRIPTION, WORKSPACE, App, attach_body, detach_body
from triggers.http import gate

OTHER = WORKSPACE.replace("research", "other")
# The token gives more than the policy does.
OPERATOR = person("operator", "privileged")
STRANGER, APPROVER = person("operator", "approver", object_id=GRACE[:-1] + "9"), person("approver", object_id=GRACE)
As = Callable[[Caller], None]


@pytest.fixture
def by(monkeypatch: pytest.MonkeyPatch) -> As:
    """Has the next requests come from a caller."""

    def set_caller(caller: Caller) -> None:
        async def caller_of(req: func.HttpRequest, function: str) -> Caller:
            limits.count_request(caller)
            return caller

        monkeypatch.setattr(gate, "caller_of", caller_of)

    set_caller(OPERATOR)
    return set_caller


@pytest.fixture(autouse=True)
def _two_workspaces(by: As, monkeypatch: pytest.MonkeyPatch) -> None:
    who = {"operator": [f"user:{ADA}"], "approver": [f"user:{GRACE}"]}
    mine = entry(SUBSCRIPTION, match=WORKSPACE, who=who, clusters=[CLUSTER])
    other = entry(SUBSCRIPTION, match=OTHER, who={"operator": [f"user:{STRANGER.object_id}"]})
    monkeypatch.setenv(policy.SETTING, json.dumps({"version": 1, "workspaces": [mine, other]}))
    limits._asked.clear()


async def attached(app: App, **changes: Any) -> str:
    answer = await app.post("/attach", attach_body(**changes))
    assert answer.status == 202, answer.json
    return str(answer.json["id"])


async def test_what_is_listed_is_accepted_with_the_name_of_who_asked(app: App) -> None:
    answer = await app.post("/attach", attach_body())
    assert answer.status == 202
    assert answer.json["requestedBy"]["principal"] == OPERATOR.id


@pytest.mark.parametrize(
    ("path", "body", "targets"),
    [
        ("/attach", attach_body(clusterId=CLUSTER + "2"), {"/clusterId"}),
        ("/attach", attach_body(namespace="kube-system", grantRoles=True), {"/namespace", "/grantRoles"}),
        ("/attach?plan=true", attach_body(clusterId=CLUSTER + "2"), {"/clusterId"}),
        ("/detach", detach_body(workloads={"policy": "force"}), {"/workloads/policy"}),
        ("/detach", detach_body(cleanUp={"extension": True}), {"/cleanUp/extension"}),
        ("/reattach", detach_body(grantRoles=True), {"/grantRoles"}),
        ("/attach", attach_body(workspaceId=OTHER), set()),
        ("/attach", attach_body(workspaceId=WORKSPACE + "2"), set()),
    ],
)
async def test_what_is_not_is_refused_by_field_and_leaves_no_trace(
    app: App, tables: Tables, path: str, body: Any, targets: set[str]
) -> None:
    answer = await app.post(path, body)
    assert (answer.status, answer.error["code"]) == (403, "NotAllowed")
    assert {detail["target"] for detail in answer.error.get("details", [])} == targets
    assert tables.rows() == []
    assert app.engine.started == []


async def test_a_key_without_more_is_asked_for_an_identity(app: App, by: As) -> None:
    by(KeyHolder())
    answer = await app.post("/detach", detach_body(workloads={"policy": "force"}))
    assert (answer.status, answer.error["code"]) == (403, "NeedsIdentity")


async def test_others_operations_do_not_exist(app: App, by: As) -> None:
    mine = await attached(app)
    by(STRANGER)
    theirs = await attached(app, workspaceId=OTHER)
    listed = [operation["id"] for operation in (await app.get("/operations")).json["value"]]
    assert listed == [theirs]
    for call in (
        app.get(f"/operations/{mine}"),
        app.get(f"/operations/{mine}/journal"),
        *(app.post(f"/operations/{mine}/{verb}", {}) for verb in ("cancel", "retry", "retry?mode=undo")),
        *(app.post(f"/operations/{mine}/{verb}", {"questionId": "q"}) for verb in ("approve", "reject")),
    ):
        answer = await call
        assert (answer.status, answer.error["code"]) == (404, "OperationNotFound")
    stored = records.read(mine)
    assert stored is not None
    assert (stored.operation.cancel, stored.operation.run) == (None, 1)


async def test_pages_hold_what_may_be_seen(app: App, by: As) -> None:
    for number in range(3):
        await attached(app, computeName=f"mine{number}")
        by(STRANGER)
        await attached(app, workspaceId=OTHER, computeName=f"theirs{number}")
        by(OPERATOR)
    first = (await app.get("/operations?top=2")).json
    second = (await app.get(first["nextLink"])).json
    assert [each["computeName"] for each in first["value"] + second["value"]] == ["mine2", "mine1", "mine0"]


async def test_who_may_read_and_no_more_is_refused_to_change(app: App, by: As) -> None:
    mine = await attached(app)
    by(APPROVER)
    assert (await app.get(f"/operations/{mine}")).status == 200
    for verb in ("cancel", "retry"):
        answer = await app.post(f"/operations/{mine}/{verb}", {})
        assert (answer.status, answer.error["code"]) == (403, "NotAllowed")
    by(OPERATOR)
    assert (await app.post(f"/operations/{mine}/approve", {"questionId": "q"})).status == 403


async def test_an_operation_id_of_somebody_else_is_taken_without_a_word_about_it(
    app: App, by: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = {"Operation-Id": "deploy-42"}
    first = await app.post("/attach", attach_body(), mine)
    assert (await app.post("/attach", attach_body(), mine)).json["id"] == first.json["id"]
    by(STRANGER)
    for body in (attach_body(workspaceId=OTHER), attach_body(workspaceId=OTHER, computeName="cpu")):
        answer = await app.post("/attach", body, mine)
        assert (answer.status, answer.error["code"]) == (409, "OperationIdInUse")
        assert {*answer.error} == {"code", "message", "target"}
        assert "Operation-Location" not in answer.headers
        assert not {"deploy-42", "research", "attach", ADA} & {*answer.body.decode().replace('"', " ").split()}


async def test_too_many_requests_are_answered_with_a_time_to_come_back(
    app: App, by: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOOR_REQUESTS_PER_MINUTE", "2")
    answers = [await app.get("/operations") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[2].error["code"] == "TooManyRequests"
    assert 0 < int(answers[2].headers["Retry-After"]) <= 61
    by(STRANGER)
    assert (await app.get("/operations")).status == 200


async def test_too_many_operations_are_answered_so_too(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOOR_OPERATIONS_PER_CALLER", "1")
    await attached(app)
    answer = await app.post("/attach", attach_body(computeName="two"))
    assert (answer.status, answer.error["code"]) == (429, "TooManyOperations")
    assert answer.headers["Retry-After"] == "60"


@pytest.mark.parametrize("text", ["", '{"version": 2, "workspaces": []}', "https://evil.example/p/policy.json"])
async def test_without_a_policy_every_route_answers_503(
    app: App, tables: Tables, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(policy.SETTING, text)
    policy.forget()
    for call in (
        app.post("/attach", attach_body()),
        app.get("/operations"),
        app.get("/operations/x"),
        app.post("/operations/x/retry", {}),
    ):
        answer = await call
        assert (answer.status, answer.error["code"]) == (503, "PolicyUnavailable")
        assert "MOOR_POLICY" in answer.error["message"]
    assert tables.rows() == []
