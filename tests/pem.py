"""Certificates and keys for tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CNAME = "models.contoso.example"
_PEM, _PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
_START = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, both PEM."""

    certificate: str
    key: str
    private_key: ec.EllipticCurvePrivateKey
    name: x509.Name

    @property
    def encrypted_key(self) -> str:
        """The key under a pass phrase (PKCS 8)."""
        return _key(self.private_key, serialization.PrivateFormat.PKCS8)

    @property
    def traditional_encrypted_key(self) -> str:
        """The key under a pass phrase, as OpenSSL once wrote it (``Proc-Type: 4,ENCRYPTED``)."""
        return _key(self.private_key, serialization.PrivateFormat.TraditionalOpenSSL)


def make_pair(
    *names: str, issuer: Pair | None = None, start: datetime = _START, days: int = 36500, alternative: bool = True
) -> Pair:
    """A certificate for DNS names (default: CNAME), signed by ``issuer`` or by itself."""
    names = names or (CNAME,)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.name if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
    )
    if alternative:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
    certificate = builder.sign(issuer.private_key if issuer else key, hashes.SHA256())
    text = key.private_bytes(_PEM, _PKCS8, serialization.NoEncryption()).decode()
    return Pair(certificate.public_bytes(_PEM).decode(), text, key, subject)


def _key(key: ec.EllipticCurvePrivateKey, form: serialization.PrivateFormat) -> str:
    return key.private_bytes(_PEM, form, serialization.BestAvailableEncryption(b"pass phrase")).decode()
