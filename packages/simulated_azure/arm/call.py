"""One ARM request on its way to a handler, and the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packages.simulated_azure.arm.errors import bad_request
from packages.simulated_azure.identity.tokens import Principal

if TYPE_CHECKING:
    from packages.simulated_azure.world import World


@dataclass(frozen=True)
class Call:
    """What a handler needs to know. ``now`` is simulated; ``params`` come from the path as the caller spelt them."""

    world: World
    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    principal: Principal
    now: float
    base_url: str
    correlation_id: str
    client_request_id: str = ""
    action: str = ""

    @property
    def api_version(self) -> str:
        """The api-version the caller asked for."""
        return self.query.get("api-version", "")

    def object_body(self) -> dict[str, Any]:
        """The request body, which has to be a JSON object.

        Raises ArmError 400 when it is not.
        """
        if not isinstance(self.body, dict):
            raise bad_request(
                "InvalidRequestContent",
                "The request content was invalid and could not be deserialized: 'Unexpected end of content while "
                "loading JObject. Path ''.'.",
            )
        return self.body


@dataclass(frozen=True)
class Reply:
    """Status, JSON body (None for none) and headers."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Reply]
