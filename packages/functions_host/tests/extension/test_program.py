"""The program is found, told of the app, started again when it dies, and never outlives its host."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from packages.functions_host.extension import program
from packages.functions_host.extension.options import EXTENSION
from packages.functions_host.extension.program import (
    ExtensionError,
    Program,
    ProgramOptions,
    Task,
    environment_of,
    find_program,
)

REPOSITORY = Path(__file__).resolve().parents[4]
# Says that it is ready, as the real one does, and keeps what it was told.
READY = """\
import json, os, signal, sys, time
with open("told.json", "w") as file:
    json.dump({"arguments": sys.argv[1:], "storage": os.environ.get("AzureWebJobsStorage")}, file)
print(json.dumps({"url": f"http://127.0.0.1:{os.getpid()}", "client": {"rpcBaseUrl": "r"}, "pid": os.getpid()}))
sys.stdout.flush()
while True:
    time.sleep(1)
"""


def executable(folder: Path, text: str) -> Path:
    file = folder / "durable-host"
    file.write_text(f"#!{sys.executable} -S\n{text}")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


def task(folder: Path) -> Task:
    functions = [{"name": "attach", "kind": "orchestrator"}]
    return Task(folder / "state", folder / "host.json", functions, "http://127.0.0.1:1", "http://127.0.0.1:2/w?code=k")


async def until(holds: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} seconds for {what}"
        await asyncio.sleep(0.02)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_it_is_told_of_the_app_and_stopped(tmp_path: Path) -> None:
    options = ProgramOptions(executable(tmp_path, READY), {"AzureWebJobsStorage": "UseDevelopmentStorage=true"})
    made = Program(options, task(tmp_path))
    await made.start()
    pid = made.ready["pid"]
    told = json.loads((tmp_path / "state" / "told.json").read_text())
    arguments = dict(zip(told["arguments"][::2], told["arguments"][1::2], strict=True))
    assert (
        json.loads((tmp_path / "state" / Path(arguments["--functions"]).name).read_text()) == task(tmp_path).functions
    )
    assert arguments["--host-json"] == str(tmp_path / "host.json")
    assert arguments["--worker"] == "http://127.0.0.1:1"
    assert arguments["--webhook-url"] == "http://127.0.0.1:2/w?code=k"
    assert told["storage"] == "UseDevelopmentStorage=true"
    assert json.loads((tmp_path / "state" / "ready.json").read_text())["pid"] == pid
    assert made.url == f"http://127.0.0.1:{pid}"
    await made.stop()
    assert not runs(pid)
    assert made.url is None


async def test_one_that_was_killed_is_started_again(tmp_path: Path) -> None:
    made = Program(ProgramOptions(executable(tmp_path, READY)), task(tmp_path))
    await made.start()
    seen = {made.ready["pid"]}
    for _ in range(2):
        os.kill(made.ready["pid"], signal.SIGKILL)
        await until(lambda: bool(made.ready) and made.ready["pid"] not in seen, "the next program")
        assert made.client == {"rpcBaseUrl": "r"}
        seen.add(made.ready["pid"])
    await made.stop()
    assert [pid for pid in seen if runs(pid)] == []


async def test_one_that_does_not_start_again_is_tried_until_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "_RESTART_SECONDS", 0.01)
    path = executable(tmp_path, READY)
    made = Program(ProgramOptions(path), task(tmp_path))
    await made.start()
    first = made.ready["pid"]
    path.write_text(f"#!{sys.executable} -S\nprint('not yet', file=__import__('sys').stderr)\n")
    os.kill(first, signal.SIGKILL)
    log = tmp_path / "state" / "durable-host.log"
    await until(lambda: log.read_text().count("not yet") >= 2, "a second try")
    assert made.url is None
    executable(tmp_path, READY)
    await until(lambda: made.url is not None, "the program")
    await made.stop()


@pytest.mark.parametrize("text", ["raise SystemExit(3)", "print('no JSON')", "print('')"])
async def test_one_that_does_not_start_is_an_error(tmp_path: Path, text: str) -> None:
    made = Program(ProgramOptions(executable(tmp_path, text)), task(tmp_path))
    with pytest.raises(ExtensionError, match=r"does not start: see .*durable-host\.log"):
        await made.start()
    assert made.url is None


def test_it_ends_with_a_host_that_is_killed(tmp_path: Path) -> None:
    """The host gets SIGKILL, which nobody can catch."""
    path = executable(tmp_path, READY)
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, str(path), str(tmp_path)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert host.stdout is not None
    pid = int(host.stdout.readline())
    assert runs(pid)
    host.kill()
    host.wait()
    host.stdout.close()
    asyncio.run(until(lambda: not runs(pid), "the program's end"))


HOST = """\
import asyncio, sys
from pathlib import Path
from packages.functions_host.tests.extension.test_program import Program, ProgramOptions, task
async def main():
    made = Program(ProgramOptions(Path(sys.argv[1])), task(Path(sys.argv[2])))
    await made.start()
    print(made.ready["pid"], flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


def test_it_is_found_on_the_path_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(program, "_BESIDE", tmp_path / "beside")
    assert find_program() is None
    (tmp_path / "beside").touch()
    assert find_program() == tmp_path / "beside"
    path = executable(tmp_path, READY)
    assert find_program() == path
    assert find_program(tmp_path / "given") == tmp_path / "given"


def test_it_gets_one_form_of_the_storage_account() -> None:
    app = {"AzureWebJobsStorage__credential": "managedidentity", "HOME": "/nonexistent", "MORE": "1"}
    found = environment_of(ProgramOptions(Path("p"), {"AzureWebJobsStorage": "c", "SSL_CERT_FILE": "ca"}), app)
    folder = found.pop("DOTNET_BUNDLE_EXTRACT_BASE_DIR")
    assert str(os.getuid()) in folder
    assert found == {"HOME": "/nonexistent", "MORE": "1", "AzureWebJobsStorage": "c", "SSL_CERT_FILE": "ca"}
    assert environment_of(ProgramOptions(Path("p")), app).items() >= app.items()


def test_the_host_says_when_it_is_not_there(tmp_path: Path) -> None:
    app = Path(__file__).resolve().parents[1] / "app"
    command = [sys.executable, "-m", "packages.functions_host", "--app", str(app), "--state", str(tmp_path)]
    command += ["--port", "0", "--engine", EXTENSION, "--durable-host", str(tmp_path / "nowhere")]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 1
    assert f"the engine needs durable-host: not on the PATH, nor at {tmp_path / 'nowhere'}" in ended.stderr
