"""GET operations: one as a status monitor, lists, and the journal. Reads the tables only, never the engine."""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import replace

import azure.durable_functions as df
import azure.functions as func

from domain.access.principal import Caller
from domain.requests.fields import OPERATION_ID
from domain.version import VERSION
from gateways.storage import record_list, records
from gateways.storage.record_list import Filter, Page
from gateways.storage.records import Stored
from operations.allowed import visible_to
from triggers.http.answers import (
    HttpError,
    base_url,
    entry_to_json,
    json_answer,
    operation_answer,
    operation_to_json,
    retry_after,
)
from triggers.http.gate import admitted
from triggers.http.request import (
    Parameters,
    query_of,
    read_filter,
    read_position,
    read_sequence,
    token_of,
    whole_number,
)

bp = df.Blueprint()

FILTERS = ("status", "kind", "workspaceId", "clusterId", "computeName")
PAGING = ("top", "continuationToken")
DEFAULT_OPERATIONS, MOST_OPERATIONS = 50, 200
DEFAULT_ENTRIES, MOST_ENTRIES = 200, 1000


@bp.function_name("http_list_operations")
@bp.route(route="operations", methods=["GET"])
async def list_operations(req: func.HttpRequest) -> func.HttpResponse:
    """Operations, newest first."""
    return await admitted(req, "http_list_operations", lambda caller: _list(req, caller))


@bp.function_name("http_get_operation")
@bp.route(route="operations/{id}", methods=["GET"])
async def get_operation(req: func.HttpRequest) -> func.HttpResponse:
    """One operation. Unknown query parameters are passed over: there are no options that could be misspelt."""
    return await admitted(req, "http_get_operation", lambda caller: _get(req, caller))


@bp.function_name("http_get_journal")
@bp.route(route="operations/{id}/journal", methods=["GET"])
async def get_journal(req: func.HttpRequest) -> func.HttpResponse:
    """What an operation did and decided, oldest first."""
    return await admitted(req, "http_get_journal", lambda caller: _journal(req, caller))


async def _list(req: func.HttpRequest, caller: Caller) -> func.HttpResponse:
    parameters = Parameters(query_of(req), (*FILTERS, *PAGING))
    wanted = read_filter(parameters)
    top = parameters.take("top", whole_number(1, MOST_OPERATIONS), DEFAULT_OPERATIONS)
    after = parameters.take("continuationToken", read_position, "")
    parameters.check()
    page = await asyncio.to_thread(_page, caller, wanted, top, after)
    body = {"value": [operation_to_json(operation) for operation in page.operations]}
    if page.next_position is None:
        return json_answer(200, body)
    url = f"{base_url(req, 1)}/operations"
    return json_answer(200, {**body, "nextLink": parameters.next_link(url, token_of(page.next_position))})


def _page(caller: Caller, wanted: Filter, top: int, after: str) -> Page:
    return record_list.page(replace(wanted, visible=visible_to(caller)), top, after)


async def _get(req: func.HttpRequest, caller: Caller) -> func.HttpResponse:
    stored = await find_operation(req, caller)
    etag = _etag(stored)
    if _matches(req.headers.get("If-None-Match", ""), etag):
        headers = {"ETag": etag, **retry_after(stored.operation)}
        return func.HttpResponse(status_code=304, headers=headers, mimetype="application/json")
    return operation_answer(200, stored.operation, {"ETag": etag})


async def _journal(req: func.HttpRequest, caller: Caller) -> func.HttpResponse:
    parameters = Parameters(query_of(req), PAGING)
    top = parameters.take("top", whole_number(1, MOST_ENTRIES), DEFAULT_ENTRIES)
    after = parameters.take("continuationToken", read_sequence, 0)
    parameters.check()
    operation = (await find_operation(req, caller)).operation
    entries = await asyncio.to_thread(records.journal, operation.id, after, top)
    body = {"value": [entry_to_json(entry) for entry in entries]}
    # Entries are numbered without a gap and the head counts them.
    if not entries or entries[-1].sequence >= operation.journal_length:
        return json_answer(200, body)
    url = f"{base_url(req, 3)}/operations/{operation.id}/journal"
    return json_answer(200, {**body, "nextLink": parameters.next_link(url, token_of(entries[-1].sequence))})


async def find_operation(req: func.HttpRequest, caller: Caller) -> Stored:
    """The operation that the path names, as far as its caller may see it. Raises HttpError 404 or PolicyUnavailable."""
    operation_id = req.route_params.get("id", "")
    # An id that no operation can have is not looked up: it may hold what is illegal in a table key.
    sound = re.fullmatch(OPERATION_ID, operation_id) is not None
    stored = await asyncio.to_thread(_visible, caller, operation_id) if sound else None
    if stored is None:
        raise HttpError(404, "OperationNotFound", "There is no operation of this id.", "id")
    return stored


def _visible(caller: Caller, operation_id: str) -> Stored | None:
    sees = visible_to(caller)
    stored = records.read(operation_id)
    return stored if stored is not None and sees(stored.operation) else None


def _etag(stored: Stored) -> str:
    """A strong tag: another record, or another version of the code that renders it, is another representation."""
    return f'"{hashlib.sha256(f"{VERSION} {stored.etag}".encode()).hexdigest()[:32]}"'


def _matches(header: str, etag: str) -> bool:
    """If-None-Match: a list of tags, weak ones compared as strong ones (RFC 9110, 13.1.2), or ``*``."""
    return header.strip() == "*" or etag in re.findall(r'"[^"]*"', header)
