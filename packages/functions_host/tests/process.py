"""Runs the real host process for tests."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[3]
APP = Path(__file__).parent / "app"
DEADLINE = 120.0
"""Real seconds that any wait may take."""


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class HostProcess:
    process: subprocess.Popen[str]
    ready: dict[str, Any]
    notes_file: Path
    log_file: Path

    @property
    def keys(self) -> dict[str, str]:
        keys: dict[str, str] = self.ready["keys"]
        return keys

    def ask(
        self, path: str, method: str = "GET", body: str | bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection(urlsplit(self.ready["url"]).netloc, timeout=DEADLINE)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read().decode())
        finally:
            connection.close()

    def notes(self, kind: str) -> list[dict[str, Any]]:
        """What the app noted of that kind."""
        if not self.notes_file.exists():
            return []
        lines = [json.loads(line) for line in self.notes_file.read_text().splitlines()]
        return [line for line in lines if line["kind"] == kind]

    def log(self) -> str:
        return self.log_file.read_text()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(DEADLINE)

    def terminate(self) -> int:
        self.process.terminate()
        return self.process.wait(DEADLINE)


@contextmanager
def running(
    folder: Path, *options: str, app: Path = APP, environment: Mapping[str, str] | None = None
) -> Iterator[HostProcess]:
    """The host with its state in ``folder``, from the ready line on; ended afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    notes, log = folder / "notes.jsonl", folder / "host.log"
    process = start(folder, log, *options, app=app, environment={"TEST_APP_NOTES": str(notes), **(environment or {})})
    try:
        assert process.stdout
        line = process.stdout.readline()
        assert line, log.read_text()
        yield HostProcess(process, json.loads(line), notes, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(DEADLINE)
        if process.stdout:
            process.stdout.close()


def start(
    folder: Path, log: Path, *options: str, app: Path = APP, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "packages.functions_host", "--app", str(app), "--state", str(folder / "state")]
    if (app / "app.settings.json").exists():
        command += ["--settings", str(app / "app.settings.json")]
    command += ["--port", "0", *options]
    with log.open("a") as errors:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """The first true value of ``condition``; fails after the deadline."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {DEADLINE} s for {what}")
