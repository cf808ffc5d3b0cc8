from __future__ import annotations

import pytest

from domain.extension.secret_ids import SecretId, parse_secret_id

VERSION = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("https://kv-1.vault.azure.net/secrets/Cert", SecretId("kv-1.vault.azure.net", "cert")),
        (f"https://KV-1.vault.azure.cn:443/secrets/c/{VERSION.upper()}", SecretId("kv-1.vault.azure.cn", "c", VERSION)),
        ("https://kv-1.vault.azure.net/secrets/c/", SecretId("kv-1.vault.azure.net", "c")),
    ],
)
def test_an_id(text: str, parsed: SecretId) -> None:
    assert parse_secret_id(text) == parsed
    assert parse_secret_id(str(parsed)) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2",
        "-----BEGIN PRIVATE KEY-----",
        "http://kv-1.vault.azure.net/secrets/c",
        "https://kv-1/secrets/c",
        "https://kv-1.net/secrets/c",
        "https://k.vault.azure.net/secrets/c",
        "https://" + "k" * 25 + ".vault.azure.net/secrets/c",
        "https://kv--1.vault.azure.net/secrets/c",
        "https://kv-1.vault.azure.net:8443/secrets/c",
        "https://user@kv-1.vault.azure.net/secrets/c",
        "https://kv-1.vault.azure.net/keys/c",
        "https://kv-1.vault.azure.net/secrets/",
        "https://kv-1.vault.azure.net/secrets/a_b",
        "https://kv-1.vault.azure.net/secrets/c/1",
        "https://kv-1.vault.azure.net/secrets/c?x=y",
        "https://kv-1.vault.azure.net/secrets/c\n",
        " https://kv-1.vault.azure.net/secrets/c",
    ],
)
def test_what_is_no_id_is_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="must be the id of a Key Vault secret") as refused:
        parse_secret_id(text)
    assert not text or text not in str(refused.value)
