"""Indexes an app in a worker process and runs its functions; tells what came of each call."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from packages.functions_host import function_info
from packages.functions_host.check.calls import Call, calls_of
from packages.functions_host.function_info import FunctionInfo
from packages.functions_host.wire.typed_data import HttpResponseData, TypedData
from packages.functions_host.workers.errors import WorkerDiedError, WorkerError, WorkerStartError
from packages.functions_host.workers.process import WorkerOptions
from packages.functions_host.workers.supervisor import WorkerSupervisor

SHOWN = 160
"""Characters of a result that are shown."""
KINDS = {
    function_info.HTTP: "HTTP",
    function_info.EVENT_GRID: "Event Grid",
    function_info.ACTIVITY: "activity",
    function_info.ORCHESTRATION: "orchestrator",
    function_info.TIMER: "timer",
}
_FRAME = re.compile(r'File "([^"]+)"')


@dataclass(frozen=True)
class Verdict:
    """What came of one call; ``passed`` when the library could give the function its arguments and take its result."""

    passed: bool
    text: str


async def check(app_dir: Path, given: Mapping[str, str | None], seconds: float) -> int:
    """Index the app and run its functions; prints what came of it. Raises KeyError for an unknown function's name."""
    worker = WorkerSupervisor(WorkerOptions(app_dir, os.environ), seconds)
    try:
        functions = await worker.start()
        print(f"{worker.library} indexed {len(functions)} functions of {app_dir}")
        passed = True
        for call in _calls(functions, given):
            verdict = await _judge(worker, call, app_dir)
            mark = "ok  " if verdict.passed else "FAIL"
            kind = KINDS[call.function.trigger_type]
            print(f"{mark} {kind:12} {call.function.name}{call.variant}: {verdict.text}")
            passed = passed and verdict.passed
        return 0 if passed else 1
    except WorkerStartError as error:
        print(f"FAIL the worker does not take the app:\n{error}")
        return 1
    finally:
        await worker.stop()


def _calls(functions: list[FunctionInfo], given: Mapping[str, str | None]) -> Iterator[Call]:
    names = {function.name for function in functions}
    for name in given:
        if name not in names:
            raise KeyError(f"no function is named {name}")
    now = datetime.now(UTC)
    for kind, title in KINDS.items():
        of_kind = sorted((f for f in functions if f.trigger_type == kind), key=lambda f: (has_parameters(f), f.name))
        chosen = [function for function in of_kind if function.name in given] or of_kind[:1]
        if not chosen:
            print(f"     {title:12} none in this app")
        for function in chosen:
            yield from calls_of(function, given.get(function.name), now)


def has_parameters(function: FunctionInfo) -> bool:
    """Whether a route needs values that nobody has named."""
    return "{" in str(function.trigger.get("route") or "")


async def _judge(worker: WorkerSupervisor, call: Call, app_dir: Path) -> Verdict:
    try:
        result = await worker.invoke(call.function, call.inputs, call.metadata)
    except WorkerDiedError as error:
        return Verdict(False, error.text)
    except WorkerError as error:
        shown = _short(error.message)
        if in_the_app(error.stack, app_dir):
            return Verdict(True, f"was converted and called; the app's own code raised {shown}")
        return Verdict(False, f"was not converted: {shown}")
    return Verdict(True, f"returned {_show(result)}")


def in_the_app(stack: str, app_dir: Path) -> bool:
    """Whether a stack trace of the worker reached the app's own code, not only packages that happen to lie below it."""
    frames = (Path(text) for text in _FRAME.findall(stack))
    return any(frame.is_relative_to(app_dir) and "site-packages" not in frame.parts for frame in frames)


def _show(result: TypedData | None) -> str:
    if result is None:
        return "nothing"
    if isinstance(result.value, HttpResponseData):
        return f"status {result.value.status_code}, {_short(result.value.body.decode(errors='replace'))}"
    return f"{result.kind} {_short(str(result.value))}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}..."
