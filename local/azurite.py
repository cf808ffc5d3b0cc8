"""Azurite over TLS and with tokens, as an app finds its storage account on Azure."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from local.processes import (
    LOOPBACK,
    REPOSITORY,
    Child,
    Processes,
    StackError,
    free_port,
)

ACCOUNT = "devstoreaccount1"
# The key that every Azurite has; public knowledge.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
OLDEST_NODE = 20
_AZURITE = Path("node_modules/azurite/dist/src/azurite.js")
SERVICES = ("blob", "queue", "table")


def find_node() -> str:
    """The path of a Node that runs Azurite. Raises StackError with one line that says what to install."""
    node = shutil.which("node")
    if node is None:
        raise StackError(f"Node.js {OLDEST_NODE} or later is needed for Azurite, and there is no 'node' on the PATH.")
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, timeout=30)
    version = answer.stdout.strip()
    major = re.match(r"v(\d+)\.", version)
    if major is None or int(major[1]) < OLDEST_NODE:
        raise StackError(f"Node.js {OLDEST_NODE} or later is needed for Azurite; {node} is {version or 'unusable'}.")
    if not (REPOSITORY / _AZURITE).exists():
        raise StackError("Azurite is not installed; 'npm ci' (or any of make's targets) installs it.")
    return node


def start_azurite(processes: Processes, data: Path, certificate: str, key: str) -> tuple[Child, dict[str, int]]:
    """Start Azurite and wait until it listens on a free port for each of its services. Raises StackError.

    Moor needs tables only; the other services serve Microsoft's extension as the engine, and a real
    Functions host with the same settings.

    Azurite writes its data every few seconds: only a clean stop keeps all of it, so tests kill the app and not this.
    """
    node = find_node()
    ports = {service: free_port() for service in SERVICES}
    data.mkdir(parents=True, exist_ok=True)
    command = [node, str(_AZURITE), "-l", str(data), "--cert", certificate, "--key", key, "--oauth", "basic"]
    for service, port in ports.items():
        command += [f"--{service}Host", LOOPBACK, f"--{service}Port", str(port)]
    command += ["--disableTelemetry", "--skipApiVersionCheck", "--silent"]
    child = processes.start("azurite", command, dict(os.environ))
    for port in ports.values():
        child.serves(port)
    return child, ports


def service_uri(port: int) -> str:
    """The URL of Azurite's account in the service on a port."""
    return f"https://{LOOPBACK}:{port}/{ACCOUNT}"


def connection_string(services: Mapping[str, str]) -> str:
    """The connection string of the account whose services have these URLs: key and not token."""
    endpoints = ";".join(f"{name.capitalize()}Endpoint={url}" for name, url in services.items())
    return f"DefaultEndpointsProtocol=https;AccountName={ACCOUNT};AccountKey={KEY};{endpoints};"
