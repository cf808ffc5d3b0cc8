"""The app's own identity, and the cloud it works in."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import requests
from azure.core.credentials import TokenCredential
from azure.core.exceptions import ClientAuthenticationError, ServiceResponseError
from azure.identity import ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential

from domain.redaction import scrub
from gateways.retry_after import seconds_told
from gateways.storage.settings import StorageIdentity, host_identity
from gateways.transport import BoundedTransport, bounded

_PUBLIC_RESOURCE_MANAGER = "https://management.azure.com"
_PUBLIC_KEY_VAULT = "vault.azure.net"
_PUBLIC_STORAGE = "core.windows.net"
_PUBLIC_MACHINE_LEARNING, _PUBLIC_KUBERNETES = "azureml.ms", "azmk8s.io"
# By the host of Azure Resource Manager: the metadata of a cloud say neither. Sources: the private DNS zones of Azure
# services (https://learn.microsoft.com/azure/private-link/private-endpoint-dns).
_OTHER_CLOUDS = {
    "https://management.usgovcloudapi.net": ("ml.azure.us", "cx.aks.containerservice.azure.us"),
    "https://management.chinacloudapi.cn": ("ml.azure.cn", "cx.prod.service.azk8s.cn"),
}
_PUBLIC_LOGIN = "https://login.microsoftonline.com"
# azure-core's own limits are 300 s each: as long as functionTimeout, which ends the whole worker.
_LIMITS: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 15}


@lru_cache(maxsize=1)
def credential() -> TokenCredential:
    """The credential of every client: the app's managed identity on Azure, a developer's sign-in elsewhere.

    ``AZURE_TOKEN_CREDENTIALS=ManagedIdentityCredential`` (set by the deployment) keeps it from trying anything else;
    ``AZURE_CLIENT_ID`` names a user-assigned identity. Where it is not set, the user-assigned identity by which the
    host reaches its storage is the app's too: Microsoft's templates name it there and nowhere else.

    Raises StorageSettingError when the settings of the host's storage name an identity that cannot be used.
    """
    identity = None if os.environ.get("AZURE_CLIENT_ID") else host_identity()
    return DefaultAzureCredential(**_options()) if identity is None else credential_of(identity)


def command_credential() -> TokenCredential | None:
    """The identity whose token goes along with a command in a cluster (``MOOR_COMMAND_CLIENT_ID``); None without one.

    Who may read pods in the cluster can read the token there: the app's own is never sent.
    """
    client_id = os.environ.get("MOOR_COMMAND_CLIENT_ID")
    return ManagedIdentityCredential(client_id=client_id, **_options()) if client_id else None


# Of the answers that give no token, those that time cures. Of 404 and 410 the guide says that the endpoint is being
# updated: https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
_PASSING = frozenset({404, 408, 410, 429})
_LONGEST_SAID = 500
# Seconds that a thread waits for a token; the step waits for longer.
_LONGEST_HERE = 5.0


class _Heard(threading.local):
    # Who was asked for a token; the words in which it was refused; how many seconds to wait before asking again.
    host: str | None = None
    refusal: str | None = None
    wait: float | None = None


_heard = _Heard()


class TokenTransport(BoundedTransport):
    """Notes what tokens are refused with: the credentials' own exceptions say it in no form to rely on."""

    def send(self, request: Any, *, proxies: Any = None, **options: Any) -> Any:
        """Send a request for a token. Raises azure.core.exceptions.AzureError."""
        _heard.host, _heard.refusal, _heard.wait = _host(request.url), None, None
        response = super().send(request, proxies=proxies, **options)
        status = int(response.status_code)
        if 400 <= status < 500 and status not in _PASSING:
            _heard.refusal = f"{status}: {_said(response)}"
        elif status >= 400:
            _heard.wait = seconds_told(response.headers)
        return response

    def sleep(self, duration: float) -> None:
        """Wait before the one retry; the step waits where it is asked to wait for long. Raises ServiceResponseError.

        azure-core would sleep for all of a Retry-After, and the host ends a worker with all that it does meanwhile.
        """
        if duration > _LONGEST_HERE:
            raise ServiceResponseError(f"the identity endpoint asks to wait {duration:.0f} seconds")
        super().sleep(duration)


def _host(url: object) -> str | None:
    return urlsplit(str(url)).hostname


def _said(response: Any) -> str:
    try:
        body = response.internal_response.json()
    except (ValueError, RecursionError):
        body = None
    said = body if isinstance(body, Mapping) else {}
    text = str(said.get("error_description") or said.get("message") or said.get("error") or "no reason given")
    return scrub(" ".join(text.split())[:_LONGEST_SAID])


def refusal(error: BaseException) -> str | None:
    """What the identity is refused a token with, and which identity it is; None where that is an outage.

    ``error`` is what the call that needed the token has just raised, in this thread. A refusal - the identity is not
    assigned to the app, or its secret is wrong - does not pass. No answer, 404, 410, 429 and 5xx do.
    """
    if not is_without_token(error) or _heard.refusal is None:
        return None
    return f"{_identity_in_words()} gets no token ({_heard.refusal})"


def seconds_to_wait() -> float | None:
    """After how many seconds whoever gave no token wants to be asked again; None where it did not say."""
    return _heard.wait


def is_without_token(error: BaseException) -> bool:
    """Whether a call was not made for want of a token, which is no answer of whoever was to be called.

    ``error`` is as ``refusal`` has it: whoever is shown a token, and does not take it, raises the same exception.
    """
    if not isinstance(error, ClientAuthenticationError):
        return False
    asked = getattr(error.response, "request", None)
    return asked is None or _host(asked.url) == _heard.host


def _identity_in_words() -> str:
    named = os.environ.get("AZURE_CLIENT_ID")
    if named:
        return f"the identity with the client id {named} (AZURE_CLIENT_ID)"
    of_host = host_identity()
    if of_host is None:
        return "the system-assigned identity of the app"
    return f"the identity that the settings of the host's storage name ({of_host.client_id or of_host.resource_id})"


def _options() -> dict[str, Any]:
    return {"retry_total": 1, "transport": TokenTransport(**_LIMITS)}


def credential_of(identity: StorageIdentity) -> TokenCredential:
    """The credential of an identity that settings name, as the Functions host makes it."""
    if identity.client_secret and identity.tenant_id and identity.client_id:
        return ClientSecretCredential(identity.tenant_id, identity.client_id, identity.client_secret, **_options())
    if identity.resource_id:
        return ManagedIdentityCredential(identity_config={"resource_id": identity.resource_id}, **_options())
    if identity.managed:
        return ManagedIdentityCredential(client_id=identity.client_id, **_options())
    return DefaultAzureCredential(managed_identity_client_id=identity.client_id, **_options())


@dataclass(frozen=True)
class Cloud:
    """Where Azure Resource Manager and Entra answer, and the domains of key vaults and storage."""

    resource_manager: str
    key_vault_domain: str = _PUBLIC_KEY_VAULT
    storage_domain: str = _PUBLIC_STORAGE
    login_endpoint: str = _PUBLIC_LOGIN

    @property
    def machine_learning_domain(self) -> str:
        """The domain of the regional hosts of Azure Machine Learning."""
        return _OTHER_CLOUDS.get(self.resource_manager, (_PUBLIC_MACHINE_LEARNING, ""))[0]

    @property
    def kubernetes_domain(self) -> str:
        """The domain that the API of every AKS cluster is in, private ones too."""
        return _OTHER_CLOUDS.get(self.resource_manager, ("", _PUBLIC_KUBERNETES))[1]

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
    with bounded(requests.Session()) as session:
        answer = session.get(url, timeout=10, allow_redirects=False)
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
