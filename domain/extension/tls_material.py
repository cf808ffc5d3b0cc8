"""TLS certificates and keys in PEM, as the extension's router wants them.

Rules of how-to-deploy-kubernetes-extension.md and the troubleshooting page (E40007): PEM, no pass phrase, the full
chain in the order server, intermediate, root; key and certificate belong together; the certificate names sslCname.
No message and no exception here repeats any part of the text.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\r?\n.*?-----END \1-----", re.DOTALL)
PASS_PHRASE = "A key with pass phrase is not supported."  # noqa: S105 - the words of the documentation


class BadMaterial(ValueError):
    """Certificate or key cannot be used; the text says why and holds nothing of them."""


@dataclass(frozen=True)
class Material:
    """Certificate chain and private key in PEM, and what speaks against them without keeping them from use."""

    certificates: str
    key: str
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "Material(...)"


def check_material(certificate_text: str, key_text: str, cname: str, now: datetime) -> Material:
    """Certificate and key, when the extension can use them.

    Either text may hold both, as Key Vault keeps a certificate: each is reduced to what belongs in it.
    Raises BadMaterial.
    """
    certificates = _blocks(certificate_text, "certificate", lambda label: label == "CERTIFICATE")
    keys = _blocks(key_text, "key", lambda label: label.endswith("PRIVATE KEY"))
    if len(keys) > 1:
        raise BadMaterial("The key's secret holds more than one private key.")
    if "ENCRYPTED" in keys[0].partition("\n")[0] or "Proc-Type: 4,ENCRYPTED" in keys[0]:
        raise BadMaterial(PASS_PHRASE)
    chain = _chain(certificates)
    if _public_bytes(_public_key_of(keys[0])) != _public_bytes(chain[0].public_key()):
        if any(_public_bytes(_public_key_of(keys[0])) == _public_bytes(other.public_key()) for other in chain[1:]):
            raise BadMaterial("The chain is in the wrong order: the server's certificate must come first.")
        raise BadMaterial("The certificate and the key do not match.")
    if not _names(chain[0], cname):
        raise BadMaterial(f"The certificate is not for {cname}, the sslCname.")
    warnings = tuple(_warnings(chain, now))
    return Material("\n".join(certificates) + "\n", keys[0] + "\n", warnings)


def to_setting(text: str) -> str:
    """A PEM text as the protected setting holds it: base64 of its ASCII, as the CLI sends it."""
    return base64.b64encode(text.encode("ascii")).decode("ascii")


def _blocks(text: str, what: str, belongs: Callable[[str], bool]) -> list[str]:
    found = [match.group(0) for match in _BLOCK.finditer(text) if belongs(match.group(1))]
    if not found:
        raise BadMaterial(f"The {what}'s secret holds no {what} in PEM format.")
    if not all(block.isascii() for block in found):
        raise BadMaterial(f"The {what} is not plain ASCII.")
    return found


def _chain(certificates: Sequence[str]) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates("\n".join(certificates).encode("ascii"))
    except ValueError:
        raise BadMaterial("The certificate cannot be read: it is no valid PEM certificate.") from None


def _public_key_of(text: str) -> PublicKeyTypes:
    try:
        return serialization.load_pem_private_key(text.encode("ascii"), password=None).public_key()
    except TypeError:
        raise BadMaterial(PASS_PHRASE) from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadMaterial("The key cannot be read: it is no valid PEM private key.") from None


def _public_bytes(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _names(certificate: x509.Certificate, cname: str) -> bool:
    wanted = cname.lower().rstrip(".")
    return any(name == wanted or _covers(name, wanted) for name in _host_names(certificate))


def _host_names(certificate: x509.Certificate) -> list[str]:
    """The alternative names, and the common name only where there are none (RFC 6125)."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return [name.lower().rstrip(".") for name in names.get_values_for_type(x509.DNSName)]
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return [str(attribute.value).lower() for attribute in common]
    except ValueError:
        return []


def _covers(pattern: str, name: str) -> bool:
    """Whether a wildcard name stands for this one: for its first label and no more."""
    return pattern.startswith("*.") and "." in name and name.partition(".")[2] == pattern[2:]


def _warnings(chain: Sequence[x509.Certificate], now: datetime) -> Iterator[str]:
    server = chain[0]
    if server.not_valid_after_utc <= now:
        yield f"The certificate expired on {server.not_valid_after_utc:%Y-%m-%d}."
    elif server.not_valid_before_utc > now:
        yield f"The certificate is not valid before {server.not_valid_before_utc:%Y-%m-%d}."
    if any(one.issuer != issuer.subject for one, issuer in pairwise(chain)):
        yield "The chain is out of order: server, intermediate, root is expected."
    elif len(chain) == 1 and server.issuer != server.subject:
        yield "The secret holds the server's certificate alone: clients may miss the intermediate ones."
