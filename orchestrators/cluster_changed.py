"""React to events of a cluster: look at it until it is clear what they call for, and start that."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from azure.durable_functions import DurableOrchestrationContext

from domain.operation.steps import HOUR
from orchestrators.run import repeat


def cluster_changed(context: DurableOrchestrationContext) -> Generator[Any, Any, dict[str, Any] | None]:
    """Look, have the operations started that it calls for, and look again when more events came meanwhile."""
    reaction = context.get_input()
    look = {"step": "look_at_cluster", "bound": HOUR, "since": context.current_utc_datetime.isoformat(), **reaction}
    seen = yield context.call_sub_orchestrator("wait_until", look, f"{context.instance_id}:look_at_cluster")
    if seen["kind"] == "stop":
        return None  # The look was given up: its events stay unhandled, and the watch timer has it taken again.
    operations = []
    if seen.get("requests"):
        started = yield from repeat(context, {"step": "start_operations", "cluster": reaction["cluster"]})
        if started["kind"] == "stop":
            return None  # The same: not every operation that is called for has been accepted.
        operations = started.get("operations", [])
    settled = yield from repeat(context, {"step": "settle_cluster", "alive": seen.get("alive", False), **reaction})
    if settled.get("seen", 0) > reaction["seen"]:
        context.continue_as_new({"cluster": reaction["cluster"], "seen": settled["seen"]})
        return None
    return {"cluster": reaction["cluster"], "operations": operations}
