"""POST attach, detach and reattach: read the request, accept it, record it, start the engine."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

import azure.durable_functions as df
import azure.functions as func

from domain.access.principal import Caller
from domain.requests.fields import OPERATION_ID
from domain.requests.parsing import parse_request
from domain.requests.strict_json import read_json
from domain.violations import INVALID, Refused, Violation
from gateways.durable import start_recorded
from operations.accept import Conflict, Submission, accept, submission_of
from triggers.http.answers import (
    HttpError,
    base_url,
    operation_answer,
    operation_url,
)
from triggers.http.gate import admitted, check_options, requested_by
from triggers.http.request import Parameters, query_of, read_body, read_plan

bp = df.Blueprint()

_OPERATION_ID_HEADER = "Operation-Id"


@bp.function_name("http_attach")
@bp.route(route="attach", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def attach(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Attach a cluster to a workspace."""
    return await admitted(req, "http_attach", lambda caller: _start(req, client, "attach", caller))


@bp.function_name("http_detach")
@bp.route(route="detach", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def detach(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Detach a compute from its workspace."""
    return await admitted(req, "http_detach", lambda caller: _start(req, client, "detach", caller))


@bp.function_name("http_reattach")
@bp.route(route="reattach", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def reattach(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Detach a compute and attach it again, with changes."""
    return await admitted(req, "http_reattach", lambda caller: _start(req, client, "reattach", caller))


async def _start(
    req: func.HttpRequest, client: df.DurableOrchestrationClient, kind: str, caller: Caller
) -> func.HttpResponse:
    submission = _submission(req, kind, caller)
    check_options(caller, f"http_{kind}", submission.request)
    base = base_url(req, 1)
    decided = await asyncio.to_thread(accept, submission)
    if decided.fresh:
        await start_recorded(client, decided.holder if isinstance(decided, Conflict) else decided.operation)
    if isinstance(decided, Conflict):
        raise _conflict(decided, base)
    url = operation_url(base, decided.operation.id)
    headers = {"Operation-Location": url, "Location": url}
    return operation_answer(202 if decided.fresh else 200, decided.operation, headers)


def _submission(req: func.HttpRequest, kind: str, caller: Caller) -> Submission:
    """The request as it is to be accepted. Raises HttpError, or Refused with all that is wrong with it."""
    body = read_body(req)
    plan_only, violations = _read_plan(query_of(req))
    violations += _header_violations(req.headers)
    try:
        request = parse_request(kind, read_json(body))
    except Refused as refused:
        raise Refused([*refused.violations, *violations]) from refused
    if violations:
        raise Refused(violations)
    asked_by = requested_by(caller, request.reason)
    asked = submission_of(kind, request, asked_by, req.headers.get(_OPERATION_ID_HEADER), caller)
    return replace(asked, plan_only=plan_only)


def _read_plan(query: Mapping[str, str]) -> tuple[bool, list[Violation]]:
    """Whether only a plan is asked for, and what is wrong with the query."""
    parameters = Parameters(query, {"plan"})
    plan_only = parameters.take("plan", read_plan, False)
    return plan_only, parameters.violations


def _header_violations(headers: Mapping[str, str]) -> Iterator[Violation]:
    given = headers.get(_OPERATION_ID_HEADER)
    if given is not None and not re.fullmatch(OPERATION_ID, given):
        message = "must be 1 to 64 letters, digits, dots, underscores and hyphens, a letter or digit first"
        yield Violation(INVALID, message, _OPERATION_ID_HEADER)


def _conflict(conflict: Conflict, base: str) -> HttpError:
    holder = conflict.holder
    if conflict.foreign:
        return HttpError(409, "OperationIdInUse", "The id is in use; choose another one.", _OPERATION_ID_HEADER)
    if conflict.same_id:
        code, target = "OperationIdInUse", _OPERATION_ID_HEADER
        message = f"The id {holder.id} stands for another request; choose another one."
    else:
        code, target = "OperationConflict", "/computeName"
        message = (
            f"The operation {holder.id} ({holder.kind}) is at work on the compute {holder.compute_name}. "
            "Wait for its end, then send this request again."
        )
    url = operation_url(base, holder.id)
    return HttpError(409, code, message, target, operation_id=holder.id, operation_url=url)
