"""What the host knows of a function: the metadata that its worker sends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HTTP, TIMER, EVENT_GRID = "httpTrigger", "timerTrigger", "eventGridTrigger"
ORCHESTRATION, ACTIVITY, ENTITY = "orchestrationTrigger", "activityTrigger", "entityTrigger"
DURABLE_CLIENT = "durableClient"
SERVED_TRIGGERS = (HTTP, TIMER, EVENT_GRID, ORCHESTRATION, ACTIVITY)


@dataclass(frozen=True)
class FunctionInfo:
    """One indexed function: its name, the id by which the worker calls it, and the bindings of its function.json."""

    name: str
    function_id: str
    trigger: Mapping[str, Any]
    bindings: tuple[Mapping[str, Any], ...]
    directory: Path

    @property
    def trigger_type(self) -> str:
        """The trigger's binding type, e.g. ``httpTrigger``."""
        return str(self.trigger["type"])

    @property
    def durable_name(self) -> str:
        """The name by which orchestrations and activities are called."""
        return str(self.trigger.get("orchestration") or self.trigger.get("activity") or self.name)


def from_metadata(metadata: Mapping[str, Any]) -> FunctionInfo:
    """The function of a worker's metadata. Its trigger is the binding whose type ends so, as the host finds it."""
    bindings = tuple(json.loads(text) for text in metadata["bindings"])
    return FunctionInfo(
        name=metadata["name"],
        function_id=metadata["function_id"],
        trigger=next(binding for binding in bindings if str(binding["type"]).lower().endswith("trigger")),
        bindings=bindings,
        directory=Path(metadata["directory"]),
    )
