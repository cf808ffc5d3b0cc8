"""GET operations: one as a status monitor, lists, and the journal. Reads the tables only, never the engine."""

from __future__ import annotations

import asyncio
import hashlib
import re

import azure.durable_functions as df
import azure.functions as func

from domain.requests.fields import OPERATION_ID
from domain.version import VERSION
from gateways.storage import record_list, records
from gateways.storage.records import Stored
from triggers.http.answers import (
    HttpError,
    answered,
    base_url,
    entry_to_json,
    json_answer,
    operation_answer,
    operation_to_json,
    retry_after,
)
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
    return await answered(_list(req))


@bp.function_name("http_get_operation")
@bp.route(route="operations/{id}", methods=["GET"])
async def get_operation(req: func.HttpRequest) -> func.HttpResponse:
    """One operation. Unknown query parameters are passed over: there are no options that could be misspelt."""
    return await answered(_get(req))


@bp.function_name("http_get_journal")
@bp.route(route="operations/{id}/journal", methods=["GET"])
async def get_journal(req: func.HttpRequest) -> func.HttpResponse:
    """What an operation did and decided, oldest first."""
    return await answered(_journal(req))


async def _list(req: func.HttpRequest) -> func.HttpResponse:
    parameters = Parameters(query_of(req), (*FILTERS, *PAGING))
    wanted = read_filter(parameters)
    top = parameters.take("top", whole_number(1, MOST_OPERATIONS), DEFAULT_OPERATIONS)
    after = parameters.take("continuationToken", read_position, "")
    parameters.check()
    page = await asyncio.to_thread(record_list.page, wanted, top, after)
    body = {"value": [operation_to_json(operation) for operation in page.operations]}
    if page.next_position is None:
        return json_answer(200, body)
    url = f"{base_url(req, 1)}/operations"
    return json_answer(200, {**body, "nextLink": parameters.next_link(url, token_of(page.next_position))})


async def _get(req: func.HttpRequest) -> func.HttpResponse:
    stored = await find_operation(req)
    etag = _etag(stored)
    if _matches(req.headers.get("If-None-Match", ""), etag):
        headers = {"ETag": etag, **retry_after(stored.operation)}
        return func.HttpResponse(status_code=304, headers=headers, mimetype="application/json")
    return operation_answer(200, stored.operation, {"ETag": etag})


async def _journal(req: func.HttpRequest) -> func.HttpResponse:
    parameters = Parameters(query_of(req), PAGING)
    top = parameters.take("top", whole_number(1, MOST_ENTRIES), DEFAULT_ENTRIES)
    after = parameters.take("continuationToken", read_sequence, 0)
    parameters.check()
    operation = (await find_operation(req)).operation
    entries = await asyncio.to_thread(records.journal, operation.id, after, top)
    body = {"value": [entry_to_json(entry) for entry in entries]}
    # Entries are numbered without a gap and the head counts them.
    if not entries or entries[-1].sequence >= operation.journal_length:
        return json_answer(200, body)
    url = f"{base_url(req, 3)}/operations/{operation.id}/journal"
    return json_answer(200, {**body, "nextLink": parameters.next_link(url, token_of(entries[-1].sequence))})


async def find_operation(req: func.HttpRequest) -> Stored:
    """The operation that the path names. Raises HttpError 404."""
    operation_id = req.route_params.get("id", "")
    # An id that no operation can have is not looked up: it may hold what is illegal in a table key.
    stored = await asyncio.to_thread(records.read, operation_id) if re.fullmatch(OPERATION_ID, operation_id) else None
    if stored is None:
        raise HttpError(404, "OperationNotFound", "There is no operation of this id.", "id")
    return stored


def _etag(stored: Stored) -> str:
    """A strong tag: another record, or another version of the code that renders it, is another representation."""
    return f'"{hashlib.sha256(f"{VERSION} {stored.etag}".encode()).hexdigest()[:32]}"'


def _matches(header: str, etag: str) -> bool:
    """If-None-Match: a list of tags, weak ones compared as strong ones (RFC 9110, 13.1.2), or ``*``."""
    return header.strip() == "*" or etag in re.findall(r'"[^"]*"', header)
