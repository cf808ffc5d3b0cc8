"""The settings of the app: where it finds Azure, and nothing that it would not have on Azure too (but the clock)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.policy import policy_of
from local.tenant import auth_settings

# A developer's own settings must not reach the app: what is in the environment wins over the settings file.
_FOREIGN = ("AZURE", "ARM_", "IDENTITY_", "MSI_", "MOOR_", "FUNCTIONS_", "PYTHON_", "WEBSITE_")
_FOREIGN_NAMES = frozenset(
    {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}
)


def app_settings(
    azure: Mapping[str, Any], storage: Mapping[str, str], clock: str, event_workspaces: tuple[str, ...]
) -> dict[str, str]:
    """The app settings of a stack.

    ``azure`` is the ready line of the simulated Azure, ``storage`` the URL of each service of the storage account,
    ``clock`` is "origin,factor".
    """
    return {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "PYTHON_THREADPOOL_THREAD_COUNT": "16",
        **{f"AzureWebJobsStorage__{service}ServiceUri": url for service, url in storage.items()},
        "AzureWebJobsStorage__credential": "managedidentity",
        "IDENTITY_ENDPOINT": azure["identityEndpoint"],
        "IDENTITY_HEADER": azure["identityHeader"],
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        "ARM_CLOUD_METADATA_URL": azure["metadataUrl"],
        "REQUESTS_CA_BUNDLE": azure["authority"],
        "HTTPS_PROXY": azure["httpsProxy"],
        "NO_PROXY": "127.0.0.1,localhost",
        **auth_settings(azure["tenantId"]),
        "MOOR_POLICY": policy_of(events_at=event_workspaces),
        # A stack stands for everybody, and polls as fast as it can.
        "MOOR_OPERATIONS_PER_CALLER": "100000",
        "MOOR_REQUESTS_PER_MINUTE": "1000000",
        "MOOR_EVENTS_TOPIC_ENDPOINT": azure.get("topicEndpoint", ""),
        "MOOR_CLOCK": clock,
    }


def write_settings_file(path: Path, settings: Mapping[str, str], port: int) -> None:
    """Write a settings file as ``func start`` reads it, readable by its owner only (it holds the identity's secret)."""
    content = {"IsEncrypted": False, "Values": dict(settings), "Host": {"LocalHttpPort": port}}
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.write("\n")


def clean_environment(additions: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what would lead the app or an SDK elsewhere, with ``additions``."""
    kept = {name: value for name, value in os.environ.items() if not _is_foreign(name.upper())}
    return {**kept, "NO_PROXY": "127.0.0.1,localhost", **(additions or {})}


def _is_foreign(name: str) -> bool:
    return name.startswith(_FOREIGN) or name in _FOREIGN_NAMES
