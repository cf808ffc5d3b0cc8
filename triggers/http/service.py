"""GET health and openapi.json: for anybody, without a key, and telling nothing secret."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import azure.durable_functions as df
import azure.functions as func

from domain.version import VERSION
from gateways import durable
from gateways.azure.identity import cloud, credential
from gateways.policy import current
from gateways.settings import SettingError, check_settings, read_paused
from gateways.storage import records
from triggers.http.answers import base_url, json_answer
from triggers.http.gate import admitted
from triggers.http.openapi import document

logger = logging.getLogger(__name__)
bp = df.Blueprint()

_SECONDS = 4.0


@bp.function_name("http_health")
@bp.route(route="health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@bp.durable_client_input(client_name="client")
async def health(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Whether the app works and what it depends on answers: what to ask after a deployment."""
    names = (*CHECKS, _ENGINE)
    results = await asyncio.gather(*(_passes(name, client) for name in names))
    healthy = all(results)
    body: dict[str, object] = {
        "status": "healthy" if healthy else "degraded",
        "version": VERSION,
        "checks": {name: "ok" if ok else "failing" for name, ok in zip(names, results, strict=True)},
    }
    if (paused := _paused()) is not None:
        body["paused"] = paused
    return json_answer(200 if healthy else 503, body)


@bp.function_name("http_openapi")
@bp.route(route="openapi.json", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def openapi(req: func.HttpRequest) -> func.HttpResponse:
    """The OpenAPI document of what is served."""
    return await admitted(req, "http_openapi", lambda caller: _document(req))


async def _document(req: func.HttpRequest) -> func.HttpResponse:
    return json_answer(200, document(base_url(req, 1)))


def _paused() -> str | None:
    """What MOOR_PAUSED says; where its value cannot be used, the check of the settings fails."""
    try:
        return read_paused()
    except SettingError:
        return None


def _check_tables() -> None:
    records.read("health")


def _check_identity() -> None:
    credential().get_token(cloud().scope)


CHECKS: dict[str, Callable[[], object]] = {
    "settings": check_settings,
    "policy": current,
    "tables": _check_tables,
    "identity": _check_identity,
}
_ENGINE = "engine"
# Anybody may call this as often as they like: one check of a kind at a time, in threads of their own, so that a hanging
# dependency never costs the other functions a thread. The engine's client is asynchronous and takes none.
_threads = ThreadPoolExecutor(max_workers=len(CHECKS), thread_name_prefix="health")
_under_way: dict[str, asyncio.Future[bool]] = {}


async def _passes(name: str, client: df.DurableOrchestrationClient) -> bool:
    check = _under_way.get(name)
    if check is None or check.done():
        check = _under_way[name] = asyncio.ensure_future(_run(name, client))
    try:
        async with asyncio.timeout(_SECONDS):
            return await asyncio.shield(check)
    except TimeoutError:
        return False


async def _run(name: str, client: df.DurableOrchestrationClient) -> bool:
    try:
        if name == _ENGINE:
            await durable.status(client, "health")  # No instance has this id: what counts is that there is an answer.
        else:
            await asyncio.get_running_loop().run_in_executor(_threads, CHECKS[name])
    except Exception as error:  # Whatever it is: the check fails, and only the log says why.
        logger.warning("health: %s: %s: %s", name, type(error).__name__, error)
        return False
    return True
