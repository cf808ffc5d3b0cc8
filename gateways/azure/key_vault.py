"""Secrets of Azure Key Vault, read at the moment of use and handed to nobody but the caller."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.keyvault.secrets import SecretClient

from domain.extension.secret_ids import SecretId
from domain.operation.azure_errors import IDENTITY_REFUSED
from domain.redaction import learn, scrub
from gateways import bounds
from gateways.azure.identity import cloud, credential, is_without_token, refusal, seconds_to_wait
from gateways.azure.own_host import own_host_options
from gateways.retry_after import seconds_told_by


@dataclass(eq=False)
class VaultError(Exception):
    """The vault refused, or did not answer (``status`` 0). Holds no part of a secret.

    ``retry_after``: the seconds after which it wants to be asked again.
    """

    status: int
    code: str
    message: str
    retry_after: float | None = None

    def __post_init__(self) -> None:
        self.code, self.message = scrub(self.code), scrub(self.message)

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"


@lru_cache(maxsize=32)
def _client(vault_url: str) -> SecretClient:
    # The client itself sees to it that the vault's challenge asks for a token of the domain that the vault is in.
    limits = {"connection_timeout": bounds.CONNECT_SECONDS, "read_timeout": bounds.READ_SECONDS}
    # Retries are the step's.
    return SecretClient(vault_url, credential(), retry_total=0, **own_host_options(vault_url, counted=True, **limits))


def secret(secret_id: SecretId) -> str:
    """The value of a secret, in its named version or the current one. Texts are scrubbed of it from then on.

    Raises VaultError. A vault outside this cloud's domain is not asked at all (``ForeignVault``): it would be shown a
    token.
    """
    domain = cloud().key_vault_domain
    if not secret_id.host.endswith("." + domain) or secret_id.host.count(".") != domain.count(".") + 1:
        raise VaultError(400, "ForeignVault", f"{secret_id.host} is no vault of this cloud (*.{domain})")
    try:
        found = _client(secret_id.vault_url).get_secret(secret_id.name, secret_id.version)
    except ClientAuthenticationError as error:
        if (refused := refusal(error)) is not None:
            raise VaultError(400, IDENTITY_REFUSED, refused) from None
        if is_without_token(error):  # Its status is not the vault's: a 404 there is no missing secret.
            raise VaultError(0, "NoToken", "no token is to be had for the vault", seconds_to_wait()) from None
        raise VaultError(error.status_code or 0, "Unauthorized", "the vault did not accept the app's token") from None
    except HttpResponseError as error:
        raise VaultError(error.status_code or 0, _code(error), _message(error), seconds_told_by(error)) from None
    except ValueError as error:  # The challenge named a domain that the vault is not in.
        raise VaultError(401, "ForeignChallenge", str(error)) from None
    except AzureError as error:
        raise VaultError(0, type(error).__name__, "the vault did not answer") from None
    if not found.value:
        raise VaultError(404, "SecretEmpty", f"the secret {secret_id.name} is empty")
    learn(found.value)
    return found.value


def _code(error: HttpResponseError) -> str:
    said: Any = error.error
    inner = getattr(said, "innererror", None) or {}
    return str(inner.get("code") or getattr(said, "code", None) or f"Http{error.status_code}")


def _message(error: HttpResponseError) -> str:
    said: Any = error.error
    text = str(getattr(said, "message", None) or "the vault gave no reason")
    return " ".join(text.split())
