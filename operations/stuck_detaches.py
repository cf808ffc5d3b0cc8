"""Detaches that Azure did not finish in time: looked at again, and continued once the compute is gone."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from domain.arm_ids import WORKSPACE, compute_id, parse_arm_id
from domain.operation.record import FAILED, Operation, RequestedBy
from gateways.azure import arm
from gateways.azure.arm import ArmError
from gateways.storage.record_list import Filter
from operations.ended import is_free, recent
from operations.retry import Retried, retry

logger = logging.getLogger(__name__)

CODE = "DetachStuck"


def go_on_with_what_is_gone() -> list[Retried]:
    """New runs, to be started by the caller, of stuck detaches whose compute is gone.

    Raises azure.core.exceptions.AzureError.
    """
    reason = RequestedBy("timer", reason="the compute is gone")
    found = [operation for operation in _stuck() if _is_gone(operation) and is_free(operation)]
    return [retry(operation.id, reason, operation.run) for operation in found]


def _stuck() -> Iterator[Operation]:
    for kind in ("detach", "reattach"):
        yield from (o for o in recent(Filter((FAILED,), kind)) if o.problem is not None and o.problem.code == CODE)


def _is_gone(operation: Operation) -> bool:
    workspace = parse_arm_id(str(operation.workspace_id), WORKSPACE)
    try:
        return arm.find(compute_id(workspace, str(operation.compute_name)), arm.WORKSPACES_API) is None
    except ArmError as error:
        logger.info("%s: whether the compute is gone is unknown: %s", operation.id, error)
        return False
