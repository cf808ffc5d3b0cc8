"""Kubeconfigs as AKS hands them out."""

from __future__ import annotations

import yaml

from packages.simulated_azure.arm import resources
from packages.simulated_azure.kubernetes.access import SERVER_APPLICATION, static_token, uses_entra
from packages.simulated_azure.world import World


def kubeconfig(world: World, cluster: resources.Resource, user: str, form: str) -> str:
    """The kubeconfig of ``clusterUser`` or ``clusterAdmin``; ``form`` is ``azure`` or ``exec`` for Entra clusters."""
    name = cluster["body"]["name"]
    group = resources.group_of(cluster["id"]).rsplit("/", 1)[-1]
    entra = user == "clusterUser" and uses_entra(cluster)
    account = f"{user}_{group}_{name}"
    context = name if user == "clusterUser" else f"{name}-admin"
    credentials = _entra(world, form) if entra else {"token": static_token(world, cluster["id"], user)}
    document: dict[str, object] = {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "clusters": [
            {
                "name": name,
                "cluster": {
                    "certificate-authority-data": world.kubernetes_authority,
                    "server": f"https://{cluster['body']['properties']['fqdn']}:443",
                },
            }
        ],
        "contexts": [{"name": context, "context": {"cluster": name, "user": account}}],
        "current-context": context,
        "users": [{"name": account, "user": credentials}],
    }
    text: str = yaml.safe_dump(document, sort_keys=False)
    return text


def _entra(world: World, form: str) -> dict[str, object]:
    client = "80faf920-1908-4b52-b5ef-a8e7bedfc67a"
    if form == "exec":
        arguments = ["get-token", "--environment", "AzurePublicCloud", "--server-id", SERVER_APPLICATION]
        arguments += ["--client-id", client, "--tenant-id", world.tokens.tenant_id, "--login", "devicecode"]
        return {
            "exec": {
                "apiVersion": "client.authentication.k8s.io/v1beta1",
                "command": "kubelogin",
                "args": arguments,
                "env": None,
                "provideClusterInfo": False,
            }
        }
    config = {"apiserver-id": SERVER_APPLICATION, "client-id": client, "config-mode": "1"}
    config |= {"environment": "AzurePublicCloud", "tenant-id": world.tokens.tenant_id}
    return {"auth-provider": {"name": "azure", "config": config}}
