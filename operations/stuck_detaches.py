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
    for operation in _stuck(of):
        with of.looking_at(operation.id):
            if is_gone(operation) and is_free(operation):
                found.append(retry(operation.id, reason, operation.run))
    return found


def _stuck(of: Round) -> list[Operation]:
    failed = [o for kind in ("detach", "reattach") for o in recent(Filter((FAILED,), kind), of)]
    return [o for o in failed if o.problem is not None and o.problem.code == CODE]
