"""Replays a recorded history with the SDK's own executor and the product's orchestrators."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import azure.durable_functions as df

from orchestrators.blueprint import ORCHESTRATORS

FOLDER = Path(__file__).parent
_BY_NAME = {orchestrator.__name__: orchestrator for orchestrator in ORCHESTRATORS}
_EPISODE = 12  # OrchestratorStarted


@dataclass(frozen=True)
class History:
    """One recorded generation of an orchestration, and all it had scheduled by its end."""

    name: str
    orchestrator: str
    context: Mapping[str, Any]
    actions: list[Any]


def load() -> list[History]:
    """Every committed history."""
    found = []
    for path in sorted(FOLDER.glob("*/*.json")):
        fields = json.loads(path.read_text())
        found.append(
            History(f"{path.parent.name}/{path.stem}", fields["orchestrator"], fields["context"], fields["actions"])
        )
    return found


def actions(orchestrator: str, context: Mapping[str, Any]) -> list[Any]:
    """What the orchestrator schedules in all when it is replayed from a history."""
    handle = df.Orchestrator.create(_BY_NAME[orchestrator])
    reply = json.loads(handle(json.dumps(context)))
    assert "error" not in reply, reply["error"]
    (scheduled,) = reply["actions"]
    return list(scheduled)


def prefixes(context: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The context as it was in every earlier episode."""
    history = context["history"]
    starts = [i for i, event in enumerate(history) if event["EventType"] == _EPISODE]
    for start in starts[1:]:
        yield {**context, "history": history[:start]}
