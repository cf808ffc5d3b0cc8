"""Real Azurite tables for the tests of everything that stores."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from azure.data.tables import TableServiceClient

from domain import redaction
from gateways import policy
from gateways.storage import tables as tables_module
from gateways.storage.settings import HOST_STORAGE, RECORD_STORAGE
from local.fork_server import fork_server
from local.policy import policy_of
from local.processes import free_port

# What the app's identity used of its role, told by all processes of a run.
pytest_plugins = ["tests.scenarios.role_use"]

ROOT = Path(__file__).parent.parent
SUBSCRIPTIONS = ("11111111-2222-3333-4444-555555555555", "11111111-2222-4333-8444-555555555555")
_EVERYTHING = policy_of(SUBSCRIPTIONS, events=True)
TABLE_SERVICE = ROOT / "node_modules/azurite/dist/src/table/main.js"
NO_STACK = ROOT / "tests/no_stack.txt"
# The account and key that every Azurite has; public knowledge.
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_START_SECONDS = 60.0
# Of the accounts of a session: more than tests that keep tables, and few enough for one variable of an environment.
_ACCOUNTS, _KEY = 5_000, "bW9vcg=="


# What starts whole stacks takes longest and comes first; the rest fills the gaps at the end of a run side by side.
_STACKS = (
    *("tests/scenarios/", "tests/oracle/", "tests/faults/", "tests/local/", "tests/test_make_targets.py"),
    "packages/functions_host/tests/conformance/",
)


def pytest_configure(config: pytest.Config) -> None:
    """Stacks start by the dozen in a run: their workers come out of one process that has the libraries loaded.

    A run without stacks does without it: to load them costs more than many a module of tests.
    """
    if not hasattr(config, "workerinput") and _starts_stacks(config):
        server = ExitStack()
        server.enter_context(fork_server())
        config.add_cleanup(server.close)


def _starts_stacks(config: pytest.Config) -> bool:
    """Whether a run may come to what tests/no_stack.txt leaves out."""
    stacks = [ROOT / line.removeprefix("--ignore=") for line in NO_STACK.read_text().split()]
    left_out = {Path(each).resolve() for each in config.getoption("ignore") or ()}
    asked = [Path(arg.partition("::")[0]).resolve() for arg in config.args]
    return any(
        stack not in left_out and any(stack.is_relative_to(each) or each.is_relative_to(stack) for each in asked)
        for stack in stacks
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long ones first, and mark what needs a part of the stack, Azurite.

    Raises UsageError when two have one name: side by side only one of them would run.
    """
    twice = [name for name, count in Counter(item.nodeid for item in items).items() if count > 1]
    if twice:
        raise pytest.UsageError(f"more than one test of this name: {', '.join(twice)}")
    for item in items:
        if "azurite" in getattr(item, "fixturenames", ()):
            item.add_marker("azurite")
    items.sort(key=lambda item: not item.nodeid.startswith(_STACKS))


@pytest.fixture(autouse=True)
def _policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every workspace of the tests' own subscriptions may have everything; who tests less sets less."""
    monkeypatch.setenv(policy.SETTING, _EVERYTHING)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iterator[str]]:
    """A table service of its own for this session; connection strings of accounts in it, each with nothing in it.

    A new account costs nothing; to empty one takes a call for each table of every test.
    """
    node = shutil.which("node")
    if node is None or not TABLE_SERVICE.exists():
        pytest.fail("the tests need Node and Azurite: npm ci")
    port = free_port()
    accounts = [f"moor{number}" for number in range(_ACCOUNTS)]
    options = ["--silent", "--disableTelemetry", "--skipApiVersionCheck", "--inMemoryPersistence"]
    process = subprocess.Popen(
        [node, str(TABLE_SERVICE), "--tableHost", "127.0.0.1", "--tablePort", str(port), *options],
        cwd=tmp_path_factory.mktemp("azurite"),
        env={**os.environ, "AZURITE_ACCOUNTS": ";".join(f"{account}:{_KEY}" for account in accounts)},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(port, process)
        yield (
            f"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={_KEY};"
            f"TableEndpoint=http://127.0.0.1:{port}/{account};"
            for account in accounts
        )
    finally:
        process.kill()
        process.wait()


class Tables:
    """The tables as they are, for a look behind the product's back."""

    def __init__(self, connection: str) -> None:
        self.connection = connection

    @cached_property
    def _service(self) -> TableServiceClient:
        return TableServiceClient.from_connection_string(self.connection)

    def names(self) -> list[str]:
        """The tables that there are by now."""
        return [table.name for table in self._service.list_tables()]

    def rows(self, name: str | None = None) -> list[dict[str, Any]]:
        """Every row of a table, or of all tables."""
        names = [name] if name else [table.name for table in self._service.list_tables()]
        return [dict(row) for each in names for row in self._service.get_table_client(each).list_entities()]


@pytest.fixture(autouse=True)
def nothing_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that one test has read is no secret to the next."""
    monkeypatch.setattr(redaction, "_known", {})


@pytest.fixture
def tables(azurite: Iterator[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Tables]:
    """The product set up to keep its state in an account without tables."""
    connection = next(azurite)
    for name in [name for name in os.environ if name.startswith((HOST_STORAGE, RECORD_STORAGE))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(HOST_STORAGE, connection)
    forget_clients()
    yield Tables(connection)
    forget_clients()


def forget_clients() -> None:
    """Let the next use of a table read the settings anew."""
    tables_module._service.cache_clear()
    tables_module.table.cache_clear()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until Azurite listens; fails the test when it does not."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"Azurite ended with {process.returncode} while it started")
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"Azurite did not serve within {_START_SECONDS:.0f} s")
