"""The gateway asks only vaults of its cloud, and repeats nothing of what it cannot give."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError

from domain.extension.secret_ids import SecretId
from gateways.azure import key_vault
from gateways.azure.identity import Cloud
from gateways.azure.key_vault import VaultError, secret


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Vaults that were asked; each fails to answer."""
    urls: list[str] = []

    class Client:
        def get_secret(self, name: str, version: str | None) -> Any:
            raise ServiceRequestError("hunter2")

    def client(url: str) -> Client:
        urls.append(url)
        return Client()

    monkeypatch.setattr(key_vault, "_client", client)
    monkeypatch.setattr(key_vault, "cloud", lambda: Cloud("https://arm.test", "vault.azure.cn"))
    return urls


@pytest.mark.parametrize(
    "host",
    ["kv-1.vault.azure.net", "kv-1.vault.azure.cn.evil.example", "kv-1.evilvault.azure.cn", "a.kv-1.vault.azure.cn"],
)
def test_no_other_cloud_is_asked(asked: list[str], host: str) -> None:
    with pytest.raises(VaultError) as refused:
        secret(SecretId(host, "s"))
    assert refused.value.code == "ForeignVault"
    assert asked == []


def test_a_vault_that_does_not_answer(asked: list[str]) -> None:
    with pytest.raises(VaultError) as refused:
        secret(SecretId("kv-1.vault.azure.cn", "s"))
    assert asked == ["https://kv-1.vault.azure.cn"]
    assert (refused.value.status, refused.value.code) == (0, "ServiceRequestError")
    assert "hunter2" not in str(refused.value)
