from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from domain.version import VERSION, is_newer


def test_the_version_is_told_in_one_voice() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["version"] == VERSION


@pytest.mark.parametrize(
    ("version", "than", "newer"),
    [
        ("2.0", "1.0", True),
        ("10.0", "9.1", True),
        ("2.0.1", "2.0", True),
        ("2.0", "2.0", False),
        ("1.0", "2.0", False),
        (None, "2.0", False),
        ("2.0", None, False),
        ("2.0-preview", "1.0", False),
        ("", "1.0", False),
    ],
)
def test_orchestration_versions_compare_as_numbers(version: str | None, than: str | None, newer: bool) -> None:
    assert is_newer(version, than) is newer
