"""Ids of Key Vault secrets: a reference to a secret in place of the secret."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Vault and secret names as Key Vault has them (3 to 24 and 1 to 127 characters); a version is 32 hexadecimal digits.
_ID = re.compile(
    r"https://(?P<name>[a-z](?:-?[a-z0-9]){2,23})(?P<suffix>(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?){2,})(?::443)?"
    r"/secrets/(?P<secret>[0-9a-z-]{1,127})(?:/(?P<version>[0-9a-f]{32}))?/?",
    re.IGNORECASE,
)
FORM = "https://<vault>/secrets/<name>[/<version>]"


@dataclass(frozen=True)
class SecretId:
    """A secret of a vault. ``host`` is the vault's DNS name; no ``version`` means the current one."""

    host: str
    name: str
    version: str | None = None

    @property
    def vault_url(self) -> str:
        """Where the vault answers."""
        return f"https://{self.host}"

    def __str__(self) -> str:
        return f"{self.vault_url}/secrets/{self.name}" + (f"/{self.version}" if self.version else "")


def parse_secret_id(text: str) -> SecretId:
    """Parse the id of a Key Vault secret.

    Raises ValueError, with a sentence that does not repeat the text: it may be the secret itself.
    """
    found = _ID.fullmatch(text)
    if found is None or len(found["name"]) > 24:
        raise ValueError(f"must be the id of a Key Vault secret, {FORM}")
    version = found["version"]
    return SecretId(
        (found["name"] + found["suffix"]).lower(), found["secret"].lower(), version.lower() if version else None
    )
