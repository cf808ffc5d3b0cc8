"""The files of the project: CI runs what README says, on every Python that the app runs on; the licence is MIT."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.test_function_app import ROOT

CI = (ROOT / ".github" / "workflows" / "ci.yml").read_text()


def test_ci_runs_the_test_command_of_the_readme() -> None:
    commands = re.findall(r"^      - run: (.*)$", CI, re.MULTILINE)
    assert commands == ["make test", "make test-long"]
    assert "make test  " in (ROOT / "README.md").read_text().partition("## Two commands")[2].partition("## ")[0]


def test_ci_tries_every_version_of_python() -> None:
    listed = subprocess.run(
        [ROOT / "scripts" / "setup.sh", "versions"], capture_output=True, text=True, check=True
    ).stdout.split()
    matrix = re.search(r"python: \[(.*)\]", CI)
    assert matrix
    assert re.findall(r'"([\d.]+)"', matrix[1]) == listed
    assert "node-version: 20\n" in CI


def test_the_readme_has_its_parts_in_order() -> None:
    readme = (ROOT / "README.md").read_text()
    parts = re.findall(r"^## (.*)$", readme, re.MULTILINE)
    assert parts == ["Two commands", "Try it", "Deploy", "Operate", "Docs"]
    head = readme.partition("## ")[0]
    text, _, picture = head.partition("```mermaid")
    assert len(text.strip().splitlines()) == 2 + 5  # the title, and what it is in five lines
    assert picture.rstrip().endswith("```")


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "STYLE.md", "SECURITY.md", "LICENSE", ".editorconfig"])
def test_it_is_there_and_is_not_uploaded(name: str) -> None:
    assert (ROOT / name).read_text().strip()
    assert f"/{name}" in (ROOT / ".funcignore").read_text().splitlines()


def test_the_licence_is_mit() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert text.startswith("MIT License\n\nCopyright (c) 2026 The Moor authors\n")
