"""What becomes of a compute that an operation was to detach, as far as record and Azure tell when the operation ends.

Schedules that were paused, and the end of a reattach, go by the same answer.
"""

from __future__ import annotations

from datetime import timedelta

from domain.compute.resource import state_of
from domain.operation.record import SKIPPED, SUCCEEDED, Operation
from gateways import clock
from gateways.azure.arm import ArmError
from gateways.azure.computes import find_compute

# It stays or is back; it is gone, or Azure was asked for that and may still do it; or that does not show yet.
STAYS, GOES, OPEN = "stays", "goes", "open"
# A detach that Azure was asked for shows in the compute's state by then.
_SHOWS_AFTER = timedelta(minutes=15)
_STUCK = "DetachStuck"


def whereabouts(operation: Operation) -> str:
    """What becomes of the compute, by Azure where the record does not tell.

    Raises ArmError: where this operation has asked for its detach, no answer is no answer.
    """
    ready, detached, gone = (operation.step(name) for name in ("compute_ready", "detach_compute", "compute_gone"))
    if ready is not None and ready.status == SUCCEEDED:
        return STAYS
    failed = [step.problem for step in (detached, gone) if step is not None and step.problem is not None]
    if any(problem.code == _STUCK for problem in failed):
        return GOES  # It may still come to its end.
    asked = detached.intents[-1] if detached is not None and detached.intents else None
    was_gone = gone is not None and gone.status in (SUCCEEDED, SKIPPED)
    try:
        found = find_compute(operation.compute_id)
    except ArmError as error:
        if asked is not None or was_gone or error.transient:
            raise
        return STAYS  # This operation has not asked for anything else.
    if found is None:
        return GOES
    state = state_of(found)
    if was_gone:
        return STAYS if state == "succeeded" else GOES  # Back, or the rest of an attach that failed.
    if state == "deleting":
        return OPEN
    # Azure did not take what was sent before the run went back to drain.
    not_taken = detached is not None and detached.backs > 0 and detached.status != SUCCEEDED
    settled = asked is None or failed or not_taken or clock.now() - asked.time > _SHOWS_AFTER
    return STAYS if settled else OPEN
