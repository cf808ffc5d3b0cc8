from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from packages.functions_host.settings import (
    NameResolver,
    SettingsError,
    apply_values,
    read_host_json,
    read_local_settings,
)


def write(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_local_settings_are_read_as_core_tools_do(tmp_path: Path) -> None:
    content = {
        "IsEncrypted": False,
        "Values": {"A": "1", "B": True, "C": None},
        "Host": {"LocalHttpPort": 7099, "CORS": "https://a.example/, *", "CORSCredentials": True},
    }
    settings = read_local_settings(write(tmp_path, "s.json", content))
    assert settings.values == {"A": "1", "B": "true"}
    assert settings.port == 7099
    assert settings.cors == ("https://a.example", "*")
    assert settings.cors_credentials


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"IsEncrypted": True, "Values": {}}, "IsEncrypted must be false"),
        ("{", "not valid JSON"),
        ("[]", "must hold a JSON object"),
        ({"Values": []}, "must be objects"),
    ],
)
def test_bad_local_settings(tmp_path: Path, content: Any, message: str) -> None:
    if content == {"Values": []}:
        content = {"Values": ["x"]}
    with pytest.raises(SettingsError, match=message):
        read_local_settings(write(tmp_path, "s.json", content))


def test_a_missing_settings_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="settings file not found"):
        read_local_settings(tmp_path / "none.json")


def test_values_do_not_replace_what_is_set() -> None:
    environment = {"A": "mine"}
    apply_values({"A": "theirs", "B": "2"}, environment)
    assert environment == {"A": "mine", "B": "2"}


def test_host_json_defaults(tmp_path: Path) -> None:
    write(tmp_path, "host.json", {"version": "2.0"})
    host = read_host_json(tmp_path, {})
    assert host.route_prefix == "api"
    assert host.function_timeout == 1800
    assert (host.max_outstanding, host.max_concurrent) == (-1, -1)


def test_host_json_with_overrides_of_the_environment(tmp_path: Path) -> None:
    http = {"routePrefix": "v1/", "customHeaders": {"X-A": "1"}, "maxOutstandingRequests": 5}
    durable = {"hubName": "hub", "storageProvider": {"maxQueuePollingInterval": "00:00:01"}}
    content = {"version": "2.0", "functionTimeout": "00:05:00", "extensions": {"http": http, "durableTask": durable}}
    write(tmp_path, "host.json", content)
    environment = {
        "AzureFunctionsJobHost__extensions__http__maxConcurrentRequests": "3",
        "azurefunctionsjobhost:Extensions:durabletask:hubName": "other",
        "AzureFunctionsJobHost__logging__logLevel__default": "Warning",
        "AzureFunctionsJobHost__extensions__durableTask__tracing__on": "True",
    }
    host = read_host_json(tmp_path, environment)
    assert (host.route_prefix, host.custom_headers, host.function_timeout) == ("v1", {"X-A": "1"}, 300)
    assert (host.max_outstanding, host.max_concurrent) == (5, 3)
    assert host.durable_task["hubName"] == "other"
    assert host.durable_task["tracing"] == {"on": True}
    assert host.log_levels == {"default": "Warning"}


@pytest.mark.parametrize(
    ("text", "seconds"), [("-1", None), ("01:00:00", 3600), ("1.00:00:01", 86401), ("00:00:01.5", 1.5), ("00:10", 600)]
)
def test_function_timeout(tmp_path: Path, text: str, seconds: float | None) -> None:
    write(tmp_path, "host.json", {"version": "2.0", "functionTimeout": text})
    assert read_host_json(tmp_path, {}).function_timeout == seconds


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"version": "1.0"},
        {"version": "2.0", "functionTimeout": "soon"},
        {"version": "2.0", "functionTimeout": "00:60:00"},
        {"version": "2.0", "functionTimeout": "-00:05:00"},
    ],
)
def test_a_host_json_that_is_refused(tmp_path: Path, content: Any) -> None:
    write(tmp_path, "host.json", content)
    with pytest.raises(SettingsError):
        read_host_json(tmp_path, {})


def test_names_are_resolved_once_in_any_case() -> None:
    resolver = NameResolver({"A": "1", "B": "%A%"}, {"C__D": "4", "Empty": ""})
    assert resolver.resolve("x%a%y%B%") == "x1y%A%"
    assert resolver.resolve("%C:D%-%c__d%-%EMPTY%") == "4-4-"
    assert resolver.resolve("nothing") == "nothing"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("%X%", "'%X%' does not resolve to a value."),
        ("a%%", "'%%' does not resolve to a value."),
        ("ab%c", "The '%' at position 2 does not have a closing '%'"),
    ],
)
def test_names_that_do_not_resolve(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        NameResolver({}).resolve(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "value", "disabled"),
    [
        ("AzureWebJobs.F.Disabled", "1", True),
        ("AzureWebJobs_F_Disabled", "TRUE", True),
        ("azurewebjobs.f.disabled", "true", True),
        ("AzureWebJobs.F.Disabled", "0", False),
        ("AzureWebJobs.F.Disabled", "yes", False),
        ("AzureWebJobs.G.Disabled", "1", False),
    ],
)
def test_disabled_by_setting(name: str, value: str, disabled: bool) -> None:
    assert NameResolver({}, {name: value}).is_disabled("F") is disabled
