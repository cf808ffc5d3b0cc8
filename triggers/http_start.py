"""POST attach and detach: read the request, accept it, record it, start the engine."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Iterator, Mapping

import azure.durable_functions as df
import azure.functions as func

from activities.acceptance import Accepted, Conflict, Submission, accept
from domain.operations import RequestedBy
from domain.requests import OPERATION_ID, AttachRequest, Request, parse_request, request_to_json
from domain.strict_json import read_json
from domain.violations import INVALID, Refused, Violation
from gateways import engine
from triggers.http_answers import HttpError, answered, base_url, operation_answer, operation_url
from triggers.http_parameters import Parameters, read_plan

logger = logging.getLogger(__name__)
bp = df.Blueprint()

LARGEST_BODY = 64 * 1024
_OPERATION_ID_HEADER = "Operation-Id"
# The record stands once a request is accepted: an engine that is slow to take it does not keep the caller waiting.
_START_SECONDS = 10
_LONGEST_PRINCIPAL = 256


@bp.function_name("http_attach")
@bp.route(route="attach", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def attach(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Attach a cluster to a workspace."""
    return await answered(_start(req, client, "attach"))


@bp.function_name("http_detach")
@bp.route(route="detach", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def detach(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Detach a compute from its workspace."""
    return await answered(_start(req, client, "detach"))


async def _start(req: func.HttpRequest, client: df.DurableOrchestrationClient, kind: str) -> func.HttpResponse:
    submission = _submission(req, kind)
    decided = await asyncio.to_thread(accept, submission)
    base = base_url(req, 1)
    if isinstance(decided, Conflict):
        raise _conflict(decided, base)
    if decided.fresh:
        await _start_engine(client, decided)
    url = operation_url(base, decided.operation.id)
    headers = {"Operation-Location": url, "Location": url}
    return operation_answer(202 if decided.fresh else 200, decided.operation, headers)


async def _start_engine(client: df.DurableOrchestrationClient, accepted: Accepted) -> None:
    """Start the engine instance. When that fails nothing is lost: the timer starts what stands recorded."""
    try:
        async with asyncio.timeout(_START_SECONDS):
            await engine.start_operation(client, accepted.operation)
    except (engine.EngineError, TimeoutError) as error:
        logger.warning("%s: is recorded and not started yet: %r", accepted.operation.id, error)


def _submission(req: func.HttpRequest, kind: str) -> Submission:
    """The request as it is to be accepted. Raises HttpError, or Refused with all that is wrong with it."""
    body = _body(req)
    violations = [*_parameter_violations(req.params), *_header_violations(req.headers)]
    try:
        request = parse_request(kind, read_json(body))
    except Refused as refused:
        raise Refused([*refused.violations, *violations]) from refused
    if violations:
        raise Refused(violations)
    return Submission(
        kind=kind,
        request=request_to_json(request),
        workspace_id=request.workspaceId,
        compute_name=request.computeName,
        requested_by=_requested_by(req.headers, request),
        cluster_id=request.clusterId if isinstance(request, AttachRequest) else None,
        operation_id=req.headers.get(_OPERATION_ID_HEADER),
    )


def _body(req: func.HttpRequest) -> bytes:
    body: bytes = req.get_body()
    if len(body) > LARGEST_BODY:
        raise HttpError(413, "RequestTooLarge", f"The body has {len(body)} bytes; {LARGEST_BODY} are taken.")
    media_type, *options = [part.strip().lower() for part in req.headers.get("Content-Type", "").split(";")]
    charsets = [option.removeprefix("charset=").strip('"') for option in options if option.startswith("charset=")]
    if media_type != "application/json" or any(charset not in ("utf-8", "utf8") for charset in charsets):
        raise HttpError(415, "UnsupportedMediaType", "The body must be application/json in UTF-8.", "Content-Type")
    if not body:
        # Of a chunked request the Functions host hands on no body.
        message = "There is no body. Send one with a Content-Length; chunked bodies do not arrive."
        raise Refused([Violation(INVALID, message, "")])
    return body


def _parameter_violations(query: Mapping[str, str]) -> list[Violation]:
    parameters = Parameters(query, {"plan"})
    parameters.take("plan", read_plan, False)
    return parameters.violations


def _header_violations(headers: Mapping[str, str]) -> Iterator[Violation]:
    given = headers.get(_OPERATION_ID_HEADER)
    if given is not None and not re.fullmatch(OPERATION_ID, given):
        message = "must be 1 to 64 letters, digits, dots, underscores and hyphens, a letter or digit first"
        yield Violation(INVALID, message, _OPERATION_ID_HEADER)


def _requested_by(headers: Mapping[str, str], request: Request) -> RequestedBy:
    return RequestedBy(source="http", principal=_principal(headers), reason=request.reason)


def _principal(headers: Mapping[str, str]) -> str | None:
    """Who signed in, where App Service authentication is on.

    Only then does App Service set these headers and take away what a caller put there (WEBSITE_AUTH_ENABLED, the
    test that Microsoft.Identity.Web makes); elsewhere anybody could write any name into the record.
    """
    if os.environ.get("WEBSITE_AUTH_ENABLED", "").lower() != "true":
        return None
    name = headers.get("x-ms-client-principal-name") or headers.get("x-ms-client-principal-id")
    return name[:_LONGEST_PRINCIPAL] if name else None


def _conflict(conflict: Conflict, base: str) -> HttpError:
    holder = conflict.holder
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
