from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from domain.operation.record import FAILED, Operation
from gateways import clock
from gateways.storage import records
from gateways.storage.records import Change
from tests.conftest import Tables, forget_clients
from tests.entra import ADA, TENANT
from tests.triggers.http.http_app import (
    BASE,
    CLUSTER,
    SUBSCRIPTION,
    WORKSPACE,
    App,
    attach_body,
    detach_body,
)
from triggers.http import models as answer_models
from triggers.http.answers import operation_to_json
from triggers.http.request import LARGEST_BODY

JSON = {"Content-Type": "application/json"}


async def refused(app: App, tables: Tables, path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
    """The answer to a request that must write and start nothing."""
    answer = await app.post(path, body, headers)
    assert tables.rows() == []
    assert app.engine.started == []
    return answer


async def test_a_pause_is_answered_with_what_to_do(app: App, tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOOR_PAUSED", "starts")
    for path, body in (("/attach", attach_body()), ("/attach?plan=true", attach_body()), ("/detach", detach_body())):
        answer = await refused(app, tables, path, body)
        assert (answer.status, answer.error["code"]) == (503, "Paused")
        assert "MOOR_PAUSED" in answer.error["message"]
        assert int(answer.headers["Retry-After"]) > 0
    monkeypatch.setenv("MOOR_PAUSED", "on")
    answer = await refused(app, tables, "/attach", attach_body())
    assert (answer.status, answer.error["code"]) == (503, "SettingInvalid")


async def test_an_attach_is_recorded_started_and_answered_with_its_operation(app: App) -> None:
    answer = await app.post("/attach", attach_body(reason="for the vision team"))

    assert answer.status == 202
    operation = answer.json
    url = f"{BASE}/operations/{operation['id']}"
    assert answer.headers["Operation-Location"] == answer.headers["Location"] == url
    assert int(answer.headers["Retry-After"]) > 0
    assert operation["status"] == "NotStarted"
    assert operation["request"] == {
        "workspaceId": WORKSPACE,
        "clusterId": CLUSTER,
        "computeName": "gpu",
        "namespace": "default",
        "createNamespace": False,
        "registerProviders": False,
        "cleanupLegacy": False,
        "grantRoles": False,
        "smokeTest": "none",
        "onFailure": "undo",
        "reason": "for the vision team",
    }
    assert operation["requestedBy"] == {
        "source": "http",
        "principal": f"{TENANT}:{ADA}",
        "name": "Ada Asker",
        "reason": "for the vision team",
        "parentId": None,
    }
    answer_models.Operation.model_validate(operation)
    stored = records.read(operation["id"])
    assert stored is not None
    assert operation_to_json(stored.operation) == operation
    assert app.engine.started == [
        ("attach", f"{operation['id']}-1", {"operation": operation["id"], "run": 1}),
    ]


async def test_a_detach_is_recorded_with_its_defaults_and_started(app: App) -> None:
    answer = await app.post("/detach", detach_body(computeName="legacy-name-of-24-charac"))

    assert answer.status == 202
    assert answer.json["kind"] == "detach"
    assert answer.json["clusterId"] is None
    assert answer.json["request"] == {
        "workspaceId": WORKSPACE,
        "computeName": "legacy-name-of-24-charac",
        "workloads": {"policy": "refuse", "endpoints": "refuse", "deadline": "PT24H", "onDeadline": "fail"},
        "approval": "none",
        "approvalTimeout": "P3D",
        "cleanUp": {"roleAssignments": True, "instanceTypes": False, "extension": False},
    }
    assert [name for name, _, _ in app.engine.started] == ["detach"]


async def test_the_same_request_again_answers_the_operation_under_way(app: App) -> None:
    first = await app.post("/attach", attach_body())
    again = await app.post("/attach", attach_body(workspaceId=WORKSPACE.upper().strip("/"), reason="asked again"))

    assert again.status == 200
    assert again.json["id"] == first.json["id"]
    assert again.headers["Operation-Location"] == first.headers["Operation-Location"]
    assert "Retry-After" in again.headers
    assert len(app.engine.started) == 1


async def test_many_identical_requests_at_once_are_one_operation(app: App) -> None:
    answers = await asyncio.gather(*(app.post("/attach", attach_body()) for _ in range(12)))

    assert len({answer.json["id"] for answer in answers}) == 1
    assert sorted(answer.status for answer in answers) == [200] * 11 + [202]
    assert len(app.engine.started) == 1


async def test_another_request_for_a_held_compute_is_refused_with_the_holder(app: App, tables: Tables) -> None:
    first = await app.post("/attach", attach_body())
    before = tables.rows()

    answer = await app.post("/detach", detach_body())

    assert answer.status == 409
    assert answer.error["code"] == "OperationConflict"
    assert answer.error["operationId"] == first.json["id"]
    assert answer.error["operationLocation"] == first.headers["Operation-Location"]
    assert answer.headers["Operation-Location"] == first.headers["Operation-Location"]
    assert "gpu" in answer.error["message"]
    assert tables.rows() == before


async def test_a_conflict_that_records_what_a_dead_process_had_accepted_starts_it(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as cut:
        cut.setattr(records, "insert", die)
        with pytest.raises(Killed):
            await app.post("/attach", attach_body())
    assert app.engine.started == []

    answer = await app.post("/detach", detach_body())

    assert answer.status == 409
    assert [name for name, _, _ in app.engine.started] == ["attach"]
    assert app.engine.started[0][1] == f"{answer.error['operationId']}-1"


async def test_an_operation_id_of_ones_own_makes_a_request_repeatable(app: App) -> None:
    chosen = {"Operation-Id": "Deploy-42.gpu_1"}
    first = await app.post("/attach", attach_body(), chosen)
    assert (first.status, first.json["id"]) == (202, "Deploy-42.gpu_1")

    records.change("Deploy-42.gpu_1", None, lambda o: Change(_failed(o)), clock.now())
    again = await app.post("/attach", attach_body(), chosen)
    other = await app.post("/attach", attach_body(computeName="gpu2"), chosen)

    assert (again.status, again.json["status"]) == (200, "Failed")
    assert "Retry-After" not in again.headers
    assert (other.status, other.error["code"]) == (409, "OperationIdInUse")
    assert other.error["operationId"] == "Deploy-42.gpu_1"
    assert len(app.engine.started) == 1


def _failed(operation: Operation) -> Operation:
    return replace(operation, status=FAILED, finished_time=clock.now())


@pytest.mark.parametrize("operation_id", ["", "-x", "a" * 65, "a/b", "a b", "a,b", "ü", "a\n", "../x"])
async def test_a_malformed_operation_id_is_refused(app: App, tables: Tables, operation_id: str) -> None:
    answer = await refused(app, tables, "/attach", attach_body(), {"Operation-Id": operation_id})
    assert answer.status == 400
    assert answer.targets() == {"Operation-Id": "InvalidRequest"}


async def test_everything_wrong_is_reported_at_once(app: App, tables: Tables) -> None:
    body = {
        "workspaceId": "not an id",
        "computeName": "-",
        "tags": {"a/b": 1},
        "identity": {"type": "None"},
        "smokeTest": "inference",
        "expiresAt": "",
        "nameSpace": "x",
    }
    answer = await refused(
        app,
        tables,
        "/attach?plan=yes&dryRun=1&code=key",
        body,
        {"Operation-Id": "?", "Content-Type": JSON["Content-Type"]},
    )
    assert answer.status == 400
    assert answer.error["code"] == "InvalidRequest"
    assert answer.targets() == {
        "/workspaceId": "InvalidRequest",
        "/clusterId": "InvalidRequest",
        "/computeName": "InvalidRequest",
        "/tags/a~1b": "InvalidRequest",
        "/identity/type": "InvalidRequest",
        "/smokeTest": "NotAvailableYet",
        "/expiresAt": "NotAvailableYet",
        "/nameSpace": "InvalidRequest",
        "plan": "InvalidRequest",
        "dryRun": "InvalidRequest",
        "Operation-Id": "InvalidRequest",
    }


async def test_a_single_offending_field_is_the_target(app: App, tables: Tables) -> None:
    answer = await refused(app, tables, "/attach", attach_body(smokeTest="inference"))
    assert answer.status == 400
    assert (answer.error["code"], answer.error["target"]) == ("NotAvailableYet", "/smokeTest")
    assert "/smokeTest" in answer.error["message"]


@pytest.mark.parametrize("value", ["True", "1", "yes"])
async def test_a_plan_is_asked_for_with_true_or_false(app: App, tables: Tables, value: str) -> None:
    answer = await refused(app, tables, f"/detach?plan={value}", detach_body())
    assert (answer.status, answer.targets()) == (400, {"plan": "InvalidRequest"})


@pytest.mark.parametrize("query", ["plan", "plan=", "plan=&plan=true", "plan=true&plan", "plan=%20", "plan=+", "Plan="])
@pytest.mark.parametrize(("path", "body"), [("attach", attach_body()), ("detach", detach_body())])
async def test_a_plan_without_a_value_is_no_attach(
    app: App, tables: Tables, query: str, path: str, body: dict[str, Any]
) -> None:
    """It ran the real one: the host leaves out what has no value."""
    answer = await refused(app, tables, f"/{path}?{query}", body)
    assert (answer.status, answer.targets()) == (400, {query[:4]: "InvalidRequest"})


@pytest.mark.parametrize("value", ["", " ", "a,b", "a b", "é"])
async def test_an_id_without_a_usable_value_is_refused(app: App, tables: Tables, value: str) -> None:
    answer = await refused(app, tables, "/attach", attach_body(), {**JSON, "Operation-Id": value})
    assert (answer.status, answer.targets()) == (400, {"Operation-Id": "InvalidRequest"})


async def test_links_lead_to_the_public_url(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not to the host that the caller names: what a link says is followed with a token."""
    monkeypatch.setenv("MOOR_PUBLIC_URL", "https://gateway.example.net/ml/")
    answer = await app.post("/attach", attach_body())
    url = f"https://gateway.example.net/ml/operations/{answer.json['id']}"
    assert answer.headers["Operation-Location"] == answer.headers["Location"] == url
    conflict = await app.post("/attach", attach_body(namespace="other"))
    assert conflict.error["operationLocation"] == url
    await app.post("/attach", attach_body(computeName="cpu"))
    page = (await app.get("/operations?top=1")).json
    assert page["nextLink"].startswith("https://gateway.example.net/ml/operations?")


async def test_with_a_public_url_that_is_none_nothing_is_begun(
    app: App, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOOR_PUBLIC_URL", "gateway")
    answer = await refused(app, tables, "/attach", attach_body())
    assert (answer.status, answer.error["code"]) == (503, "SettingInvalid")
    assert "MOOR_PUBLIC_URL" in answer.error["message"]


async def test_asking_for_no_plan_is_what_is_done_anyway(app: App) -> None:
    answer = await app.post("/attach?plan=false&code=k", attach_body())
    assert answer.status == 202
    assert answer.json["planOnly"] is False


@pytest.mark.parametrize(("path", "body"), [("attach", attach_body()), ("detach", detach_body())])
async def test_a_plan_is_an_operation_without_a_claim(app: App, tables: Tables, path: str, body: Any) -> None:
    answer = await app.post(f"/{path}?plan=true", body)
    assert answer.status == 202
    assert (answer.json["kind"], answer.json["planOnly"], answer.json["status"]) == (path, True, "NotStarted")
    assert app.engine.started == [
        (f"{path}_plan", f"{answer.json['id']}-1", {"operation": answer.json["id"], "run": 1})
    ]
    assert [row for name in tables.names() if name == "claims" for row in tables.rows(name)] == []
    assert (await app.get(f"/operations/{answer.json['id']}")).json["planOnly"] is True
    (listed,) = (await app.get("/operations")).json["value"]
    assert listed["planOnly"] is True


async def test_a_plan_stands_in_the_way_of_nothing(app: App) -> None:
    plans = [await app.post("/attach?plan=true", attach_body()) for _ in range(2)]
    real = await app.post("/attach", attach_body())
    plans.append(await app.post("/attach?plan=true", attach_body()))
    assert [answer.status for answer in (*plans, real)] == [202] * 4
    assert len({answer.json["id"] for answer in (*plans, real)}) == 4


async def test_a_plan_under_an_id_of_the_callers_own(app: App) -> None:
    mine = {"Operation-Id": "look-first"}
    first = await app.post("/attach?plan=true", attach_body(), mine)
    again = await app.post("/attach?plan=true", attach_body(), mine)
    assert (first.status, again.status) == (202, 200)
    assert again.json["id"] == first.json["id"] == "look-first"
    applied = await app.post("/attach", attach_body(), mine)
    assert (applied.status, applied.error["code"]) == (409, "OperationIdInUse")
    other = await app.post("/attach?plan=true", attach_body(computeName="other"), mine)
    assert (other.status, other.error["code"]) == (409, "OperationIdInUse")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"[]",
        b"null",
        b'"text"',
        b"3",
        b"\xff\xfe",
        b'{"workspaceId": "\xc3\x28"}',
        b"[" * 60_000,
        b'{"computeName": NaN}',
        b'{"computeName": -Infinity}',
        b'{"computeName": ' + b"1" * 5000 + b"}",
        b'{"computeName": "\\ud800"}',
        b'{"\\ud800": 1}',
    ],
)
async def test_a_body_that_is_no_request_is_refused(app: App, tables: Tables, body: bytes) -> None:
    answer = await refused(app, tables, "/attach", body, JSON)
    assert answer.status == 400
    assert answer.error["code"] == "InvalidRequest"


# What nests, from what any reader takes to what none does, and numbers and texts at the edge of JSON.
ODD = (
    *("[" * depth + "]" * depth for depth in (60, 90, 200, 990, 1000, 20_000)),
    *('{"a":' * depth + "1" + "}" * depth for depth in (90, 1000)),
    *("1e999", "-1e999", "NaN", "9" * 4000, "9" * 5000, '"\\ud800"', '"\\udc00\\ud800"', '{"a": 1, "a": 1}', "[[]]"),
)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/attach", {"computeName": "/computeName", "instanceTypes": "/instanceTypes", "extension": "/extension"}),
        ("/attach?plan=true", {"clusterId": "/clusterId", "tags": "/tags", "identity": "/identity"}),
        ("/detach", {"workloads": "/workloads", "cleanUp": "/cleanUp", "more": "/more"}),
        ("/reattach", {"extension": "/extension", "defaultInstanceType": "/defaultInstanceType"}),
        ("/operations/none/approve", {"questionId": "/questionId"}),
        ("/operations/none/cancel", {"reason": "/reason"}),
    ],
)
async def test_what_nests_or_is_at_the_edge_of_json_is_400_where_it_stands(
    app: App, tables: Tables, path: str, fields: dict[str, str]
) -> None:
    for field, place in fields.items():
        for text in ODD:
            answer = await app.post(path, f'{{"{field}": {text}}}'.encode(), JSON)
            assert (answer.status, answer.error["code"]) == (400, "InvalidRequest"), (field, text[:20])
            # Of what no reader takes, the whole body is named.
            named = [detail["target"] for detail in answer.error["details"]]
            assert any(target.startswith(place) or target == "" for target in named), (field, text[:20], named)
    assert tables.rows() == []


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1", "cp037"])
async def test_a_body_in_another_charset_is_refused(app: App, tables: Tables, encoding: str) -> None:
    body = json.dumps(attach_body(description="größer"), ensure_ascii=False).encode(encoding)
    assert (await refused(app, tables, "/attach", body, JSON)).status == 400
    other = await refused(app, tables, "/attach", body, {"Content-Type": f"application/json; charset={encoding}"})
    assert (other.status, other.error["code"]) == (415, "UnsupportedMediaType")


async def test_a_name_given_twice_is_refused(app: App, tables: Tables) -> None:
    body = json.dumps(attach_body(tags={"a": "1"})).replace('"a": "1"', '"a": "1", "a": "2"').encode()
    answer = await refused(app, tables, "/attach", body, JSON)
    assert (answer.status, answer.targets()) == (400, {"/tags/a": "InvalidRequest"})


async def test_a_byte_order_mark_is_passed_over(app: App) -> None:
    assert (await app.post("/attach", b"\xef\xbb\xbf" + json.dumps(attach_body()).encode(), JSON)).status == 202


async def test_a_body_over_64_kib_is_refused_and_one_of_64_kib_is_read(app: App, tables: Tables) -> None:
    body = json.dumps(attach_body()).encode()
    largest = body + b" " * (LARGEST_BODY - len(body))

    over = await refused(app, tables, "/attach", largest + b" ", JSON)
    assert (over.status, over.error["code"]) == (413, "RequestTooLarge")
    assert (await app.post("/attach", largest, JSON)).status == 202


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/xml", "application/json,text/plain", "application/json; charset=latin-1", "json"],
)
async def test_another_content_type_is_refused(app: App, tables: Tables, content_type: str) -> None:
    body = json.dumps(attach_body()).encode()
    answer = await refused(app, tables, "/attach", body, {"Content-Type": content_type})
    assert (answer.status, answer.error["code"]) == (415, "UnsupportedMediaType")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'])
async def test_json_in_utf8_is_taken_however_it_is_spelt(app: App, content_type: str) -> None:
    body = json.dumps(attach_body()).encode()
    assert (await app.post("/attach", body, {"Content-Type": content_type})).status == 202


async def test_the_answer_stands_though_the_engine_does_not_take_the_start(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    app.engine.failing = True
    answer = await app.post("/attach", attach_body())

    assert answer.status == 202
    assert records.read(answer.json["id"]) is not None
    assert f"{answer.json['id']}: is recorded and not started yet" in caplog.text


async def test_an_engine_that_runs_the_instance_already_is_as_good(app: App, caplog: pytest.LogCaptureFixture) -> None:
    app.engine.live = True
    assert (await app.post("/attach", attach_body())).status == 202
    assert "not started yet" not in caplog.text


async def test_storage_that_does_not_answer_is_told_as_an_outage(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AzureWebJobsStorage",
        "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:1/x;",
    )
    forget_clients()
    answer = await app.post("/attach", attach_body())

    assert (answer.status, answer.error["code"]) == (503, "StorageUnavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert app.engine.started == []


async def test_the_principal_is_that_of_the_token_and_no_header_changes_it(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "True")
    headers = {"x-ms-client-principal-name": "eve@example.net", "x-ms-client-principal-id": "42"}
    answer = await app.post("/attach", attach_body(), {**headers, "x-ms-client-principal": "eyJ9"})
    who = answer.json["requestedBy"]
    assert (who["principal"], who["name"]) == (f"{TENANT}:{ADA}", "Ada Asker")
    journal = (await app.get(f"/operations/{answer.json['id']}/journal")).json["value"]
    assert journal[0]["data"] == {"source": "http", "principal": f"{TENANT}:{ADA}", "name": "Ada Asker"}


async def test_answers_point_to_where_the_caller_reached_the_app(app: App) -> None:
    answer = await app.post("https://moor.example.net/api/ATTACH/?code=secret", attach_body())
    assert answer.headers["Location"] == f"{BASE}/operations/{answer.json['id']}"
    assert "secret" not in json.dumps(dict(answer.headers))


async def test_spellings_of_one_target_are_one_target(app: App) -> None:
    spellings = [CLUSTER, CLUSTER.upper(), CLUSTER.lower().lstrip("/"), CLUSTER + "/"]
    answers = [await app.post("/attach", attach_body(clusterId=spelling)) for spelling in spellings]
    assert [answer.status for answer in answers] == [202, 200, 200, 200]
    assert f"/subscriptions/{SUBSCRIPTION}/" in answers[0].json["clusterId"]
