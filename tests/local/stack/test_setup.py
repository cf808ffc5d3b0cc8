"""What scripts/setup.sh says on a machine that lacks something."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from local.stack.processes import REPOSITORY


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A checkout with nothing installed, and a PATH (in bin) with nothing but a shell's tools and a good Python."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(REPOSITORY / "scripts" / "setup.sh", tmp_path / "scripts")
    (tmp_path / "bin").mkdir()
    for name in ("sh", "dirname", "env"):
        found = shutil.which(name)
        assert found is not None
        (tmp_path / "bin" / name).symlink_to(found)
    tool(tmp_path, "python3", "exit 0")
    tool(tmp_path, "node", "echo v20.11.1")
    tool(tmp_path, "npm", "exit 0")
    return tmp_path


def tool(machine: Path, name: str, script: str) -> None:
    path = machine / "bin" / name
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def check(machine: Path) -> tuple[int, list[str]]:
    environment = {"PATH": str(machine / "bin"), "HOME": os.environ.get("HOME", "/")}
    done = subprocess.run(
        [str(machine / "bin" / "sh"), str(machine / "scripts" / "setup.sh"), "check"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
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


def test_old_python_only(machine: Path) -> None:
    tool(machine, "python3", "exit 1")
    code, lines = check(machine)
    assert code == 1
    assert len(lines) == 1
    assert lines[0].startswith("moor: Python 3.11 or later is needed")


def test_a_newer_python_beside_an_old_one(machine: Path) -> None:
    tool(machine, "python3", "exit 1")
    tool(machine, "python3.12", "exit 0")
    assert check(machine) == (0, [])
