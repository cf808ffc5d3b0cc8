"""Detaches of idle computes, asked for at once, at the limits of Azure Resource Manager: none fails.

``python -m tests.scenarios.many_detaches [how many] [simulated seconds a second] [patience in seconds]`` plays 250, in
a stack of their own, at the limits that Azure has (packages/simulated_azure/settings.py): some twenty minutes. It
prints what became of them, and ends with 1 when one has failed.
"""

from __future__ import annotations

import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import world as worlds
from local.app_client import AppError
from local.stack import Options, Stack, running_stack
from tests.scenarios.helpers import Place

# What one caller may ask for is not what is shown here.
SETTINGS = {"MOOR_OPERATIONS_PER_CALLER": "10000", "MOOR_REQUESTS_PER_MINUTE": "100000"}
_IN_A_WORKSPACE, _SENDERS, _SENDINGS = 25, 8, 60
_PATIENCE = 3600.0


@dataclass(frozen=True)
class Played:
    """What became of the detaches. ``seconds`` are real ones; ``refused`` counts answers of 429."""

    ends: Mapping[str, int]
    problems: Mapping[str, int]
    calls: int
    refused: int
    deletions: tuple[int, ...]
    seconds: float

    def __str__(self) -> str:
        once = sum(1 for each in self.deletions if each == 1)
        return (
            f"{dict(self.ends)} in {self.seconds:.0f} s; problems {dict(self.problems)}; {self.calls} calls of ARM, "
            f"{self.refused} answered 429; {once} of {len(self.deletions)} computes were asked for once"
        )


def places(many: int, name: str) -> list[Place]:
    """So many computes, some in each workspace, on a cluster each."""
    return [
        Place(worlds.workspace_id(f"{name}-{n // _IN_A_WORKSPACE}"), worlds.cluster_id(f"{name}-{n}"), f"c-{n}")
        for n in range(many)
    ]


def put_all(stack: Stack, found: list[Place]) -> None:
    """Have the computes there, idle, behind everybody's back."""
    workspaces = sorted({place.workspace_id for place in found})
    stack.azure.seed(
        {
            "workspaces": [{"id": each, "location": worlds.LOCATION} for each in workspaces],
            "clusters": [{"id": place.cluster_id, **worlds.cluster_body()} for place in found],
        }
    )
    properties = [{"resourceId": place.cluster_id, "properties": {"namespace": "default"}} for place in found]
    stack.azure.seed(
        {
            "computes": [
                {"workspaceId": place.workspace_id, "name": place.compute_name, "properties": each}
                for place, each in zip(found, properties, strict=True)
            ]
        }
    )


def play(stack: Stack, found: list[Place], patience: float = _PATIENCE) -> Played:
    """Ask for all of them at once, and wait for the last."""
    begun = time.monotonic()
    with ThreadPoolExecutor(_SENDERS) as threads:
        ids = list(threads.map(lambda place: ask(stack, place), found))
    ended: dict[str, dict[str, Any]] = {}
    while len(ended) < len(ids) and time.monotonic() - begun < patience:
        time.sleep(1.0)
        for operation_id in [each for each in ids if each not in ended]:
            operation = _seen(stack, operation_id)
            if operation is None or operation["finishedDateTime"] is None:
                break  # The first are over first, as a rule: the others are asked later.
            ended[operation_id] = operation
    ends = Counter(operation["status"] for operation in ended.values())
    ends.update({"Running": len(ids) - len(ended)} if len(ended) < len(ids) else {})
    requests = stack.azure.requests(kind="arm")
    deleted = Counter(r["path"].lower() for r in requests if r["method"] == "DELETE" and r["status"] != 429)
    return Played(
        ends,
        Counter(o["error"]["code"] for o in ended.values() if o["error"]),
        len(requests),
        sum(1 for request in requests if request["status"] == 429),
        tuple(deleted[place.compute_id.lower()] for place in found),
        time.monotonic() - begun,
    )


def _seen(stack: Stack, operation_id: str) -> dict[str, Any] | None:
    """An operation as it is; None where a busy machine does not answer now."""
    try:
        return stack.app.operation(operation_id)
    except (AppError, OSError) as error:
        print(f"asked again: {error}", file=sys.stderr, flush=True)
        return None


def ask(stack: Stack, place: Place) -> str:
    """Ask for one, as a caller does: the same request again while the app says so."""
    operation_id = str(uuid.uuid4())
    for _ in range(_SENDINGS):
        try:
            return str(stack.app.start("detach", place.detach_body(), operation_id)["id"])
        except AppError as error:
            if " 503 " not in str(error):
                raise
            time.sleep(2.0)
    raise AssertionError(f"{place.compute_name} was not accepted in {_SENDINGS} sendings")


def main(many: int = 250, factor: float = 1.0, patience: float = _PATIENCE) -> int:
    """Play them in a stack of their own, and say what became of them within so many real seconds."""
    found = places(many, "many")
    options = Options(factor=factor, settings=SETTINGS)
    with tempfile.TemporaryDirectory() as folder, running_stack(options, state_dir=Path(folder)) as stack:
        put_all(stack, found)
        played = play(stack, found, patience)
    print(f"{many} detaches at once, {factor:g} simulated seconds a second: {played}", flush=True)
    return 0 if played.ends == {"Succeeded": many} else 1


if __name__ == "__main__":
    sys.exit(main(*(int(each) for each in sys.argv[1:2]), *(float(each) for each in sys.argv[2:4])))
