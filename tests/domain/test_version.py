from __future__ import annotations

import tomllib
from pathlib import Path

from domain.version import VERSION


def test_the_version_is_told_in_one_voice() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["version"] == VERSION
