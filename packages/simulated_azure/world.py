"""Everything the simulation knows, in one place that handlers are given."""

from __future__ import annotations

import copy
import uuid
from datetime import UTC, datetime
from typing import Any

from packages.controls.clock import ScaledClock
from packages.simulated_azure import settings
from packages.simulated_azure.arm.throttling import Throttle
from packages.simulated_azure.identity.tokens import Principal, TokenIssuer
from packages.simulated_azure.store import Document, Store
from packages.simulated_azure.timers import Timers

# What the identity endpoint hands out before anything is seeded.
DEFAULT_PRINCIPAL: Document = {
    "name": "system-assigned",
    "objectId": "0a0a0a0a-0000-4000-8000-000000000001",
    "clientId": "0a0a0a0a-0000-4000-8000-00000000000c",
    "principalType": "ServicePrincipal",
    "systemAssigned": True,
}


class World:
    """Store, clock, timers, tokens and buckets; ``base_url`` is set once the TLS port is known."""

    def __init__(self, store: Store, clock: ScaledClock, tokens: TokenIssuer, topic_key: str) -> None:
        self.store = store
        self.clock = clock
        self.tokens = tokens
        self.timers = Timers(store, clock)
        self.throttle = Throttle()
        self.base_url = ""
        # Where the API of clusters answers, and the certificate (base64 of PEM) of the authority that vouches for it.
        self.kubernetes_url = ""
        self.kubernetes_authority = ""
        self.topic_key = topic_key
        self._settings = settings.merged(settings.DEFAULTS, store.get("settings", "settings") or {})
        if next(store.values("principal"), None) is None:
            self.put_principal(DEFAULT_PRINCIPAL)

    @property
    def settings(self) -> Document:
        """The settings in force."""
        return self._settings

    def change_settings(self, changes: dict[str, Any]) -> None:
        """Lay changes over the settings; raises ValueError for one that does not exist."""
        kept = settings.merged(self.store.get("settings", "settings") or {}, changes)
        self._settings = settings.merged(settings.DEFAULTS, kept)
        self.store.put("settings", "settings", kept)

    def reset(self) -> None:
        """Forget everything but ports, certificates, keys and the clock."""
        self.store.clear()
        self.timers.load()
        self.throttle.reset()
        self._settings = copy.deepcopy(settings.DEFAULTS)
        self.put_principal(DEFAULT_PRINCIPAL)

    def duration(self, name: str) -> float:
        """Simulated seconds that an operation takes."""
        return float(self._settings["durations"][name])

    def page_size(self, name: str) -> int:
        """How many items a page of a list has."""
        sizes = self._settings["pageSizes"]
        return int(sizes.get(name, sizes["default"]))

    def put_principal(self, document: Document) -> None:
        """Store a principal by its object id; a new system-assigned one replaces the one before."""
        if document.get("systemAssigned"):
            for key, other in self.store.items("principal"):
                if other.get("systemAssigned"):
                    self.store.put("principal", key, {**other, "systemAssigned": False})
        self.store.put("principal", str(document["objectId"]).lower(), document)

    def principal(self, client_id: str | None, resource_id: str | None = None) -> Principal | None:
        """The principal with a client id or an ARM id, or the system-assigned one; None when there is none."""
        for document in self.store.values("principal"):
            if client_id is not None:
                matches = document["clientId"].lower() == client_id.lower()
            elif resource_id is not None:
                matches = str(document.get("resourceId", "")).lower() == resource_id.lower()
            else:
                matches = bool(document.get("systemAssigned"))
            if matches:
                return Principal(document["objectId"], document["clientId"], document.get("name", ""))
        return None

    def name_of(self, object_id: str) -> str:
        """A principal's name, or its object id when it is not known."""
        document = self.store.get("principal", object_id.lower())
        return str(document.get("name") or object_id) if document else object_id

    def stable_guid(self, *parts: str) -> str:
        """A GUID that is always the same for the same parts, such as the identity of a resource."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(parts).lower()))


def iso(moment: float, *, digits: int = 7) -> str:
    """A moment as Azure writes it: UTC with ``digits`` (at most 7) decimals and a Z."""
    text = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0"
    return (text[: -(7 - digits)] if digits < 7 else text).rstrip(".") + "Z"
