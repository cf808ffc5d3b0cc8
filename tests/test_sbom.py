"""The bill of materials says what requirements.txt installs, the same each time, and nothing is left out of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.test_requirements import ROOT, RUNNING, pins


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bill") / "new" / "sbom.cdx.json"
    write(target)
    return target


def write(target: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "sbom.py"), str(target)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def document(written: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(written.read_text())
    return found


def test_it_is_a_bill_of_the_app(document: dict[str, Any]) -> None:
    assert (document["bomFormat"], document["specVersion"], document["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", document["serialNumber"])
    assert document["metadata"]["component"]["name"] == "moor"


def test_it_lists_what_is_locked(document: dict[str, Any]) -> None:
    listed = {each["purl"]: each for each in document["components"]}
    expected = {f"pkg:pypi/{name}@{version}" for name, version in pins("requirements.txt", RUNNING).items()}
    assert set(listed) == expected
    for ref, each in listed.items():
        assert (each["type"], each["bom-ref"]) == ("library", ref)
        (files,) = each["externalReferences"]
        assert {one["alg"] for one in files["hashes"]} == {"SHA-256"}
        assert each["licenses"][0]["license"]["name"]


def test_it_says_what_needs_what(document: dict[str, Any]) -> None:
    needs = {each["ref"]: each["dependsOn"] for each in document["dependencies"]}
    known = {each["bom-ref"] for each in document["components"]}
    assert set(needs) == {*known, "pkg:generic/moor@" + document["metadata"]["component"]["version"]}
    assert {ref for needed in needs.values() for ref in needed} <= known
    (own,) = [needed for ref, needed in needs.items() if ref not in known]
    assert {re.sub(r"^pkg:pypi/(.*)@.*", r"\1", ref) for ref in own} == set(pins("requirements.in", RUNNING))
    (identity,) = [needed for ref, needed in needs.items() if ref.startswith("pkg:pypi/azure-identity@")]
    assert any(ref.startswith("pkg:pypi/msal@") for ref in identity)


def test_the_same_input_gives_the_same_file(written: Path, tmp_path: Path) -> None:
    write(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == written.read_bytes()
