"""The requirement files name one version of everything for each Python of the app, with hashes of all files."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections import Counter
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
VERSIONS = ("3.11", "3.12", "3.13")
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"


def read(name: str) -> list[Requirement]:
    """The requirements of a file. Raises InvalidRequirement, also for a marker that does not parse."""
    return [Requirement(line.partition("--hash")[0].strip()) for line in lines_of(name)]


def lines_of(name: str) -> list[str]:
    """The requirements of a file with all that belongs to them, one a line."""
    lines = [line.strip() for line in (ROOT / name).read_text().replace("\\\n", " ").splitlines()]
    return [line for line in lines if line and not line.startswith(("#", "-"))]


def environment(python: str) -> dict[str, str]:
    # Azure runs the app on Linux.
    return {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux", "extra": ""}


def pins(name: str, python: str) -> dict[str, str]:
    """Package and version of every line of a file that holds on a Python."""
    found = [each for each in read(name) if each.marker is None or each.marker.evaluate(environment(python))]
    names = Counter(canonicalize_name(each.name) for each in found)
    assert [each for each, count in names.items() if count > 1] == []
    return {canonicalize_name(each.name): exact(each.specifier) for each in found}


def exact(specifier: SpecifierSet) -> str:
    (only,) = specifier
    assert only.operator == "=="
    assert "*" not in only.version
    return only.version


@pytest.mark.parametrize("python", VERSIONS)
def test_every_version_has_its_own_library_of_functions(python: str) -> None:
    expected = "2.3.0" if python == "3.13" else "1.26.0"
    assert pins("requirements.txt", python)["azure-functions"] == expected


@pytest.mark.parametrize("python", VERSIONS)
def test_what_is_asked_for_is_locked_and_what_is_deployed_is_tested(python: str) -> None:
    deployed, tested = pins("requirements.txt", python), pins("requirements-dev.txt", python)
    assert pins("requirements.in", python).items() <= deployed.items()
    assert pins("requirements-dev.in", python).items() <= tested.items()
    assert deployed.items() <= tested.items()


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_file_that_may_be_installed_has_its_hash(name: str) -> None:
    """pip takes a file that has one of the hashes, and nothing at all from a line without any."""
    assert len(lines_of(name)) > 90
    for line in lines_of(name):
        pin, *hashes = re.split(r"\s+--hash=sha256:", line)
        assert hashes, pin
        assert [each for each in hashes if not re.fullmatch("[0-9a-f]{64}", each)] == []
        assert len(set(hashes)) == len(hashes)
    # Nothing else may stand there: another index, an editable path, a file without a version.
    lines = (ROOT / name).read_text().splitlines()
    assert [line for line in lines if line.startswith("-") or "://" in line or " @ " in line] == []


def test_there_is_no_other_list_of_versions() -> None:
    assert sorted(path.name for pattern in ("*requirements*", "*constraints*") for path in ROOT.glob(pattern)) == [
        "requirements-dev.in",
        "requirements-dev.txt",
        "requirements.in",
        "requirements.txt",
    ]


def test_the_worker_of_microsoft_is_for_development_only() -> None:
    """On Azure it is there already: a copy in the package would go before it."""
    worker = {"azure-functions-runtime", "azurefunctions-extensions-base"}
    for python in VERSIONS:
        assert not worker & {*pins("requirements.txt", python)}
    assert worker <= set(pins("requirements-dev.txt", "3.13"))
    # The setup script installs it there, past the Python that it declares.
    assert set(pins("requirements-dev.txt", "3.12")) & worker == {"azurefunctions-extensions-base"}


def test_what_is_installed_is_what_the_files_name() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        for package, version in pins(name, RUNNING).items():
            assert distribution(package).version == version, package


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_a_lock_covers_all_that_is_needed_and_no_more(name: str) -> None:
    """Every package that the requirements lead to is held, at a version that all who need it take."""
    held = pins(f"{name}.txt", RUNNING)
    first = {**pins("requirements.in", RUNNING), **pins(f"{name}.in", RUNNING)}
    todo = [(each, frozenset[str]()) for each in first]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        name, extras = todo.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        assert name in held
        for text in distribution(name).requires or ():
            needed = Requirement(text)
            if needed.marker and not any(
                needed.marker.evaluate({**environment(RUNNING), "extra": extra}) for extra in (*extras, "")
            ):
                continue
            package = canonicalize_name(needed.name)
            assert package in held, f"{name} needs {package}"
            assert needed.specifier.contains(held[package], prereleases=True), f"{name} needs {text}"
            todo.append((package, frozenset(needed.extras)))
    assert {name for name, _ in seen} == set(held)


def test_one_list_of_versions() -> None:
    command = ["sh", str(ROOT / "scripts" / "setup.sh"), "versions"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert tuple(listed) == VERSIONS
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    supported = SpecifierSet(project["requires-python"])
    assert [each for each in ("3.10", *VERSIONS, "3.14") if supported.contains(f"{each}.0")] == list(VERSIONS)
    assert RUNNING in VERSIONS
