"""The document by which clients learn a cloud's endpoints."""

from __future__ import annotations

from typing import Any

# Reserved for tests (RFC 6761): a client that does not go through the simulation's proxy cannot reach a real vault.
KEY_VAULT_DNS = "vault.azure.test"
MACHINE_LEARNING_DNS = "api.azureml.ms"
KUBERNETES_DNS = "azmk8s.io"
STORAGE_DNS = "core.windows.net"


def endpoints(base_url: str, tenant_id: str) -> list[dict[str, Any]]:
    """The list form of ``/metadata/endpoints``.

    azure-ai-ml takes a cloud for its own when ``resourceManager`` is a substring of the metadata URL, so it carries no
    trailing slash.
    """
    return [
        {
            "name": "SimulatedAzure",
            "portal": f"{base_url}/portal",
            "resourceManager": base_url,
            "authentication": {
                "loginEndpoint": base_url,
                "audiences": [base_url, "https://management.core.windows.net/", "https://management.azure.com/"],
                "tenant": tenant_id,
                "identityProvider": "AAD",
            },
            "graph": f"{base_url}/graph",
            "graphAudience": f"{base_url}/graph",
            "media": base_url,
            "batch": base_url,
            "sqlManagement": base_url,
            "vmImageAliasDoc": f"{base_url}/aliases.json",
            "suffixes": {
                "storage": STORAGE_DNS,
                "keyVaultDns": KEY_VAULT_DNS,
                "acrLoginServer": "azurecr.io",
                "sqlServerHostname": "database.windows.net",
            },
        }
    ]
