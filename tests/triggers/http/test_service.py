from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import azure.functions as func
import pytest

from domain.version import VERSION
from tests.conftest import forget_clients
from tests.triggers.http.http_app import BASE, Answer, App
from triggers.http import models as answer_models
from triggers.http import service as http_service

ALL_OK = {"tables": "ok", "identity": "ok", "engine": "ok"}


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The checks pass, except those that are put in here as failing or hanging."""
    told: dict[str, str] = {}
    release = threading.Event()

    def check(name: str) -> None:
        if told.get(name) == "failing":
            raise RuntimeError("it does not answer")
        if told.get(name) == "hanging":
            release.wait(30)

    monkeypatch.setattr(http_service, "CHECKS", {name: lambda n=name: check(n) for name in ("tables", "identity")})
    monkeypatch.setattr(http_service, "_under_way", {})
    monkeypatch.setattr(http_service, "_SECONDS", 0.2)
    yield told
    release.set()


async def health(app: App) -> Answer:
    answer = await app.get("/health?anything=goes")
    answer_models.Health.model_validate(answer.json)
    assert answer.headers["Content-Type"] == "application/json"
    return answer


@pytest.mark.usefixtures("checks")
async def test_healthy_when_everything_answers(app: App) -> None:
    answer = await health(app)
    assert answer.status == 200
    assert answer.json == {"status": "healthy", "version": VERSION, "checks": ALL_OK}


async def test_degraded_when_something_fails_and_the_log_says_why(
    app: App, checks: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    checks["identity"] = "failing"
    answer = await health(app)
    assert answer.status == 503
    assert answer.json == {"status": "degraded", "version": VERSION, "checks": {**ALL_OK, "identity": "failing"}}
    assert "it does not answer" not in answer.body.decode()
    assert "health: identity: RuntimeError: it does not answer" in caplog.text


@pytest.mark.usefixtures("checks")
async def test_a_pause_is_shown(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in ("starts", "all"):
        monkeypatch.setenv("MOOR_PAUSED", setting)
        answer = await health(app)
        assert (answer.status, answer.json["paused"]) == (200, setting)
    monkeypatch.setenv("MOOR_PAUSED", "no")
    assert "paused" not in (await health(app)).json


async def test_a_hanging_check_is_bounded_and_not_piled_up(app: App, checks: dict[str, str]) -> None:
    checks["tables"] = "hanging"
    began = time.monotonic()
    answers = await asyncio.gather(*(health(app) for _ in range(20)))
    # They hang for half a minute.
    assert time.monotonic() - began < 25
    assert {answer.status for answer in answers} == {503}
    assert answers[0].json["checks"] == {**ALL_OK, "tables": "failing"}
    waiting = [thread for thread in threading.enumerate() if thread.name.startswith("health")]
    assert len(waiting) <= http_service._threads._max_workers < 20


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks as they are, but for the one of the identity, which there is none of here."""
    kept = {name: http_service.CHECKS[name] for name in ("settings", "tables")}
    monkeypatch.setattr(http_service, "CHECKS", kept)
    monkeypatch.setattr(http_service, "_under_way", {})


@pytest.mark.usefixtures("real")
async def test_tables_settings_and_engine_are_really_asked(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = await health(app)
    assert (answer.status, answer.json["checks"]) == (200, {"settings": "ok", "tables": "ok", "engine": "ok"})

    monkeypatch.setenv("MOOR_HISTORY_DAYS", "many")
    assert (await health(app)).json["checks"] == {"settings": "failing", "tables": "ok", "engine": "ok"}
    monkeypatch.delenv("MOOR_HISTORY_DAYS")

    app.engine.failing = True
    answer = await health(app)
    assert (answer.status, answer.json["status"]) == (503, "degraded")
    assert answer.json["checks"] == {"settings": "ok", "tables": "ok", "engine": "failing"}


@pytest.mark.usefixtures("real")
async def test_tables_that_do_not_answer(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        where = f"http://127.0.0.1:{nobody.getsockname()[1]}/devstoreaccount1"
        account = "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=aaaa"
        monkeypatch.setenv("AzureWebJobsStorage", f"{account};TableEndpoint={where};")
        forget_clients()
        answer = await health(app)
    assert answer.json["checks"] == {"settings": "ok", "tables": "failing", "engine": "ok"}


async def test_the_document_is_for_anybody_and_points_to_where_it_was_asked(app: App) -> None:
    answer = await app.get("/openapi.json")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["servers"] == [{"url": BASE}]


def test_only_health_and_the_document_need_no_key(app: App) -> None:
    anonymous = {f.route for f in app.functions if f.auth_level is func.AuthLevel.ANONYMOUS}
    assert anonymous == {"health", "openapi.json"}
    assert {f.auth_level for f in app.functions if f.route not in anonymous} == {func.AuthLevel.FUNCTION}
