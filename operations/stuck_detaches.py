"""Detaches that Azure did not finish in time: looked at again, and continued once the compute is gone."""

from __future__ import annotations

import logging

from domain.arm_ids import WORKSPACE, compute_id, parse_arm_id
from domain.operation.record import FAILED, Operation, RequestedBy
from gateways.azure import arm
from gateways.azure.arm import ArmError
from gateways.storage.record_list import Filter
from operations.ended import is_free, recent
from operations.retry import Retried, retry
from operations.upkeep.rounds import Round

logger = logging.getLogger(__name__)

CODE = "DetachStuck"


def go_on_with_what_is_gone(of: Round | None = None) -> list[Retried]:
    """New runs, to be started by the caller, of stuck detaches whose compute is gone; each is looked at on its own.

    Raises azure.core.exceptions.AzureError when the operations cannot be listed.
    """
    of, found = of or Round("stuck detaches"), []
    reason = RequestedBy("timer", reason="the compute is gone")
    for operation in _stuck(of):
        with of.looking_at(operation.id):
            if _is_gone(operation) and is_free(operation):
                found.append(retry(operation.id, reason, operation.run))
    return found


def _stuck(of: Round) -> list[Operation]:
    failed = [o for kind in ("detach", "reattach") for o in recent(Filter((FAILED,), kind), of)]
    return [o for o in failed if o.problem is not None and o.problem.code == CODE]


def _is_gone(operation: Operation) -> bool:
    workspace = parse_arm_id(str(operation.workspace_id), WORKSPACE)
    try:
        return arm.find(compute_id(workspace, str(operation.compute_name)), arm.WORKSPACES_API) is None
    except ArmError as error:
        logger.info("%s: whether the compute is gone is unknown: %s", operation.id, error)
        return False
