"""Its tokens and its certificate are good enough for Azurite's own checks."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.data.tables import TableServiceClient
from azure.identity import ManagedIdentityCredential

from packages.simulated_azure.control.client import SimulatedAzure
from packages.simulated_azure.tests.conftest import REPOSITORY

TABLE_SERVICE = REPOSITORY / "node_modules/azurite/dist/src/table/main.js"
ACCOUNT = "devstoreaccount1"


@pytest.fixture
def endpoint(settings_only: SimulatedAzure, tmp_path: Path) -> Iterator[str]:
    node = shutil.which("node")
    if node is None or not TABLE_SERVICE.exists():
        pytest.fail("the tests need Node and Azurite: npm ci")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    options = ["--silent", "--disableTelemetry", "--inMemoryPersistence", "--oauth", "basic"]
    options += ["--tableHost", "127.0.0.1", "--tablePort", str(port)]
    options += ["--cert", settings_only.about["serverCert"], "--key", settings_only.about["serverKey"]]
    process = subprocess.Popen([node, str(TABLE_SERVICE), *options], cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not _listens(port):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"https://127.0.0.1:{port}/{ACCOUNT}"
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_tables_by_managed_identity(endpoint: str) -> None:
    service = TableServiceClient(endpoint, credential=ManagedIdentityCredential())
    table = service.create_table(f"t{uuid.uuid4().hex[:8]}")
    table.create_entity({"PartitionKey": "p", "RowKey": "r", "value": 1})
    assert table.get_entity("p", "r")["value"] == 1


def test_token_for_something_else_is_refused(endpoint: str) -> None:
    service = TableServiceClient(endpoint, credential=ManagedIdentityCredential(), audience="https://other.example")
    with pytest.raises(ClientAuthenticationError):
        list(service.list_tables())
