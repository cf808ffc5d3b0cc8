"""A server that the gateways take for Azure."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken, AccessTokenInfo

from gateways.azure import arm, event_topic, identity, key_vault, machine_learning
from tests.conftest import forget_clients
from tests.gateways.azure.slow_azure import METADATA_PATH, SlowAzure, slow_azure


class Token:
    """A credential whose tokens nobody checks."""

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken("token", int(time.time()) + 3600)

    def get_token_info(self, *scopes: str, **options: Any) -> AccessTokenInfo:
        return AccessTokenInfo("token", int(time.time()) + 3600)


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowAzure]:
    """The server, and the gateways set up to take it for Azure."""
    with slow_azure(tmp_path, monkeypatch) as server:
        for name in [name for name in os.environ if name.startswith(("AzureWebJobsStorage", "AZURE_"))]:
            monkeypatch.delenv(name)
        account = f"AccountName=a;AccountKey=aaaa;TableEndpoint={server.url}/a;"
        monkeypatch.setenv("AzureWebJobsStorage", f"DefaultEndpointsProtocol=https;{account}")
        monkeypatch.setenv("ARM_CLOUD_METADATA_URL", server.url + METADATA_PATH)
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "h")
        for module in (arm, event_topic, key_vault, machine_learning):
            monkeypatch.setattr(module, "credential", Token)
        forget()
        yield server
    forget()


def forget() -> None:
    """Let every gateway make its client anew."""
    for cached in (arm._client, event_topic._client, key_vault._client, identity.credential, identity.cloud):
        cached.cache_clear()
    forget_clients()
