"""Has the strikes of the calendar happen to a stack, and ends them."""

from __future__ import annotations

import contextlib

from local.app_client import AppError
from tests.faults.fault_stack import FaultStack
from tests.month.calendar import AWAY, HOST, REFUSED, SILENT, STORAGE, THROTTLED, WORKER, Strike

_ARM = {"kind": "arm", "path": "^/subscriptions/", "every": True}
_OFTEN = {"size": 1_000_000, "perSecond": 1_000_000}
_CALM = {"enabled": False, "reads": _OFTEN, "writes": _OFTEN, "deletes": _OFTEN}
_SELDOM = {
    "enabled": True,
    "reads": {"size": 20, "perSecond": 0.2},
    "writes": {"size": 2, "perSecond": 0.02},
    "deletes": {"size": 2, "perSecond": 0.02},
}


def begin(faults: FaultStack, strike: Strike) -> None:
    """From now on it is so."""
    stack = faults.stack
    if strike.kind == REFUSED:
        stack.azure.add_fault(**_ARM, status=503)
    elif strike.kind == SILENT:
        stack.azure.add_fault(**_ARM, action="reset")
    elif strike.kind == THROTTLED:
        stack.azure.settings(throttling=_SELDOM)
    elif strike.kind == STORAGE:
        faults.storage_away()
    elif strike.kind == WORKER:
        with contextlib.suppress(OSError, AppError, ProcessLookupError):
            stack.kill_worker()
    elif strike.kind in (HOST, AWAY):
        stack.kill_host()


def end(faults: FaultStack, strike: Strike) -> None:
    """From now on it is so no more."""
    stack = faults.stack
    if strike.kind in (REFUSED, SILENT):
        stack.azure.clear_faults()
    elif strike.kind == THROTTLED:
        stack.azure.settings(throttling=_CALM)
    elif strike.kind == STORAGE:
        faults.storage_back()
    elif strike.kind in (HOST, AWAY):
        stack.start_host()
