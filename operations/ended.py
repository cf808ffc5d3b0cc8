"""Operations that have ended and that timers look at again: what they share in finding them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import timedelta

from domain.operation.record import Operation
from gateways import clock
from gateways.azure import arm
from gateways.azure.arm import ArmError
from gateways.storage import claims, cursors, record_list
from gateways.storage.record_list import Filter
from gateways.storage.record_rows import age_of, position_of
from operations.upkeep.rounds import Round

logger = logging.getLogger(__name__)

# Since an operation has ended. Lists are ordered by when it began: a drain and an approval take thirty days each.
_LOOKED_AT_FOR, _LONGEST = timedelta(days=30), timedelta(days=60)
# So many records are read between two looks at the time: storage that does not answer takes 15 seconds for sixteen.
_PAGE = 64
_POSITION = re.compile(r"[0-9]{15};[A-Za-z0-9._-]+")


def recent(wanted: Filter, of: Round) -> Iterator[Operation]:
    """The operations that fit and have ended within the last thirty days, each once, newest first.

    A run begins behind the last that the run before came to, and goes round at the end. Where its time is over, it
    keeps its position for the next one. An operation that cannot be read stops no other.

    Raises azure.core.exceptions.AzureError when they cannot be listed.
    """
    start = position = kept = _kept(of)
    since, end = clock.now() - _LOOKED_AT_FOR, age_of(clock.now() - _LOOKED_AT_FOR - _LONGEST)
    round_again = whole = False
    while not (whole or of.out_of_time):
        page = record_list.page(wanted, _PAGE, position, _PAGE, of.miss)
        for operation in page.operations:
            at = position_of(operation)
            whole = round_again and at > start
            if whole or of.out_of_time:
                break
            position = at
            if (operation.finished_time or operation.created_time) >= since:
                yield operation
        else:
            position = page.next_position or end
            if round_again or not start:
                whole = position >= end or (round_again and position >= start)
            elif position >= end:  # Behind the end it begins at the front, up to where it started.
                position, round_again = "", True
        kept = _keep(of, "" if whole else position, kept)
    if not whole:
        logger.warning("%s: the time is over after %d looks; the next run continues", of.duty, of.looked_at)


def _kept(of: Round) -> str:
    """Where the run before has ended; empty at the front."""
    with of.looking_at("the position of the run before"):
        found = cursors.read(of.duty)
        return found if _POSITION.fullmatch(found) else ""
    return ""


def _keep(of: Round, position: str, kept: str) -> str:
    """Have the next run begin there, should this one end here; what is kept already is not written again."""
    if position != kept:
        with of.looking_at("the position for the next run"):
            cursors.write(of.duty, position)
    return position


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
