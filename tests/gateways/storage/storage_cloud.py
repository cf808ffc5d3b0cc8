"""A small cloud for the tests of storage: identities, a metadata document, and accounts with names of their own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
from azure.data.tables import TableServiceClient

from local.processes import free_port
from packages.simulated_azure.control.client import SimulatedAzure
from packages.simulated_azure.names import NameProxy
from tests.conftest import AZURITE_KEY, ROOT, TABLE_SERVICE, wait_for

HOST_ACCOUNT, RECORD_ACCOUNT = "hostaccount", "recordaccount"
# Reserved for tests (RFC 6761): who does not go through the proxy of this cloud resolves it nowhere.
DOMAIN = "storage.test"


@dataclass(frozen=True)
class StorageCloud:
    """Where the parts of the cloud are. ``bundle`` has the authority that the storage service's certificate is of."""

    azure: SimulatedAzure
    metadata_url: str
    proxy_url: str
    bundle: Path
    storage_port: int

    def endpoint(self, account: str) -> str:
        """The URL of an account's tables that needs no name."""
        return f"https://127.0.0.1:{self.storage_port}/{account}"

    def connection_string(self, account: str) -> str:
        """A connection string with the account's key."""
        return (
            f"DefaultEndpointsProtocol=https;AccountName={account};AccountKey={AZURITE_KEY};"
            f"TableEndpoint={self.endpoint(account)};"
        )

    def tables_of(self, account: str) -> set[str]:
        """The tables in an account, by its key: a look behind the product's back."""
        text = self.connection_string(account)
        with TableServiceClient.from_connection_string(text, connection_verify=str(self.bundle)) as service:
            return {table.name for table in service.list_tables()}


@contextmanager
def storage_cloud(folder: Path) -> Iterator[StorageCloud]:
    """Start everything, and end it with the block."""
    azure = SimulatedAzure.start(folder / "azure", cwd=ROOT)
    try:
        with _storage(folder) as (port, bundle), _proxy(port) as proxy_url, _metadata() as metadata_url:
            yield StorageCloud(azure, metadata_url, proxy_url, bundle, port)
    finally:
        azure.stop()


@contextmanager
def _storage(folder: Path) -> Iterator[tuple[int, Path]]:
    """Azurite with two accounts, over TLS and with tokens; its port, and what its clients trust."""
    node = shutil.which("node")
    if node is None or not TABLE_SERVICE.exists():
        pytest.fail("the tests need Node and Azurite: npm ci")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", f"*.table.{DOMAIN}")
    bundle, certificate, key = (folder / name for name in ("ca.pem", "server.pem", "server-key.pem"))
    authority.cert_pem.write_to_path(bundle)
    issued.private_key_pem.write_to_path(key)
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    port = free_port()
    options = ["--silent", "--disableTelemetry", "--skipApiVersionCheck", "--inMemoryPersistence", "--oauth", "basic"]
    options += ["--tableHost", "127.0.0.1", "--tablePort", str(port), "--cert", str(certificate), "--key", str(key)]
    accounts = ";".join(f"{account}:{AZURITE_KEY}" for account in (HOST_ACCOUNT, RECORD_ACCOUNT))
    process = subprocess.Popen(
        [node, str(TABLE_SERVICE), *options],
        cwd=folder,
        env={**os.environ, "AZURITE_ACCOUNTS": accounts},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(port, process)
        yield port, bundle
    finally:
        process.kill()
        process.wait()


@contextmanager
def _proxy(storage_port: int) -> Iterator[str]:
    """The way to the accounts by name."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    proxy = NameProxy(lambda host: storage_port if host.endswith(f".table.{DOMAIN}") else None)
    try:
        port = asyncio.run_coroutine_threadsafe(proxy.start(0), loop).result(30)
        yield f"http://127.0.0.1:{port}"
        asyncio.run_coroutine_threadsafe(proxy.stop(), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


@contextmanager
def _metadata() -> Iterator[str]:
    """The cloud's metadata document, as Azure serves it to whoever asks."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            base = f"http://127.0.0.1:{server.server_port}"
            body = json.dumps([{"resourceManager": base, "suffixes": {"storage": DOMAIN}}]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/metadata/endpoints"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)
