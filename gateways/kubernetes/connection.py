"""The way to a cluster's API: its kubeconfig, a credential, and whether it answers.

The kubeconfig is read for each connection and kept nowhere; nothing of it is run (an ``exec`` entry only says that the
cluster takes Entra tokens), and only its server, authority and static token are used.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import yaml

from domain.arm_ids import CONNECTED_CLUSTER, ArmId
from domain.redaction import learn
from gateways import clock
from gateways.azure import arm
from gateways.azure.arm import ArmError
from gateways.azure.identity import credential
from gateways.kubernetes import kinds
from gateways.kubernetes.api import Api, KubernetesError, Unreachable

if TYPE_CHECKING:
    from lightkube import Client

# The application that AKS clusters with Entra ID sign in to
# (https://learn.microsoft.com/azure/aks/kubelogin-authentication). What a kubeconfig names instead is not believed: the
# app's token would go to whoever it names.
SERVER_APPLICATION = "6dae42f8-4368-4678-94ff-3960e28e3630"
_CONNECT_SECONDS, _READ_SECONDS = 5.0, 20.0
_PROBE_PAUSE = 1.0


def connect(cluster: ArmId) -> Api | Unreachable:
    """The API of a cluster, seen to answer and to let the app look at namespaces; or why it cannot be used from here.

    Goes in as the app, with an Entra token where the cluster takes one; where that is not let in, with the credential
    of the cluster's administrator, when the app may have it and local accounts are not disabled.

    Raises ArmError when Azure Resource Manager has an outage, KubernetesError when the cluster's API has one.
    """
    if cluster.resource_type == CONNECTED_CLUSTER:
        return Unreachable("an Azure Arc cluster is reached through a proxy on somebody's machine only")
    first = _with_credential(cluster, "listClusterUserCredential", {"format": "exec"})
    if isinstance(first, Api) or first.commands:
        return first
    second = _with_credential(cluster, "listClusterAdminCredential", {})
    return second if isinstance(second, Api) or second.commands else first


def _with_credential(cluster: ArmId, action: str, query: Mapping[str, str]) -> Api | Unreachable:
    try:
        answer = arm.post(f"{cluster}/{action}", arm.CLUSTERS_API, query=query)
    except ArmError as error:
        if error.transient:
            raise
        return Unreachable(
            f"the app gets no kubeconfig of it ({error.code}: {error.message})",
            remedy="Give the app's identity the role Azure Kubernetes Service Cluster User Role on the cluster.",
        )
    config, entra = _config(answer.body)
    if config is None:
        return Unreachable("its kubeconfig holds no way to sign in that the app has")
    api = Api(_client(config))
    try:
        _probe(api)
    except KubernetesError as error:
        api.close()
        if error.transient and error.status:
            raise
        if error.status in (401, 403):
            return Unreachable(
                f"it does not let the app in ({error.message})",
                remedy="Give the app's identity a role in the cluster; docs/roles.md lists them.",
            )
        return Unreachable(f"its API does not answer ({error.reason})", commands=True, entra=entra)
    return api


def _probe(api: Api) -> None:
    """See that the API answers; a connection that is cut once proves nothing."""
    try:
        api.namespace("default")
    except KubernetesError as error:
        if error.status:
            raise
        clock.pause(_PROBE_PAUSE)
        api.namespace("default")


def _config(body: Mapping[str, Any]) -> tuple[dict[str, Any] | None, bool]:
    """What is needed of a kubeconfig, None when it will not do; and whether its user signs in with Entra ID."""
    try:
        document = yaml.safe_load(base64.b64decode(body["kubeconfigs"][0]["value"]))
        cluster = document["clusters"][0]["cluster"]
        user = document["users"][0]["user"] or {}
        kept = {"server": cluster["server"], "certificate-authority-data": cluster["certificate-authority-data"]}
    except (KeyError, IndexError, TypeError, ValueError, yaml.YAMLError):
        return None, False
    entra = _takes_entra(user)
    token = user.get("token") or (entra_token() if entra else None)
    if token is not None:
        learn(str(token))
    if token is None or not str(kept["server"]).startswith("https://"):
        return None, entra
    config = {
        "current-context": "moor",
        "clusters": [{"name": "moor", "cluster": kept}],
        "users": [{"name": "moor", "user": {"token": token}}],
        "contexts": [{"name": "moor", "context": {"cluster": "moor", "user": "moor"}}],
    }
    return config, entra


def _client(config: Mapping[str, Any]) -> Client:
    import httpx2
    from lightkube import Client, KubeConfig

    kinds.prepare_decoding()
    timeout = httpx2.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS)
    return Client(config=KubeConfig.from_dict(dict(config)), timeout=timeout, trust_env=False)


def _takes_entra(user: Mapping[str, Any]) -> bool:
    """Whether a kubeconfig's user signs in with Entra ID: by a plug-in, in the new or the old form."""
    return "exec" in user or "auth-provider" in user


def entra_token() -> str:
    """A token of the app for the API of clusters. Raises azure.core.exceptions.AzureError."""
    return credential().get_token(f"{SERVER_APPLICATION}/.default").token
