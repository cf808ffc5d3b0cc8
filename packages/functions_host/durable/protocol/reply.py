"""What an orchestrator function answered: the state that azure-functions-durable returns, or raises with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from packages.functions_host.durable.protocol import failures
from packages.functions_host.workers.errors import WorkerError

_STATE_LABEL = "$OutOfProcData$:"


@dataclass(frozen=True)
class Reply:
    """One answer.

    ``error`` is the text of a failure the SDK reports with its state; ``fatal`` is set when there is no state to replay
    and holds the text that follows ``Orchestrator function '..' failed:``.
    """

    actions: tuple[dict[str, Any], ...] = ()
    is_done: bool = False
    output: Any = None
    custom_status: Any = None
    error: str | None = None
    fatal: str | None = None


def from_text(text: str) -> Reply:
    """The reply that the function returned."""
    try:
        state = json.loads(text)
    except ValueError:
        return Reply(fatal="Out of proc orchestrators must return a valid JSON schema")
    return _from_state(state)


def from_error(error: WorkerError) -> Reply:
    """The reply that the function raised; the SDK appends its state to the exception's text."""
    _, found, rest = error.text.partition(_STATE_LABEL)
    if found:
        try:
            state, _ = json.JSONDecoder().raw_decode(rest)
        except ValueError:
            state = None
        if isinstance(state, dict):
            return _from_state(state)
    return Reply(fatal=failures.plain_raise(error))


def _from_state(state: Any) -> Reply:
    if not isinstance(state, dict):
        return Reply(fatal="The data returned by the out-of-process function execution was not valid json.")
    outer = state.get("actions") or []
    if len(outer) != 1:
        # The enum names of the extension: schema version 2 is its V3.
        schema = {1: "V2", 2: "V3"}.get(state.get("schemaVersion", 0), str(state.get("schemaVersion")))
        return Reply(
            fatal=f"With OOProc schema {schema}, expected actions array to be of length 1 in outer layer "
            f"but got size: {len(outer)}",
            custom_status=state.get("customStatus"),
        )
    return Reply(
        actions=tuple(outer[0]),
        is_done=bool(state.get("isDone")),
        output=state.get("output"),
        custom_status=state.get("customStatus"),
        error=state.get("error") or None,
    )
