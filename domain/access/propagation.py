"""How long role assignments take to have effect everywhere, and what that means for a refusal.

Azure says up to ten minutes, and sometimes longer:
https://learn.microsoft.com/azure/role-based-access-control/troubleshooting#symptom---role-assignment-changes-are-not-being-detected
"""

from __future__ import annotations

from datetime import datetime, timedelta

# What Azure ML's false names for a missing role stand for.
LACKS_ROLE = "WorkspaceIdentityLacksRole"
_SPREAD_WITHIN = timedelta(minutes=15)
# Most assignments have effect by then; attaching too early costs a failed attach and a detach.
_USUALLY_SPREAD_AFTER = timedelta(minutes=5)


def is_spreading(granted: datetime | None, moment: datetime) -> bool:
    """Whether a role that an operation granted (None: it granted none) may not have its effect everywhere yet.

    Within that time, and only then, a refusal for want of a role is no answer.
    """
    return granted is not None and moment - granted < _SPREAD_WITHIN


def seconds_to_wait(granted: datetime | None, moment: datetime) -> float:
    """How long to wait until roles have had the time they usually take to have effect; 0 when they have had it."""
    if granted is None:
        return 0.0
    return max(0.0, (granted + _USUALLY_SPREAD_AFTER - moment).total_seconds())
