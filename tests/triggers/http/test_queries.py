from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from domain.operation.record import (
    SUCCEEDED,
    JournalEntry,
    Operation,
    RequestedBy,
)
from gateways.storage import records
from gateways.storage.records import Change
from tests.conftest import forget_clients
from tests.triggers.http.http_app import (
    BASE,
    CLUSTER,
    WORKSPACE,
    App,
    escaped,
)
from triggers.http import models as answer_models

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def record(number: int, **changes: Any) -> Operation:
    """An operation as recorded, the higher its number the newer."""
    made = NOW + timedelta(minutes=number)
    operation = Operation(
        id=f"op-{number}",
        kind="attach",
        status="Running",
        request={},
        fingerprint="f",
        requested_by=RequestedBy("http"),
        created_time=made,
        updated_time=made,
        workspace_id=WORKSPACE,
        cluster_id=CLUSTER,
        compute_name="gpu",
    )
    return records.insert(replace(operation, **changes), [JournalEntry("operation", "accepted", made)])


def end(operation_id: str) -> None:
    records.change(operation_id, None, lambda o: Change(replace(o, status=SUCCEEDED, finished_time=NOW)), NOW)


async def listed(app: App, query: str = "") -> list[str]:
    answer = await app.get(f"/operations{query}")
    assert answer.status == 200, answer.body
    answer_models.OperationPage.model_validate(answer.json)
    assert "nextLink" not in answer.json
    return [operation["id"] for operation in answer.json["value"]]


async def test_an_operation_is_a_status_monitor(app: App) -> None:
    record(1)
    running = await app.get("/operations/op-1")
    assert running.status == 200
    answer_models.Operation.model_validate(running.json)
    assert int(running.headers["Retry-After"]) > 0
    assert running.headers["Content-Type"] == "application/json"

    end("op-1")
    finished = await app.get("/operations/op-1?code=key&whatever=1")
    assert finished.json["status"] == "Succeeded"
    assert "Retry-After" not in finished.headers


async def test_an_unchanged_operation_is_not_sent_again(app: App) -> None:
    record(1)
    etag = (await app.get("/operations/op-1")).headers["ETag"]
    assert etag.startswith('"')
    assert etag.endswith('"')

    for header in (etag, f"W/{etag}", f'"other", {etag}', f'"other",{etag}', "*"):
        same = await app.get("/operations/op-1", {"If-None-Match": header})
        assert (same.status, same.body, same.headers["ETag"]) == (304, b"", etag)
        assert int(same.headers["Retry-After"]) > 0
    assert (await app.get("/operations/op-1", {"If-None-Match": '"other"'})).status == 200

    end("op-1")
    changed = await app.get("/operations/op-1", {"If-None-Match": etag})
    assert changed.status == 200
    assert changed.headers["ETag"] != etag
    same = await app.get("/operations/op-1", {"If-None-Match": changed.headers["ETag"]})
    assert same.status == 304
    assert "Retry-After" not in same.headers


@pytest.mark.parametrize(
    "operation_id",
    ["unknown", "a" * 2000, "a'b", "a;b", "a/b", "..%2F..", "a b", "\x00", "\x1f\n", "ü", "💥", "' or '1' eq '1", "-"],
)
@pytest.mark.parametrize("rest", ["", "/journal"])
async def test_an_id_of_no_operation_is_not_found(app: App, operation_id: str, rest: str) -> None:
    record(1)
    answer = await app.get(f"/operations/{escaped(operation_id)}{rest}")
    assert (answer.status, answer.error["code"]) == (404, "OperationNotFound")


async def test_lists_are_newest_first_and_filtered(app: App) -> None:
    other_workspace, other_cluster = WORKSPACE.replace("research", "other"), CLUSTER.replace("gpu1", "gpu2")
    record(1)
    record(2, kind="detach", cluster_id=None)
    record(3, compute_name="other", status="Failed")
    record(4, workspace_id=other_workspace, cluster_id=other_cluster)
    end("op-1")

    workspace, cluster = escaped(WORKSPACE), escaped(CLUSTER)
    assert await listed(app) == ["op-4", "op-3", "op-2", "op-1"]
    assert await listed(app, "?status=Running") == ["op-4", "op-2"]
    assert await listed(app, "?status=Succeeded,Failed") == ["op-3", "op-1"]
    assert await listed(app, "?status=Succeeded&status=Failed") == ["op-3", "op-1"]
    assert await listed(app, "?status=NotStarted") == []
    assert await listed(app, "?kind=detach") == ["op-2"]
    assert await listed(app, "?kind=attach&status=Running,Running") == ["op-4"]
    assert await listed(app, f"?workspaceId={workspace}") == ["op-3", "op-2", "op-1"]
    assert await listed(app, f"?workspaceId={escaped(WORKSPACE.upper().strip('/'))}") == ["op-3", "op-2", "op-1"]
    assert await listed(app, f"?workspaceId={workspace}&status=Failed") == ["op-3"]
    assert await listed(app, f"?workspaceId={workspace}&computeName=GPU") == ["op-2", "op-1"]
    assert await listed(app, f"?workspaceId={workspace}&computeName=GPU&clusterId={cluster}") == ["op-1"]
    assert await listed(app, f"?clusterId={cluster}") == ["op-3", "op-1"]
    assert await listed(app, f"?clusterId={escaped(other_cluster)}&workspaceId={workspace}") == []
    assert await listed(app, "?computeName=gpu") == ["op-4", "op-2", "op-1"]
    assert await listed(app, f"?computeName={'x' * 3000}") == []


async def test_pages_follow_each_other_to_the_end_and_lose_nothing(app: App) -> None:
    for number in range(7):
        record(number, status="Running" if number % 2 else "Waiting")

    for query in ("?top=3", "?status=Running,Waiting&top=3", f"?top=3&workspaceId={escaped(WORKSPACE)}&code=key"):
        url: str | None = f"/operations{query}"
        seen = []
        while url:
            page = await app.get(url)
            answer_models.OperationPage.model_validate(page.json)
            assert len(page.json["value"]) <= 3
            seen += [operation["id"] for operation in page.json["value"]]
            url = page.json.get("nextLink")
            if url:
                assert url.startswith(f"{BASE}/operations?")
                assert "code" not in parse_qs(urlsplit(url).query)
        assert seen == [f"op-{number}" for number in reversed(range(7))]


async def test_operations_that_come_between_pages_do_not_shift_them(app: App) -> None:
    for number in range(4):
        record(number)
    first = await app.get("/operations?top=2")
    record(9)
    second = await app.get(first.json["nextLink"])
    assert [operation["id"] for operation in second.json["value"]] == ["op-1", "op-0"]


@pytest.mark.parametrize(
    ("query", "targets"),
    [
        ("top=abc", ["top"]),
        ("top=0", ["top"]),
        ("top=201", ["top"]),
        ("top=-1", ["top"]),
        ("top=1.0", ["top"]),
        ("top=%2B5", ["top"]),
        ("top=%D9%A3", ["top"]),
        ("top=5&top=6", ["top"]),
        (f"top={'9' * 5000}", ["top"]),
        ("status=Nope", ["status"]),
        ("status=Running,", ["status"]),
        ("status=running", ["status"]),
        ("kind=nope", ["kind"]),
        ("workspaceId=nope", ["workspaceId"]),
        (f"workspaceId={escaped(CLUSTER)}", ["workspaceId"]),
        (f"clusterId={escaped(WORKSPACE)}", ["clusterId"]),
        ("workspaceId=%00", ["workspaceId"]),
        ("continuationToken=nope", ["continuationToken"]),
        ("continuationToken=%C3%BC", ["continuationToken"]),
        ("Top=5", ["Top"]),
        ("filter=x&top=0&kind=x", ["filter", "kind", "top"]),
    ],
)
async def test_bad_parameters_are_refused_all_at_once(app: App, query: str, targets: list[str]) -> None:
    answer = await app.get(f"/operations?{query}")
    assert (answer.status, answer.error["code"]) == (400, "InvalidRequest")
    assert answer.targets() == dict.fromkeys(targets, "InvalidRequest")


async def test_a_kind_of_later_work_is_refused_by_name(app: App) -> None:
    answer = await app.get("/operations?kind=fleetAttach")
    assert (answer.status, answer.targets()) == (400, {"kind": "NotAvailableYet"})


@pytest.mark.parametrize(
    "place",
    [None, 1, "", "x", "000000000000000;op' or RowKey ne '", "000000000000000;op\n", "0;op", ["a"], {"a": 1}, True],
)
async def test_a_token_that_was_not_handed_out_is_refused(app: App, place: Any) -> None:
    for value in ({"after": place}, place):
        token = base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
        answer = await app.get(f"/operations?continuationToken={escaped(token)}")
        assert (answer.status, answer.targets()) == (400, {"continuationToken": "InvalidRequest"})


@pytest.mark.parametrize("place", [None, -1, 1.0, "1", 10**20, True, []])
async def test_a_journal_token_that_was_not_handed_out_is_refused(app: App, place: Any) -> None:
    record(1)
    token = base64.urlsafe_b64encode(json.dumps({"after": place}).encode()).decode()
    answer = await app.get(f"/operations/op-1/journal?continuationToken={escaped(token)}")
    assert (answer.status, answer.targets()) == (400, {"continuationToken": "InvalidRequest"})


async def test_the_journal_is_read_page_by_page_oldest_first(app: App) -> None:
    record(1)
    for number in range(4):
        entry = JournalEntry("resolve", f"event-{number}", NOW, attempt=1, message="m", data={"n": number})
        records.change("op-1", None, lambda o, e=entry: Change(o, [e]), NOW)  # type: ignore[misc]

    whole = await app.get("/operations/op-1/journal")
    answer_models.JournalPage.model_validate(whole.json)
    assert [entry["sequence"] for entry in whole.json["value"]] == [1, 2, 3, 4, 5]
    assert "nextLink" not in whole.json

    first = await app.get("/operations/op-1/journal?top=2&code=key")
    second = await app.get(first.json["nextLink"])
    third = await app.get(second.json["nextLink"])
    assert first.json["nextLink"].startswith(f"{BASE}/operations/op-1/journal?top=2&continuationToken=")
    assert [*first.json["value"], *second.json["value"], *third.json["value"]] == whole.json["value"]
    assert "nextLink" not in third.json


@pytest.mark.parametrize("query", ["top=0", "top=1001", "top=x", "after=1", "status=Running"])
async def test_bad_journal_parameters_are_refused(app: App, query: str) -> None:
    record(1)
    answer = await app.get(f"/operations/op-1/journal?{query}")
    assert (answer.status, answer.error["code"]) == (400, "InvalidRequest")


async def test_storage_that_does_not_answer_is_told_as_an_outage(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AzureWebJobsStorage")
    forget_clients()
    for path in ("/operations", "/operations/op-1", "/operations/op-1/journal"):
        answer = await app.get(path)
        assert (answer.status, answer.error["code"]) == (503, "StorageUnavailable")
