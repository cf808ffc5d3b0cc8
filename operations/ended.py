"""Operations that have ended and that timers look at again: what they share in finding them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

from domain.operation.record import Operation
from gateways import clock
from gateways.azure import arm
from gateways.azure.arm import ArmError
from gateways.storage import claims, record_list
from gateways.storage.record_list import Filter
from operations.upkeep.rounds import Round

logger = logging.getLogger(__name__)

_LOOKED_AT_FOR = timedelta(days=30)
_PAGE = 100


def recent(wanted: Filter, of: Round) -> Iterator[Operation]:
    """The operations that fit, newest first, of the last thirty days; one that cannot be read stops no other.

    Raises azure.core.exceptions.AzureError when they cannot be listed.
    """
    oldest = clock.now() - _LOOKED_AT_FOR
    position: str | None = ""
    while position is not None and not of.out_of_time:
        page = record_list.page(wanted, _PAGE, position, unread=of.miss)
        found = [operation for operation in page.operations if operation.created_time >= oldest]
        yield from found
        position = page.next_position if len(found) == len(page.operations) else None


def is_free(operation: Operation) -> bool:
    """Whether no other operation has the compute: what that one does is its own business.

    Raises azure.core.exceptions.AzureError.
    """
    return claims.read(claims.compute_target(str(operation.workspace_id), str(operation.compute_name))) is None


def is_gone(operation: Operation) -> bool:
    """Whether its compute is gone; not where that is unknown. Raises ValueError for a record without a compute."""
    try:
        return arm.find(operation.compute_id, arm.WORKSPACES_API) is None
    except ArmError as error:
        logger.info("%s: whether its compute is gone is unknown: %s", operation.id, error)
        return False
