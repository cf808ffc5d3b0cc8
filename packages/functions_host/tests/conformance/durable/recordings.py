"""The recorded files: one JSON object a line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packages.functions_host.tests.conformance.checks import RECORDED

DURABLE = RECORDED / "durable"
ORIGIN = "http://localhost:7071"
SCENARIOS = sorted(path.name for path in DURABLE.glob("s*.jsonl"))


@dataclass(frozen=True)
class Call:
    """One call of an orchestrator: the context as text and parsed, and the answer."""

    number: int
    function: str
    instance_id: str
    sent: str
    context: dict[str, Any]
    returned: str | None
    raised: dict[str, str] | None

    @property
    def history(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = self.context["history"]
        return events

    @property
    def first_new(self) -> int:
        """Where the last episode begins."""
        return max(index for index, event in enumerate(self.history) if event["EventType"] == 12)


def load(name: str, folder: Path = DURABLE) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines() if line.strip()]


def as_call(number: int, record: dict[str, Any]) -> Call:
    return Call(
        number,
        record["function"],
        record["instanceId"],
        record["sent"],
        json.loads(record["sent"]),
        record.get("returned"),
        record.get("raised"),
    )


def app_of(file: str) -> str:
    """The module whose functions a file's calls belong to."""
    return "wait_loops" if file.startswith("s22") else "function_app"
