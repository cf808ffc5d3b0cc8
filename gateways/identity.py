"""The app's own identity, and the cloud it works in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache

import requests
from azure.core.credentials import TokenCredential
from azure.identity import DefaultAzureCredential

_PUBLIC_RESOURCE_MANAGER = "https://management.azure.com"
_PUBLIC_KEY_VAULT = "vault.azure.net"
# azure-core's own limits are 300 s each: as long as functionTimeout, which ends the whole worker.
_CONNECT_SECONDS, _READ_SECONDS = 5, 15


@lru_cache(maxsize=1)
def credential() -> TokenCredential:
    """The credential of every client: the app's managed identity on Azure, a developer's sign-in elsewhere.

    ``AZURE_TOKEN_CREDENTIALS=ManagedIdentityCredential`` (set by the deployment) keeps it from trying anything else;
    ``AZURE_CLIENT_ID`` names a user-assigned identity.
    """
    return DefaultAzureCredential(retry_total=1, connection_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS)


@dataclass(frozen=True)
class Cloud:
    """Where Azure Resource Manager answers, the scope of its tokens, and the domain that its key vaults are in."""

    resource_manager: str
    key_vault_domain: str = _PUBLIC_KEY_VAULT

    @property
    def scope(self) -> str:
        """Token scope of Azure Resource Manager in this cloud."""
        return f"{self.resource_manager}/.default"


@lru_cache(maxsize=1)
def cloud() -> Cloud:
    """The cloud that ``ARM_CLOUD_METADATA_URL`` describes, as azure-ai-ml reads it; without it the public cloud.

    azure-ai-ml takes the entry whose ``resourceManager`` the URL contains and falls back silently to the public cloud;
    an unreadable document is an error here, because work meant for another cloud must not go to the public one.

    Raises requests.RequestException when the document cannot be read, ValueError when it has no fitting entry.
    """
    url = os.environ.get("ARM_CLOUD_METADATA_URL")
    if not url:
        return Cloud(_PUBLIC_RESOURCE_MANAGER)
    answer = requests.get(url, timeout=10)
    answer.raise_for_status()
    document = answer.json()
    entries = document if isinstance(document, list) else [document]
    for entry in entries:
        endpoint = str(entry.get("resourceManager", "")).rstrip("/")
        if endpoint and endpoint in url:
            suffix = str((entry.get("suffixes") or {}).get("keyVaultDns") or "").lstrip(".").lower()
            return Cloud(endpoint, suffix or _PUBLIC_KEY_VAULT)
    raise ValueError(f"no entry of the cloud metadata at {url.split('?')[0]} has a resourceManager that is part of it")
