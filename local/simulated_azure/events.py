"""Events about ARM writes, and which event subscriptions want them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local.simulated_azure.world import World


def emit(world: World, operation: dict[str, Any], outcome: str, at: float) -> None:
    """Tell the event subscriptions that a write ended; ``outcome`` is Success, Failure or Cancel."""
