"""What the scripts that install and that try other Pythons do on a machine that lacks something."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local.processes import REPOSITORY


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A checkout with nothing installed, and a PATH (in bin) with nothing but a shell's tools and a good Python."""
    (tmp_path / "scripts").mkdir()
    for name in ("setup.sh", "test_pythons.sh"):
        shutil.copy(REPOSITORY / "scripts" / name, tmp_path / "scripts")
    (tmp_path / "bin").mkdir()
    for name in ("sh", "dirname", "env", "sed", "sort", "cat", "mkdir", "rm", "cp", "touch"):
        found = shutil.which(name)
        assert found is not None
        (tmp_path / "bin" / name).symlink_to(found)
    tool(tmp_path, "python3", "echo 3.13")
    tool(tmp_path, "node", "echo v20.11.1")
    tool(tmp_path, "npm", "exit 0")
    return tmp_path


def tool(machine: Path, name: str, script: str) -> None:
    path = machine / "bin" / name
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def run(machine: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(machine / "bin"), "HOME": os.environ.get("HOME", "/")}
    command = [str(machine / "bin" / "sh"), str(machine / "scripts" / script), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def check(machine: Path) -> tuple[int, list[str]]:
    done = run(machine, "setup.sh", "check")
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()


def test_everything_is_there(machine: Path) -> None:
    assert check(machine) == (0, [])


def test_no_node(machine: Path) -> None:
    (machine / "bin" / "node").unlink()
    code, lines = check(machine)
    assert code == 1
    assert lines == ["moor: Node.js 20 or later is needed for Azurite, and there is no 'node' on the PATH."]


@pytest.mark.parametrize("version", ["v18.20.4", "banana"])
def test_unusable_node(machine: Path, version: str) -> None:
    tool(machine, "node", f"echo {version}")
    assert check(machine) == (1, [f"moor: Node.js 20 or later is needed for Azurite; 'node' is {version}."])


def test_no_npm(machine: Path) -> None:
    (machine / "bin" / "npm").unlink()
    assert check(machine) == (1, ["moor: npm is needed to install Azurite, and there is none on the PATH."])


@pytest.mark.parametrize("version", ["3.10", "3.14", ""])
def test_only_a_python_that_the_app_does_not_run_on(machine: Path, version: str) -> None:
    tool(machine, "python3", f"echo {version}")
    code, lines = check(machine)
    assert code == 1
    assert len(lines) == 1
    assert lines[0].startswith("moor: Python 3.11, 3.12 or 3.13 is needed")


def test_a_newer_python_beside_an_old_one(machine: Path) -> None:
    tool(machine, "python3", "echo 3.9")
    tool(machine, "python3.12", "echo 3.12")
    assert check(machine) == (0, [])


NO_SHIM = "echo 'pyenv: python: command not found' >&2; exit 127"


def test_a_version_is_found_on_the_path(machine: Path) -> None:
    tool(machine, "python3.12", "echo 3.12")
    done = run(machine, "setup.sh", "find", "3.12")
    assert (done.returncode, done.stdout) == (0, "python3.12\n")
    # By what it says of itself, not by its name.
    assert run(machine, "setup.sh", "find", "3.13").stdout == "python3\n"
    tool(machine, "python3.11", "echo 3.12")
    assert run(machine, "setup.sh", "find", "3.11").returncode == 1


def test_a_shim_that_does_not_run_is_no_interpreter(machine: Path) -> None:
    tool(machine, "python3.12", NO_SHIM)
    assert run(machine, "setup.sh", "find", "3.12").returncode == 1
    prefix = pyenv(machine, "3.12.1")
    done = run(machine, "setup.sh", "find", "3.12")
    assert (done.returncode, done.stdout) == (0, f"{prefix}/bin/python\n")
    assert run(machine, "setup.sh", "find", "3.11").returncode == 1
    # Also when it is the only one.
    tool(machine, "python3", NO_SHIM)
    assert check(machine) == (0, [])


def pyenv(machine: Path, version: str, script: str = "echo 3.12") -> Path:
    """A pyenv that has one version besides an old one, and no shim that runs it."""
    prefix = machine / "pyenv" / version
    (prefix / "bin").mkdir(parents=True)
    tool(
        machine,
        "pyenv",
        f'case "$*" in "versions --bare") echo 3.9.2; echo {version};; *{version}) echo {prefix};; esac',
    )
    path = prefix / "bin" / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return prefix


# A Python that makes virtual environments with copies of itself, and whose pytest says what it is asked to.
FAKE = """case "$*" in
*"-m venv"*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
*"-m pip"*) echo "$*" >>pip.txt; exit {pip} ;;
*"-m pytest"*) echo "$*" >>pytest.txt; echo "..."; echo "==== {said} in 61.48s (0:01:01) ===="; exit {code} ;;
*) echo {version} ;;
esac"""


def other_pythons(machine: Path, *, pip: int = 0, said: str = "7 passed", code: int = 0) -> tuple[int, list[str]]:
    """The exit code and the summary of the fast tests where .venv is 3.11, pyenv has 3.12, and there is no 3.13."""
    tool(machine, "python3", NO_SHIM)
    for name in ("requirements.txt", "requirements-dev.txt"):
        shutil.copy(REPOSITORY / name, machine)
    (machine / ".venv" / "bin").mkdir(parents=True)
    (machine / ".venv" / "bin" / "python").symlink_to(machine / "bin" / "main")
    tool(machine, "main", "echo 3.11")
    pyenv(machine, "3.12.1", FAKE.format(version="3.12", pip=pip, said=said, code=code))
    done = run(machine, "test_pythons.sh", "-k", "some")
    return done.returncode, done.stdout.split("Python versions:\n")[1].splitlines()


MAIN = "3.11: left to 'make test', which runs everything on it"


def test_a_line_for_each_python(machine: Path) -> None:
    code, lines = other_pythons(machine)
    assert code == 0
    assert lines == [MAIN, "3.12: passed (7 passed in 61.48s (0:01:01))", "3.13: not found"]
    (asked,) = (machine / "pytest.txt").read_text().splitlines()
    assert "@tests/no_stack.txt" in asked
    assert asked.endswith("-k some")


def test_the_worker_is_installed_past_its_own_declaration(machine: Path) -> None:
    other_pythons(machine)
    first, second = (machine / "pip.txt").read_text().splitlines()
    assert first.endswith("--require-hashes -r requirements-dev.txt")
    assert second.endswith("--require-hashes --no-deps --ignore-requires-python -r .venvs/3.12/worker.txt")
    worker, *hashes = (machine / ".venvs/3.12/worker.txt").read_text().replace("\\\n", " ").split()
    assert worker == "azure-functions-runtime==1.3.0"
    assert len(hashes) == 2  # A wheel and the source.
    assert {each.partition(":")[0] for each in hashes} == {"--hash=sha256"}
    # And once only.
    assert run(machine, "setup.sh", "venv", "3.12").returncode == 0
    assert len((machine / "pip.txt").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("failing", "line"),
    [
        ({"said": "1 failed, 6 passed", "code": 1}, "FAILED (1 failed, 6 passed in 61.48s (0:01:01))"),
        ({"pip": 1}, "FAILED to set up"),
    ],
)
def test_a_python_on_which_something_fails(machine: Path, failing: dict[str, Any], line: str) -> None:
    assert other_pythons(machine, **failing) == (1, [MAIN, f"3.12: {line}", "3.13: not found"])


def test_a_version_that_the_app_does_not_run_on_gets_no_environment(machine: Path) -> None:
    done = run(machine, "setup.sh", "venv", "3.10")
    assert (done.returncode, done.stderr) == (1, "moor: '3.10' is none of the versions 3.11 3.12 3.13.\n")
