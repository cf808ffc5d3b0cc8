from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateways import host_json
from gateways.host_json import most_activities, orchestration_version

OVERRIDE = "AzureFunctionsJobHost__extensions__durableTask__defaultVersion"


@pytest.fixture(autouse=True)
def _no_override(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OVERRIDE, raising=False)


def test_the_version_is_that_of_the_app_s_own_host_json() -> None:
    host = json.loads((Path(__file__).resolve().parents[2] / "host.json").read_text())
    assert orchestration_version() == host["extensions"]["durableTask"]["defaultVersion"]


def test_a_setting_overrides_it_as_it_does_for_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OVERRIDE, "7.1")
    assert orchestration_version() == "7.1"


def test_without_a_version_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    monkeypatch.setattr(host_json, "_FILE", tmp_path / "host.json")
    assert orchestration_version() is None


def test_activities_at_a_time_are_those_of_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = json.loads((Path(__file__).resolve().parents[2] / "host.json").read_text())
    assert most_activities() == host["extensions"]["durableTask"]["maxConcurrentActivityFunctions"]
    monkeypatch.setenv("AzureFunctionsJobHost__extensions__durableTask__maxConcurrentActivityFunctions", "3")
    assert most_activities() == 3
    monkeypatch.undo()
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    monkeypatch.setattr(host_json, "_FILE", tmp_path / "host.json")
    assert most_activities() == 10
