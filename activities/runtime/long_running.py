"""Azure's long-running operations: start and poll are separate steps, and the operation URL is what lies between."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from activities.runtime.step import StepAtWork
from domain.operation.outcomes import Again
from domain.problems import AzureAnswer
from domain.redaction import scrub
from gateways import clock
from gateways.azure import arm
from gateways.azure.arm import FOREIGN_URL, ArmError

logger = logging.getLogger(__name__)

WAITING, OVER = "waiting", "over"
_ENDED = frozenset({"succeeded", "failed", "canceled", "cancelled"})
# How long a resource may be invisible after its PUT: ARM's caches and the providers' own take seconds.
_VISIBLE_WITHIN = 60.0


@dataclass(frozen=True)
class Progress:
    """``over`` means only that the operation says so: what became of the resource is for the resource to say.

    ``refused`` says why the operation may not be read; the resource alone tells then.
    """

    state: str
    retry_after: float | None = None
    error: AzureAnswer | None = None
    refused: str | None = None


def poll(operation_url: str | None) -> Progress:
    """Ask an operation how it is; over when there is no URL to ask, or the URL is gone (404) or refused (401, 403).

    Azure ML's operations stand at the scope of the subscription: an identity with roles on the workspace alone may
    change a compute and not read the operation. Raises ArmError for other answers.
    """
    if operation_url is None:
        return Progress(OVER)
    try:
        answer = arm.get_url(operation_url)
    except ArmError as error:
        if error.not_found:
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
    said: Any = answer.body.get("error")
    said = said if isinstance(said, dict) else {}
    code, message = said.get("code") or status, said.get("message") or f"the operation ended as {status}"
    return Progress(OVER, error=AzureAnswer(str(code), scrub(str(message)), answer.status))


def wait_for_earlier_attempt(step: StepAtWork) -> Again | None:
    """Before a request is sent again: wait until the first would show, if it got through."""
    if step.intent is None:
        return None
    age = (clock.now() - step.intent.time).total_seconds()
    if age >= _VISIBLE_WITHIN:
        return None
    return Again(min(15.0, _VISIBLE_WITHIN - age + 1), "looking whether an earlier attempt of this step got through")
