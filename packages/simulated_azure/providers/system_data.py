"""Who made a resource and when, as ARM notes it."""

from __future__ import annotations

from typing import Any

from packages.simulated_azure.arm.call import Call
from packages.simulated_azure.world import iso


def of_seed(at: float) -> dict[str, Any]:
    """``systemData`` of a resource that a seed put in place at a simulated moment."""
    moment = iso(at)
    return {
        "createdBy": "seed",
        "createdByType": "User",
        "createdAt": moment,
        "lastModifiedBy": "seed",
        "lastModifiedByType": "User",
        "lastModifiedAt": moment,
    }


def stamp(call: Call, body: dict[str, Any]) -> None:
    """Fill ``systemData`` of a resource that the caller creates or changes."""
    moment = iso(call.now)
    data = body.setdefault(
        "systemData",
        {"createdBy": call.principal.object_id, "createdByType": "Application", "createdAt": moment},
    )
    data |= {
        "lastModifiedBy": call.principal.object_id,
        "lastModifiedByType": "Application",
        "lastModifiedAt": moment,
    }
