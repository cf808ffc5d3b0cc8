from pathlib import Path

import pytest

from local import azurite
from local.azurite import find_node
from local.processes import StackError


def fake_node(directory: Path, says: str) -> None:
    node = directory / "node"
    node.write_text(f"#!/bin/sh\necho {says}\n")
    node.chmod(0o755)


def test_no_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match=r"^Node.js 20 or later is needed .* no 'node' on the PATH\.$"):
        find_node()


@pytest.mark.parametrize("version", ["v18.19.0", "v9.1.0", "nonsense"])
def test_old_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str) -> None:
    fake_node(tmp_path, version)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match=rf"^Node.js 20 or later is needed .*node is {version}\.$"):
        find_node()


def test_node_without_azurite(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_node(tmp_path, "v22.1.0")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(azurite, "REPOSITORY", tmp_path)
    with pytest.raises(StackError, match="Azurite is not installed; 'npm ci'"):
        find_node()
