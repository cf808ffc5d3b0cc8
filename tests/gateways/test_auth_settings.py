from __future__ import annotations

import pytest

from gateways.auth_settings import AuthSettingError, EntraSettings, KeySettings, mode, read_auth

NAMES = ("MOOR_AUTH", "MOOR_ENTRA_TENANT", "MOOR_ENTRA_AUDIENCE", "MOOR_KEYS_MAY", "WEBSITE_SITE_NAME")
TENANT = "7e4a17e4-0000-4000-8000-00000000a2e0"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NAMES, "FUNCTIONS_CORETOOLS_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)


def test_there_is_no_default() -> None:
    assert mode() == ""
    with pytest.raises(AuthSettingError, match="MOOR_AUTH is not set"):
        read_auth()


def test_entra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOOR_AUTH", " Entra ")
    monkeypatch.setenv("MOOR_ENTRA_TENANT", TENANT.upper())
    monkeypatch.setenv("MOOR_ENTRA_AUDIENCE", "api://moor, 1-2 ,")
    assert read_auth() == EntraSettings(TENANT, ("api://moor", "1-2"))


def test_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOOR_AUTH", "keys")
    assert read_auth() == KeySettings()
    monkeypatch.setenv("MOOR_KEYS_MAY", "force, grantRoles")
    assert read_auth() == KeySettings(frozenset({"force", "grantRoles"}))


@pytest.mark.parametrize("name", ["approve", "reject", "Force", "*", "create"])
def test_what_no_key_may(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("MOOR_AUTH", "keys")
    monkeypatch.setenv("MOOR_KEYS_MAY", f"force,{name}")
    with pytest.raises(AuthSettingError, match="MOOR_KEYS_MAY"):
        read_auth()


def test_keys_are_for_a_developers_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOOR_AUTH", "keys")
    monkeypatch.setenv("WEBSITE_SITE_NAME", "moor")
    with pytest.raises(AuthSettingError, match="on Azure"):
        read_auth()
    monkeypatch.setenv("FUNCTIONS_CORETOOLS_ENVIRONMENT", "true")
    assert read_auth() == KeySettings()
