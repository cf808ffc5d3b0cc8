import json
import stat
from pathlib import Path

import pytest

from domain.access.policy import parse_policy
from local.app_settings import app_settings, clean_environment, write_settings_file
from local.tenant import API, API_URI
from local.world import WORKSPACE, workspace_id

OTHER = workspace_id("team-speech")
AZURE = {
    "identityEndpoint": "http://127.0.0.1:1/msi/token",
    "identityHeader": "secret",
    "metadataUrl": "https://127.0.0.1:2/metadata/endpoints?api-version=2019-05-01",
    "topicEndpoint": "https://127.0.0.1:2/api/events",
    "authority": "/ca.pem",
    "httpsProxy": "http://127.0.0.1:4",
    "tenantId": "7e4a17e4-0000-4000-8000-00000000a2e0",
}


def test_app_settings_name_every_place() -> None:
    settings = app_settings(AZURE, {"table": "https://127.0.0.1:3/account"}, "1.5,20.0", (WORKSPACE, OTHER))
    assert settings["AzureWebJobsStorage__tableServiceUri"] == "https://127.0.0.1:3/account"
    events = {entry["match"] for entry in json.loads(settings["MOOR_POLICY"])["workspaces"] if entry["events"]}
    assert events == {WORKSPACE, OTHER}
    assert parse_policy(settings["MOOR_POLICY"].encode()).entry_of(WORKSPACE) is not None
    assert (settings["MOOR_AUTH"], settings["MOOR_ENTRA_AUDIENCE"]) == ("entra", f"{API},{API_URI}")
    assert settings["MOOR_CLOCK"] == "1.5,20.0"
    assert set(AZURE.values()) <= set(settings.values())


def test_settings_file_is_what_func_start_reads_and_private(tmp_path: Path) -> None:
    path = tmp_path / "local.settings.json"
    write_settings_file(path, {"A": "1"}, 7071)
    assert json.loads(path.read_text()) == {"IsEncrypted": False, "Values": {"A": "1"}, "Host": {"LocalHttpPort": 7071}}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_developers_own_settings_do_not_reach_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = ("AZURE_CLIENT_SECRET", "AzureWebJobsStorage", "MOOR_CLOCK", "REQUESTS_CA_BUNDLE", "https_proxy")
    for name in foreign:
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("LANG", "C.UTF-8")
    environment = clean_environment({"MORE": "1"})
    assert not set(foreign) & set(environment)
    assert environment["LANG"] == "C.UTF-8"
    assert environment["MORE"] == "1"
    assert "PATH" in environment
