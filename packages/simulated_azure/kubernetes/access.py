"""Who may do what in a cluster: static tokens of local accounts, Entra tokens with Azure RBAC or with Kubernetes' own.

Sources: AKS documentation (manage-local-accounts-managed-azure-ad, manage-azure-rbac, kubelogin-authentication).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from packages.simulated_azure.access import rbac
from packages.simulated_azure.arm import resources
from packages.simulated_azure.kubernetes.cluster import State
from packages.simulated_azure.kubernetes.kinds import Kind, StatusError, unauthorized
from packages.simulated_azure.world import World

# The application that AKS clusters with Entra ID sign in to (articles/aks/kubelogin-authentication).
SERVER_APPLICATION = "6dae42f8-4368-4678-94ff-3960e28e3630"
_VERBS = {"get": "read", "list": "read", "watch": "read", "create": "write", "update": "write", "patch": "write"}
# What a ClusterRoleBinding to ``view`` covers; secrets are not in it.
_VIEW = frozenset({"namespaces", "pods", "services", "configmaps", "deployments", "daemonsets", "statefulsets"})


@dataclass(frozen=True)
class User:
    """Who asks: a local account (administrator), or an Entra principal by its object id."""

    name: str
    object_id: str | None = None


def static_token(world: World, cluster_id: str, user: str) -> str:
    """The token that a kubeconfig of a local account carries."""
    return (world.stable_guid(cluster_id, user, "token") + world.stable_guid(cluster_id, user, "more")).replace("-", "")


def uses_entra(cluster: resources.Resource) -> bool:
    """Whether users sign in with Entra ID."""
    return bool(cluster["body"]["properties"].get("aadProfile"))


def authenticate(world: World, cluster: resources.Resource, header: str | None) -> User:
    """The user that an ``Authorization`` header names. Raises StatusError 401."""
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise unauthorized()
    if not cluster["body"]["properties"].get("disableLocalAccounts"):
        for user in ("clusterAdmin", *(() if uses_entra(cluster) else ("clusterUser",))):
            if token == static_token(world, cluster["id"], user):
                return User(user)
    claims = world.tokens.claims(token)
    if not uses_entra(cluster) or claims is None or claims["exp"] <= time.time():
        raise unauthorized()
    if claims["aud"].removeprefix("spn:") != SERVER_APPLICATION:
        raise unauthorized()
    return User(claims["oid"], claims["oid"])


def allowed(
    world: World,
    cluster: resources.Resource,
    state: State,
    user: User,
    verb: str,
    kind: Kind,
    namespace: str | None,
    *,
    does: bool = False,
) -> bool:
    """Whether a user may do that to objects of a kind. With ``does`` it is about to be done, and counts as used."""
    if user.object_id is None:
        return True
    if not world.settings["rbac"]:
        return True
    if cluster["body"]["properties"]["aadProfile"].get("enableAzureRBAC"):
        part = f"{kind.group}/{kind.plural}" if kind.group else kind.plural
        action = f"Microsoft.ContainerService/managedClusters/{part}/{_VERBS.get(verb, verb)}"
        scope = f"{cluster['id']}/namespaces/{namespace}" if namespace else cluster["id"]
        judge = rbac.allowed_data if does else rbac.holds_data
        return judge(world, user.object_id, action, scope, world.clock.timestamp())
    grant = state["grants"].get(user.object_id)
    return grant == "cluster-admin" or (grant == "view" and _VERBS.get(verb) == "read" and kind.plural in _VIEW)


def check(
    world: World, cluster: resources.Resource, state: State, user: User, verb: str, kind: Kind, namespace: str | None
) -> None:
    """Raise StatusError 403 unless the user may."""
    if allowed(world, cluster, state, user, verb, kind, namespace, does=True):
        return
    place = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    message = (
        f'{kind.qualified} is forbidden: User "{user.name}" cannot {verb} resource "{kind.plural}" in API group '
        f'"{kind.group}" {place}'
    )
    if cluster["body"]["properties"]["aadProfile"].get("enableAzureRBAC"):
        message += ": User does not have access to the resource in Azure. Update role assignment to allow access."
    raise StatusError(403, "Forbidden", message, kind)


def reachable(world: World, cluster: resources.Resource, state: State) -> bool:
    """Whether a caller from outside the cluster's network gets through to its API."""
    properties = cluster["body"]["properties"]
    profile = properties.get("apiServerAccessProfile") or {}
    if state["unreachable"] or profile.get("enablePrivateCluster"):
        return False
    if (properties.get("powerState") or {}).get("code", "Running") != "Running":
        return False
    ranges = profile.get("authorizedIPRanges") or []
    caller = ip_address(world.settings["kubernetesCallerAddress"])
    return not ranges or any(caller in ip_network(each, strict=False) for each in ranges)
