"""Child processes: each in a process group of its own, with log files, and never left behind."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import psutil

from local import fork_server
from packages.functions_host.workers.forks import workers_of

T = TypeVar("T")

REPOSITORY = Path(__file__).resolve().parents[1]
LOOPBACK = "127.0.0.1"
START_SECONDS = 90.0
STOP_SECONDS = 5.0
_LOG_TAIL_LINES = 40
# Below the ranges from which Linux and macOS take ports for outgoing connections, so that a port is still free when its
# program is started again.
_PORTS = range(20_000, 32_000)


class StackError(Exception):
    """A part of the stack did not do what it should; the text ends with the tail of its log."""


@dataclass
class Child:
    """A running program. ``log`` takes its standard error, ``output`` its standard output."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    output: Path

    @property
    def pid(self) -> int:
        """Its process id, which is its process group's id too."""
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def failure(self, what: str) -> StackError:
        """An error that says what went wrong and shows the end of the log."""
        code = self.process.poll()
        state = "it still runs" if code is None else f"it ended with code {code}"
        return StackError(f"{self.name}: {what}; {state}.\n{tail(self.log)}")

    def wait_for(self, ready: Callable[[], T | None], what: str, seconds: float = START_SECONDS) -> T:
        """What ``ready`` answers once that is not None.

        Raises StackError when the program ends first or ``seconds`` of real time pass.
        """
        deadline = time.monotonic() + seconds
        while True:
            answer = ready()
            if answer is not None:
                return answer
            if not self.alive:
                raise self.failure(f"no {what}")
            if time.monotonic() > deadline:
                raise self.failure(f"no {what} within {seconds:.0f} seconds")
            time.sleep(0.02)

    def ready_line(self) -> dict[str, Any]:
        """The JSON line that the program prints once it serves. Raises StackError when none comes."""

        def line() -> dict[str, Any] | None:
            text = self.output.read_text()
            return json.loads(text.splitlines()[0]) if "\n" in text else None

        return self.wait_for(line, "ready line")

    def serves(self, port: int) -> None:
        """Wait until the program listens on a loopback port. Raises StackError when it does not."""

        def connected() -> bool | None:
            with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
                return True
            return None

        self.wait_for(connected, f"listener on port {port}")


class Processes:
    """Starts children and ends them all, at the latest when this process is gone (see watchdog.py)."""

    def __init__(self, logs: Path) -> None:
        """``logs`` is the directory for log files; it is made when it is missing."""
        logs.mkdir(parents=True, exist_ok=True)
        self._logs = logs
        self._children: list[Child] = []
        command = [sys.executable, "-S", str(Path(__file__).with_name("watchdog.py"))]
        self._watchdog = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, bufsize=1, start_new_session=True)

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Child:
        """Start a program in the repository's root; its log is appended to, so that one file shows restarts too."""
        log, output = self._logs / f"{name}.log", self._logs / f"{name}.out"
        with log.open("ab") as errors, output.open("wb") as out:
            process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                start_new_session=True,
            )
        self._tell(f"+{process.pid}")
        child = Child(name, process, log, output)
        self._children.append(child)
        return child

    def stop(self, child: Child, seconds: float = STOP_SECONDS) -> None:
        """End a child with SIGTERM, and with SIGKILL when it does not go within ``seconds``."""
        self._end(child, signal.SIGTERM, seconds)

    def kill(self, child: Child) -> None:
        """End a child, and whatever it has started, with SIGKILL."""
        self._end(child, signal.SIGKILL)

    def close(self) -> None:
        """End every child, the last one first, and the watchdog."""
        for child in reversed(self._children[:]):
            self.stop(child)
        if self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
        self._watchdog.wait(timeout=STOP_SECONDS)

    def _end(self, child: Child, number: signal.Signals, seconds: float = STOP_SECONDS) -> None:
        if child not in self._children:
            return  # Ended before: its number may be somebody else's by now.
        # One that ended on its own may be long gone: to its number nothing is sent either.
        started = _started_by(child.pid)
        if child.alive:
            _signal_group(child.pid, number)
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(timeout=seconds)
            # What the child may have left in its group; the child itself too when it would not go.
            _signal_group(child.pid, signal.SIGKILL)
        child.process.wait(timeout=STOP_SECONDS)
        # A host's worker is in a group of its own and ends with its host, a moment later: what it was about to send it
        # must not send when this returns.
        psutil.wait_procs(started, timeout=STOP_SECONDS)
        self._children.remove(child)
        self._tell(f"-{child.pid}")

    def _tell(self, line: str) -> None:
        assert self._watchdog.stdin is not None
        with suppress(BrokenPipeError):
            self._watchdog.stdin.write(f"{line}\n")


def free_port() -> int:
    """A TCP port on which nothing listens on loopback now. Raises StackError when none is found."""
    for port in random.sample(_PORTS, 200):
        if is_free(port):
            return port
    raise StackError("no free port on 127.0.0.1")


def is_free(port: int) -> bool:
    """Whether a program could listen on a loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def tail(log: Path) -> str:
    """The last lines of a log, indented."""
    lines = log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:] if log.exists() else []
    return "\n".join([f"  The end of {log}:", *(f"    {line}" for line in lines or ["(empty)"])])


def _started_by(pid: int) -> list[psutil.Process]:
    """The processes that a process has started, and what these have; none when it has ended."""
    found = []
    with suppress(psutil.NoSuchProcess):
        found += psutil.Process(pid).children(recursive=True)
    server = fork_server.chosen()
    for forked in workers_of(server, pid) if server is not None else []:
        with suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(forked))
    return found


def _signal_group(group: int, number: signal.Signals) -> None:
    # macOS answers EPERM for a group whose last member is a zombie.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
