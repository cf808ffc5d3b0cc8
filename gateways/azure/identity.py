"""The app's own identity, and the cloud it works in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import requests
from azure.core.credentials import TokenCredential
from azure.identity import ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential

from gateways.storage.settings import StorageIdentity, host_identity

_PUBLIC_RESOURCE_MANAGER = "https://management.azure.com"
_PUBLIC_KEY_VAULT = "vault.azure.net"
_PUBLIC_STORAGE = "core.windows.net"
_PUBLIC_LOGIN = "https://login.microsoftonline.com"
# azure-core's own limits are 300 s each: as long as functionTimeout, which ends the whole worker.
_OPTIONS: dict[str, Any] = {"retry_total": 1, "connection_timeout": 5, "read_timeout": 15}


@lru_cache(maxsize=1)
def credential() -> TokenCredential:
    """The credential of every client: the app's managed identity on Azure, a developer's sign-in elsewhere.

    ``AZURE_TOKEN_CREDENTIALS=ManagedIdentityCredential`` (set by the deployment) keeps it from trying anything else;
    ``AZURE_CLIENT_ID`` names a user-assigned identity. Where it is not set, the user-assigned identity by which the
    host reaches its storage is the app's too: Microsoft's templates name it there and nowhere else.

    Raises StorageSettingError when the settings of the host's storage name an identity that cannot be used.
    """
    identity = None if os.environ.get("AZURE_CLIENT_ID") else host_identity()
    return DefaultAzureCredential(**_OPTIONS) if identity is None else credential_of(identity)


def credential_of(identity: StorageIdentity) -> TokenCredential:
    """The credential of an identity that settings name, as the Functions host makes it (``storage_settings``)."""
    if identity.client_secret and identity.tenant_id and identity.client_id:
        return ClientSecretCredential(identity.tenant_id, identity.client_id, identity.client_secret, **_OPTIONS)
    if identity.resource_id:
        return ManagedIdentityCredential(identity_config={"resource_id": identity.resource_id}, **_OPTIONS)
    if identity.managed:
        return ManagedIdentityCredential(client_id=identity.client_id, **_OPTIONS)
    return DefaultAzureCredential(managed_identity_client_id=identity.client_id, **_OPTIONS)


@dataclass(frozen=True)
class Cloud:
    """Where Azure Resource Manager and Entra answer, and the domains of key vaults and storage."""

    resource_manager: str
    key_vault_domain: str = _PUBLIC_KEY_VAULT
    storage_domain: str = _PUBLIC_STORAGE
    login_endpoint: str = _PUBLIC_LOGIN

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
            suffixes = entry.get("suffixes") or {}
            return Cloud(
                endpoint,
                _domain(suffixes.get("keyVaultDns")) or _PUBLIC_KEY_VAULT,
                _domain(suffixes.get("storage")) or _PUBLIC_STORAGE,
                _login_endpoint(entry),
            )
    raise ValueError(f"no entry of the cloud metadata at {url.split('?')[0]} has a resourceManager that is part of it")


def known_login_endpoint() -> str:
    """Where the cloud's tokens come from, without a call to anybody; empty while that is not known."""
    known = not os.environ.get("ARM_CLOUD_METADATA_URL") or cloud.cache_info().currsize
    return cloud().login_endpoint if known else ""


def _login_endpoint(entry: Mapping[str, Any]) -> str:
    """Where the cloud's tokens come from; empty when the document does not say it, never that of another cloud."""
    authentication = entry.get("authentication")
    said = authentication.get("loginEndpoint") if isinstance(authentication, dict) else None
    return str(said or "").rstrip("/")


def _domain(suffix: object) -> str:
    return str(suffix or "").lstrip(".").lower()
