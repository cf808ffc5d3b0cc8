"""POST operations/{id}/cancel, retry, approve and reject: what people decide about an operation."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import azure.durable_functions as df
import azure.functions as func

from domain.access.principal import Caller
from domain.operation.record import (
    APPROVE,
    REJECT,
    Operation,
    RequestedBy,
)
from domain.operation.steps import WAKE
from domain.requests.models import Answer, Decision
from domain.requests.parsing import parse
from domain.requests.strict_json import read_json
from domain.violations import Refused
from gateways import durable
from gateways.durable import start_recorded
from operations import pausing
from operations.allowed import check_answer, check_cancel, check_retry
from operations.cancel import cancel
from operations.decide import NEEDS_IDENTITY, Refusal, decide
from operations.finish_undo import finish_undo
from operations.retry import Retried, retry
from triggers.http.answers import HttpError, operation_answer
from triggers.http.gate import admitted, check_options, requested_by
from triggers.http.queries import find_operation
from triggers.http.request import Parameters, query_of, read_body, read_mode

bp = df.Blueprint()
SaidT = TypeVar("SaidT", bound=Answer | Decision)


@bp.function_name("http_retry_operation")
@bp.route(route="operations/{id}/retry", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def retry_operation(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Continue an operation from where it stands."""
    return await admitted(req, "http_retry_operation", lambda caller: _retry(req, client, caller))


@bp.function_name("http_cancel_operation")
@bp.route(route="operations/{id}/cancel", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def cancel_operation(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Stop an operation at its next safe point, then undo or keep as its request said."""
    return await admitted(req, "http_cancel_operation", lambda caller: _cancel(req, client, caller))


@bp.function_name("http_approve_operation")
@bp.route(route="operations/{id}/approve", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def approve_operation(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Answer yes to an operation that waits for approval."""
    return await admitted(req, "http_approve_operation", lambda caller: _answer(req, client, APPROVE, caller))


@bp.function_name("http_reject_operation")
@bp.route(route="operations/{id}/reject", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def reject_operation(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Answer no to an operation that waits for approval."""
    return await admitted(req, "http_reject_operation", lambda caller: _answer(req, client, REJECT, caller))


async def _answer(
    req: func.HttpRequest, client: df.DurableOrchestrationClient, answer: str, caller: Caller
) -> func.HttpResponse:
    said = _said(req, Answer, Parameters(query_of(req), ()))
    asked_by = requested_by(caller, said.reason)
    before = (await find_operation(req, caller)).operation
    await asyncio.to_thread(check_answer, caller, before, answer == APPROVE)
    decided = await asyncio.to_thread(decide, before.id, said.questionId, answer, asked_by)
    if isinstance(decided, Refusal):
        status = 403 if decided.code == NEEDS_IDENTITY else 409
        raise HttpError(status, decided.code, decided.message, "/questionId")
    asking = next(question.step for question in decided.questions if question.id == said.questionId)
    await durable.wake(client, f"{decided.instance_id}:{asking}", WAKE)
    return operation_answer(202, decided)


async def _wake(client: df.DurableOrchestrationClient, operation: Operation) -> None:
    """A hint only: without it the waiter sees the decision at its next poll."""
    step = operation.current_step
    if step is not None:
        await durable.wake(client, f"{operation.instance_id}:{step.name}", WAKE)


async def _cancel(req: func.HttpRequest, client: df.DurableOrchestrationClient, caller: Caller) -> func.HttpResponse:
    asked_by = _decision(req, caller)
    before = (await find_operation(req, caller)).operation
    await asyncio.to_thread(check_cancel, caller, before)
    operation = await asyncio.to_thread(cancel, before.id, asked_by)
    if operation is None:
        raise HttpError(409, "OperationEnded", "The operation has ended: there is nothing to cancel.", "id")
    await _wake(client, operation)
    return operation_answer(202, operation)


def _decision(req: func.HttpRequest, caller: Caller, parameters: Parameters | None = None) -> RequestedBy:
    """Who decides, and why. Raises HttpError or Refused."""
    decision = _said(req, Decision, parameters or Parameters(query_of(req), ()), required=False)
    return requested_by(caller, decision.reason)


def _said(req: func.HttpRequest, model: type[SaidT], parameters: Parameters, *, required: bool = True) -> SaidT:
    """The body of a decision. Raises HttpError, or Refused with all that is wrong with the body and the query."""
    body = read_body(req, required=required)
    try:
        said = parse(model, read_json(body) if body else {})
    except Refused as error:
        raise Refused((*error.violations, *parameters.violations)) from error
    parameters.check()
    return said


async def _retry(req: func.HttpRequest, client: df.DurableOrchestrationClient, caller: Caller) -> func.HttpResponse:
    parameters = Parameters(query_of(req), ("mode",))
    undo = parameters.take("mode", read_mode, False)
    asked_by = _decision(req, caller, parameters)
    before = (await find_operation(req, caller)).operation
    check_options(caller, "http_retry_operation", before.request)
    await asyncio.to_thread(check_retry, caller, before)
    pausing.check_retry()
    retried: Retried = await asyncio.to_thread(finish_undo if undo else retry, before.id, asked_by)
    if retried.run is None and undo:
        message = "No undo of the operation was cut short, or it has not ended: undo in its answer says what is left."
        raise HttpError(409, "NothingToUndo", message, "id")
    if retried.run is None:
        raise HttpError(409, "NothingToRetry", "The operation has succeeded: nothing is left to do.", "id")
    await start_recorded(client, retried.operation)
    if not before.final:
        await durable.stop(client, before.instance_id, f"run {retried.run} has taken over")
    return operation_answer(202, retried.operation)
