"""``python -m packages.functions_host.check APP``: does Microsoft's worker library take an app and run its functions.

The library indexes the app in a worker process, as on Azure, and runs one function of each kind. No host, no storage
and no Azure are needed: what a function cannot reach then is its own affair, and told apart from a call that the
library could not convert.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from packages.functions_host import function_info
from packages.functions_host.check_calls import Call, calls_of
from packages.functions_host.function_info import FunctionInfo
from packages.functions_host.settings import SettingsError, apply_values, read_local_settings
from packages.functions_host.wire.typed_data import HttpResponseData, TypedData
from packages.functions_host.worker_error import WorkerDiedError, WorkerError, WorkerStartError
from packages.functions_host.worker_process import WorkerOptions
from packages.functions_host.worker_supervisor import WorkerSupervisor

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


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        "python -m packages.functions_host.check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit codes: 0 the app is taken, and all calls were converted; 1 otherwise; 2 wrong options.",
    )
    parser.add_argument("app", type=Path, help="folder with function_app.py")
    parser.add_argument(
        "--settings", type=Path, help="local.settings.json whose Values the worker sees (default: none)"
    )
    parser.add_argument(
        "--call",
        action="append",
        default=[],
        metavar="NAME[=JSON]",
        help="call this function of its kind instead of the first by name, with this input; may be repeated",
    )
    parser.add_argument("--timeout", type=float, default=60.0, help="real seconds for a call (default: 60)")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Check an app; returns the exit code."""
    options = parse_arguments(arguments)
    logging.basicConfig(level=logging.CRITICAL, stream=sys.stderr)
    try:
        if options.settings:
            apply_values(read_local_settings(options.settings).values)
        return asyncio.run(check(options.app.resolve(), _given(options.call), options.timeout))
    except (SettingsError, ValueError, KeyError) as error:
        print(f"cannot check: {error}", file=sys.stderr)
        return 2


def _given(texts: Iterable[str]) -> dict[str, str | None]:
    """The functions to call, by name, with their input's JSON text. Raises ValueError when it is none."""
    given: dict[str, str | None] = {}
    for text in texts:
        name, found, content = text.partition("=")
        if found:
            json.loads(content)
        given[name] = content if found else None
    return given


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


if __name__ == "__main__":
    sys.exit(main())
