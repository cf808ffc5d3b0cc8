"""The gate: who sends a request, before anything else is done about it."""

from __future__ import annotations

import azure.functions as func

from domain.access.principal import Caller, KeyHolder
from domain.access.privileges import PRIVILEGES
from operations.limits import count_request


async def caller_of(req: func.HttpRequest) -> Caller:
    """Who asks. Raises TooMany when it asks too often."""
    caller = KeyHolder(frozenset(PRIVILEGES))
    count_request(caller)
    return caller
