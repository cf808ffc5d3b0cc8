"""POST operations/{id}/cancel, retry, approve and reject: what people decide about an operation."""

from __future__ import annotations

import asyncio

import azure.durable_functions as df
import azure.functions as func

from domain.operation.record import (
    APPROVE,
    REJECT,
    Operation,
    RequestedBy,
)
from domain.operation.steps import WAKE
from domain.requests.models import Decision
from domain.requests.parsing import parse
from domain.requests.strict_json import read_json
from gateways import durable
from gateways.durable import start_recorded
from operations.cancel import cancel
from operations.decide import Refusal, decide
from operations.retry import Retried, retry
from triggers.http.answers import HttpError, answered, operation_answer
from triggers.http.queries import find_operation
from triggers.http.request import Parameters, principal, query_of, read_body

bp = df.Blueprint()


@bp.function_name("http_retry_operation")
@bp.route(route="operations/{id}/retry", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def retry_operation(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Continue an operation from where it stands."""
    return await answered(_retry(req, client))


@bp.function_name("http_cancel_operation")
@bp.route(route="operations/{id}/cancel", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def cancel_operation(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Stop an operation at its next safe point, then undo or keep as its request said."""
    return await answered(_cancel(req, client))


@bp.function_name("http_approve_operation")
@bp.route(route="operations/{id}/approve", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def approve_operation(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Answer yes to an operation that waits for approval."""
    return await answered(_answer(req, client, APPROVE))


@bp.function_name("http_reject_operation")
@bp.route(route="operations/{id}/reject", methods=["POST"])
@bp.durable_client_input(client_name="client")
async def reject_operation(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Answer no to an operation that waits for approval."""
    return await answered(_answer(req, client, REJECT))


async def _answer(req: func.HttpRequest, client: df.DurableOrchestrationClient, answer: str) -> func.HttpResponse:
    asked_by = _decision(req)
    before = (await find_operation(req)).operation
    decided = await asyncio.to_thread(decide, before.id, answer, asked_by)
    if isinstance(decided, Refusal):
        raise HttpError(409, decided.code, decided.message, "id")
    await _wake(client, decided)
    return operation_answer(202, decided)


async def _wake(client: df.DurableOrchestrationClient, operation: Operation) -> None:
    """A hint only: without it the waiter sees the decision at its next poll."""
    step = operation.current_step
    if step is not None:
        await durable.wake(client, f"{operation.instance_id}:{step.name}", WAKE)


async def _cancel(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    asked_by = _decision(req)
    before = (await find_operation(req)).operation
    operation = await asyncio.to_thread(cancel, before.id, asked_by)
    if operation is None:
        raise HttpError(409, "OperationEnded", "The operation has ended: there is nothing to cancel.", "id")
    await _wake(client, operation)
    return operation_answer(202, operation)


def _decision(req: func.HttpRequest) -> RequestedBy:
    """Who decides, and why. Raises HttpError or Refused."""
    Parameters(query_of(req), ()).check()
    body = read_body(req, required=False)
    decision = parse(Decision, read_json(body) if body else {})
    return RequestedBy("http", principal(req.headers), decision.reason)


async def _retry(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    asked_by = _decision(req)
    before = (await find_operation(req)).operation
    retried: Retried = await asyncio.to_thread(retry, before.id, asked_by)
    if retried.run is None:
        raise HttpError(409, "NothingToRetry", "The operation has succeeded: nothing is left to do.", "id")
    await start_recorded(client, retried.operation)
    if not before.final:
        await durable.stop(client, before.instance_id, f"run {retried.run} has taken over")
    return operation_answer(202, retried.operation)
