"""Azure's long-running operations: what their URLs answer about them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.problems import AzureAnswer, answers_in
from gateways.azure import arm
from gateways.azure.arm import FOREIGN_URL, ArmError

logger = logging.getLogger(__name__)
WAITING, OVER = "waiting", "over"
_ENDED = frozenset({"succeeded", "failed", "canceled", "cancelled"})


@dataclass(frozen=True)
class Progress:
    """``over`` means only that the operation says so: what became of the resource is for the resource to say.

    ``refused`` says why the operation may not be read; the resource alone tells then. ``inner`` are the errors inside
    its ``error``, outermost first.
    """

    state: str
    retry_after: float | None = None
    error: AzureAnswer | None = None
    refused: str | None = None
    inner: tuple[AzureAnswer, ...] = ()

    @property
    def answers(self) -> list[AzureAnswer]:
        """All that the operation says of its failure, outermost first; empty when it has not failed."""
        return [] if self.error is None else [self.error, *self.inner]


def poll(operation_url: str | None) -> Progress:
    """Ask an operation how it is; over when there is no URL, or it is gone (404, 410) or refused (401, 403).

    Azure ML's operations stand at the scope of the subscription: an identity with roles on the workspace alone may
    change a compute and not read the operation. Raises ArmError for other answers.
    """
    if operation_url is None:
        return Progress(OVER)
    try:
        answer = arm.get_url(operation_url)
    except ArmError as error:
        if error.lost:
            return Progress(OVER)
        if error.status in (401, 403) or error.code == FOREIGN_URL:
            # Its words are left out: they may repeat the URL. The code tells enough.
            logger.info("the operation's status is refused (%s %s): going by the resource", error.status, error.code)
            return Progress(OVER, refused=f"{error.status} {error.code}")
        raise
    properties = answer.body.get("properties")
    state = properties.get("provisioningState") if isinstance(properties, Mapping) else None
    status = str(answer.body.get("status") or state or "")
    if answer.status == 202 or (status and status.lower() not in _ENDED):
        return Progress(WAITING, answer.retry_after)
    if status.lower() in ("", "succeeded"):
        return Progress(OVER)
    said = _failure(answer.body)
    told = answers_in(said, answer.status)
    outer = told.pop(0) if told and (said.get("code") or said.get("message")) else AzureAnswer()
    code, message = outer.code or status, outer.message or f"the operation ended as {status}"
    return Progress(OVER, error=AzureAnswer(code, message, answer.status), inner=tuple(told))


def _failure(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The error object of an operation that has failed; where it has none, what else may tell of the failure."""
    properties = body.get("properties")
    holders = [body, properties] if isinstance(properties, Mapping) else [body]
    errors = (holder.get("error") for holder in holders)
    return next((error for error in errors if isinstance(error, Mapping) and error), {"details": holders})
