"""Detaches that Azure did not finish in time: looked at again, and continued once the compute is gone."""

from __future__ import annotations

from domain.operation.record import FAILED, Operation, RequestedBy
from gateways.storage.record_list import Filter
from operations.ended import is_free, is_gone, recent
from operations.retry import Retried, retry
from operations.upkeep.rounds import Round

CODE = "DetachStuck"


def go_on_with_what_is_gone(of: Round) -> list[Retried]:
    """New runs, to be started by the caller, of stuck detaches whose compute is gone; each is looked at on its own.

    Raises azure.core.exceptions.AzureError when the operations cannot be listed.
    """
    found = []
    reason = RequestedBy("timer", reason="the compute is gone")
    for operation in recent(Filter((FAILED,)), of):
        with of.looking_at(operation.id):
            if _is_stuck(operation) and is_gone(operation) and is_free(operation):
                found.append(retry(operation.id, reason, operation.run))
    return found


def _is_stuck(operation: Operation) -> bool:
    return operation.kind in ("detach", "reattach") and operation.problem is not None and operation.problem.code == CODE
