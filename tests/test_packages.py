"""The packages could serve any app: each tells how to run it alone, and none of them names this one."""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "packages"
PACKAGES = sorted(path.parent.name for path in FOLDER.glob("*/__init__.py"))


def test_there_are_packages() -> None:
    assert {"controls", "functions_host", "simulated_azure"} <= set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_it_does_not_name_the_product(package: str) -> None:
    files = [path for path in (FOLDER / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert [path for path in files if b"moor" in path.read_bytes().lower()] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_its_readme_tells_how_it_is_tested(package: str) -> None:
    assert f"python -m pytest packages/{package}" in (FOLDER / package / "README.md").read_text()
