"""The program that holds Microsoft's Durable extension: found, started, read and started again when it dies."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packages.functions_host.launch import ending_with_us

NAME = "durable-host"
_BESIDE = Path(__file__).resolve().parents[4] / "shared" / "tools" / NAME / NAME
# The program unpacks itself at its first start.
_START_SECONDS = 180.0
_STOP_SECONDS = 8.0
_RESTART_SECONDS = 0.5
_log = logging.getLogger("Host.Extension")


class ExtensionError(OSError):
    """The program is not there or does not start; the text says why."""


@dataclass(frozen=True)
class ProgramOptions:
    """How to run the program: its path, and what is laid over this process's environment for it alone.

    ``environment`` usually holds AzureWebJobsStorage as a connection string: the program takes no identity.
    """

    path: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """What the program knows of the app."""

    folder: Path
    host_json: Path
    functions: list[dict[str, str]]
    worker_url: str
    webhook_url: str


def find_program(given: Path | None = None) -> Path | None:
    """The program's path: the one given, else the one on the PATH, else the one beside the repository, or None."""
    if given is not None:
        return given.resolve()
    found = shutil.which(NAME)
    if found:
        return Path(found)
    return _BESIDE if _BESIDE.exists() else None


def environment_of(options: ProgramOptions, environment: Mapping[str, str]) -> dict[str, str]:
    """The program's environment: the app's settings without the storage account's other forms, and the additions."""
    connection = "AzureWebJobsStorage"
    kept = dict(environment)
    if connection in options.environment:
        kept = {name: value for name, value in kept.items() if not name.startswith(f"{connection}__")}
    home = Path(kept.get("HOME") or "/nonexistent")
    if "DOTNET_BUNDLE_EXTRACT_BASE_DIR" not in kept and not os.access(home, os.W_OK):
        kept["DOTNET_BUNDLE_EXTRACT_BASE_DIR"] = str(Path(tempfile.gettempdir()) / f".net-{os.getuid()}")
    return {**kept, **options.environment}


class Program:
    """The running program, started again whenever it ends without our doing.

    ``ready`` is its ready line, empty while it is not there; ``client`` is the durable client's binding data, which
    stays when the program goes.
    """

    def __init__(self, options: ProgramOptions, task: Task) -> None:
        self._options, self._task = options, task
        self._process: asyncio.subprocess.Process | None = None
        self._minder: asyncio.Task[None] | None = None
        self.ready: dict[str, Any] = {}
        self.client: dict[str, Any] = {}

    @property
    def url(self) -> str | None:
        """Where its management API is; None while it is not there."""
        return str(self.ready["url"]) if self.ready else None

    async def start(self) -> None:
        """Start it and wait until it is ready. Raises ExtensionError."""
        folder = self._task.folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "functions.json").write_text(json.dumps(self._task.functions))
        try:
            await self._launch()
        except ExtensionError:
            await self._end()
            raise
        self._minder = asyncio.create_task(self._mind(), name="durable-host")

    async def stop(self) -> None:
        """End it, with SIGKILL when it does not go within seconds."""
        if self._minder is not None:
            self._minder.cancel()
            await asyncio.gather(self._minder, return_exceptions=True)
        await self._end()

    async def _launch(self) -> None:
        task = self._task
        command = ending_with_us(str(self._options.path))
        command += ["--functions", str(task.folder / "functions.json"), "--host-json", str(task.host_json)]
        command += ["--worker", task.worker_url, "--webhook-url", task.webhook_url, "--log-level", "Warning"]
        with (task.folder / f"{NAME}.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                cwd=task.folder,
                env=environment_of(self._options, os.environ),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        ready = await self._ready_line(self._process)
        self.client, self.ready = ready["client"], ready
        # For whoever wants to look at the program, or end it.
        (task.folder / "ready.json").write_text(json.dumps(ready))

    async def _ready_line(self, process: asyncio.subprocess.Process) -> dict[str, Any]:
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
        except TimeoutError:
            raise ExtensionError(f"{NAME} was not ready within {_START_SECONDS:.0f} seconds") from None
        except ValueError as error:
            raise ExtensionError(f"{NAME} wrote no ready line: {error}") from error
        try:
            ready: dict[str, Any] = json.loads(line)
        except ValueError:
            raise ExtensionError(f"{NAME} does not start: see {self._task.folder / f'{NAME}.log'}") from None
        return ready

    async def _mind(self) -> None:
        """Start the program again each time it has ended, until it runs."""
        while True:
            if self._process is not None:
                code = await self._process.wait()
                _log.error("%s has ended with code %d; it is started again", NAME, code)
            self.ready = {}
            try:
                await self._launch()
            except OSError as error:
                _log.error("%s", error)
                await self._end()
                await asyncio.sleep(_RESTART_SECONDS)

    async def _end(self) -> None:
        process, self._process, self.ready = self._process, None, {}
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
