"""What a detach remembers of an attachment, so that it can be attached again as it was."""

from __future__ import annotations

from activities.extension.replay import request_again
from activities.runtime.step import StepAtWork
from activities.runtime.undo import made_for
from domain.access.roles import ROLE_ASSIGNMENT
from domain.operation.outcomes import Done, Outcome
from domain.operation.results import Snapshot


def snapshot(step: StepAtWork) -> Outcome:
    """Keep the body of a POST /attach that makes the same attachment again, and the roles granted for it.

    Nothing secret is in it: protected settings are named by the ids of Key Vault secrets that Moor sent, others and
    what looks like a secret are left out. An attachment that no such request makes - a legacy one, or one whose
    certificate only the cluster has - is a finding with the reasons, and keeps nothing from being detached.
    """
    found = request_again(step)
    if found is None:
        return Done(detail="there is nothing to remember", skipped=True)
    if found.request is None:
        return Done(detail=found.lost[0].message, findings=found.lost)
    granted = tuple(made_for(step.operation, ROLE_ASSIGNMENT))
    value = Snapshot({**found.request, "grantRoles": bool(granted)}, granted)
    detail = "POST result.snapshot.attachRequest to /attach to undo this"
    return Done(value, detail, findings=(*found.lost, *found.aside))
