"""A certificate authority of our own and one certificate for this machine."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme

from packages.simulated_azure.identity.metadata import (
    KEY_VAULT_DNS,
    KUBERNETES_DNS,
    MACHINE_LEARNING_DNS,
    STORAGE_DNS,
)

HOSTS = ("127.0.0.1", "localhost", f"*.{KEY_VAULT_DNS}", f"*.{MACHINE_LEARNING_DNS}", f"*.blob.{STORAGE_DNS}")


@dataclass(frozen=True)
class TlsFiles:
    """Where the certificates are: ``ca`` is our authority, ``bundle`` the system's authorities and ours.

    Clients of nothing but the simulation trust ``ca``: OpenSSL reads it in no time, and a bundle in some 40 ms, which
    ``requests`` has it do for every connection.
    """

    ca: Path
    bundle: Path
    certificate: Path
    key: Path
    ca_key: Path

    def server_context(self) -> ssl.SSLContext:
        """What the server listens with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key)
        return context

    def clusters_context(self) -> ssl.SSLContext:
        """What the API of clusters listens with: a certificate of its own for each name in the domain of AKS."""
        authority = trustme.CA.from_pem(self.ca.read_bytes(), self.ca_key.read_bytes())
        context, known = self.server_context(), dict[str, ssl.SSLContext]()

        def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            if name is None or not name.lower().endswith(f".{KUBERNETES_DNS}"):
                return
            if name not in known:
                known[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                authority.issue_cert(name).configure_cert(known[name])
            connection.context = known[name]

        context.sni_callback = choose
        return context

    def client_context(self) -> ssl.SSLContext:
        """What event deliveries to https webhooks trust."""
        return ssl.create_default_context(cafile=str(self.bundle))


def prepare(directory: Path, *, keep: bool) -> TlsFiles:
    """Make the files in ``directory``, or take the ones that exist when ``keep``."""
    directory.mkdir(parents=True, exist_ok=True)
    files = TlsFiles(
        ca=directory / "ca.pem",
        bundle=directory / "bundle.pem",
        certificate=directory / "localhost.pem",
        key=directory / "localhost-key.pem",
        ca_key=directory / "ca-key.pem",
    )
    if keep and all(path.exists() for path in (files.ca, files.bundle, files.certificate, files.key, files.ca_key)):
        return files
    authority = trustme.CA()
    issued = authority.issue_cert(*HOSTS)
    authority.cert_pem.write_to_path(files.ca)
    issued.private_key_pem.write_to_path(files.key)
    authority.private_key_pem.write_to_path(files.ca_key)
    for private in (files.key, files.ca_key):
        private.chmod(0o600)
    files.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    files.bundle.write_bytes(_system_bundle() + authority.cert_pem.bytes())
    return files


def _system_bundle() -> bytes:
    defaults = ssl.get_default_verify_paths()
    for candidate in (os.environ.get("SSL_CERT_FILE"), defaults.cafile, "/etc/ssl/certs/ca-certificates.crt"):
        if candidate and Path(candidate).is_file():
            return Path(candidate).read_bytes().rstrip() + b"\n"
    return b""
