"""The way to a cluster's API: its kubeconfig, a credential, and whether it answers.

The kubeconfig is read for each connection and kept nowhere; nothing of it is run (an ``exec`` entry only says that the
cluster takes Entra tokens), and only its server, authority and static token are used.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import yaml
from azure.core.exceptions import ClientAuthenticationError

from domain.arm_ids import CONNECTED_CLUSTER, ArmId
from domain.redaction import learn
from gateways import clock
from gateways.azure import arm
from gateways.azure.arm import ArmError
from gateways.azure.identity import cloud, credential
from gateways.azure.own_host import origin_of
from gateways.kubernetes import kinds
from gateways.kubernetes.api import OVER_BOUND, Api, KubernetesError, Unreachable
from gateways.kubernetes.ways import Ways, open_ways

if TYPE_CHECKING:
    from lightkube import Client

# The application that AKS clusters with Entra ID sign in to
# (https://learn.microsoft.com/azure/aks/kubelogin-authentication). What a kubeconfig names instead is not believed: the
# app's token would go to whoever it names.
SERVER_APPLICATION = "6dae42f8-4368-4678-94ff-3960e28e3630"
_CONNECT_SECONDS, _READ_SECONDS = 5.0, 20.0
_PROBE_PAUSE = 1.0
# Characters of a kubeconfig, in base64.
_LONGEST = 128 * 1024
# What a header may carry of a token: visible signs of ASCII.
_HEADER = re.compile(r"[!-~]{1,16384}")


def connect(cluster: ArmId) -> Api | Unreachable:
    """The API of a cluster, seen to answer and to let the app look at namespaces; or why it cannot be used from here.

    Goes in as the app, with an Entra token where the cluster takes one; where that is not let in, with the credential
    of the cluster's administrator, when the policy says so, the app may have it and local accounts are not disabled.

    Raises ArmError when Azure Resource Manager has an outage, KubernetesError when the cluster's API has one.
    """
    if cluster.resource_type == CONNECTED_CLUSTER:
        return Unreachable("an Azure Arc cluster is reached through a proxy on somebody's machine only")
    ways = open_ways()
    servers = _own_servers(cluster)
    first = _with_credential(cluster, servers, "listClusterUserCredential", {"format": "exec"})
    if isinstance(first, Api) or first.commands:
        return _without_closed(first, ways)
    if not ways.administrator:
        return first
    second = _with_credential(cluster, servers, "listClusterAdminCredential", {})
    return _without_closed(second, ways) if isinstance(second, Api) or second.commands else first


def _without_closed(found: Api | Unreachable, ways: Ways) -> Api | Unreachable:
    """What was found; a command in the cluster is no way where the policy does not allow it."""
    if isinstance(found, Api) or ways.commands:
        return found
    reason = f"{found.reason}; the policy does not allow commands in it"
    return replace(found, reason=reason, commands=False)


def _own_servers(cluster: ArmId) -> frozenset[str]:
    """The hosts of the cluster's API, as Azure Resource Manager names them, in the domain of AKS. Raises ArmError.

    A cluster that is gone or that may not be read has none.
    """
    try:
        properties = arm.get(cluster.path, arm.CLUSTERS_API).body.get("properties")
    except ArmError as error:
        if error.transient:
            raise
        return frozenset()
    named = [properties.get(name) for name in ("fqdn", "privateFQDN")] if isinstance(properties, Mapping) else []
    hosts = (each.lower() for each in named if isinstance(each, str))
    return frozenset(each for each in hosts if each.endswith(f".{cloud().kubernetes_domain}"))


def _is_own_server(server: object, hosts: frozenset[str]) -> bool:
    """Whether a kubeconfig's server is the API of the cluster itself: the token goes there."""
    if not isinstance(server, str):
        return False
    scheme, host, port = origin_of(server) or ("", "", 0)
    return scheme == "https" and port == 443 and host in hosts and urlsplit(server)[2:] in (("", "", ""), ("/", "", ""))


def _with_credential(
    cluster: ArmId, servers: frozenset[str], action: str, query: Mapping[str, str]
) -> Api | Unreachable:
    try:
        answer = arm.post(cluster.path.below(action), arm.CLUSTERS_API, query=query)
    except ArmError as error:
        if error.transient:
            raise
        return Unreachable(
            f"the app gets no kubeconfig of it ({error.code}: {error.message})",
            remedy="Give the app's identity the role Azure Kubernetes Service Cluster User Role on the cluster.",
        )
    config, entra = _config(answer.body, servers)
    if isinstance(config, Unreachable):
        return config
    try:
        api = Api(_client(config))
    except (OSError, ValueError):  # What it names as its authority is none.
        return Unreachable("its kubeconfig holds no way to sign in that the app has")
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
    """See that the API answers; a connection that is cut once proves nothing. One that took all its time does."""
    try:
        api.namespace("default")
    except KubernetesError as error:
        if error.status or error.reason == OVER_BOUND:
            raise
        clock.pause(_PROBE_PAUSE)
        api.namespace("default")


def _config(body: Mapping[str, Any], servers: frozenset[str]) -> tuple[dict[str, Any] | Unreachable, bool]:
    """What is needed of a kubeconfig, or why it does not serve; and whether its user signs in with Entra ID.

    The token is asked for last, and for the cluster's own server alone.
    """
    unusable = Unreachable("its kubeconfig holds no way to sign in that the app has")
    try:
        document = _document(body["kubeconfigs"][0]["value"])
        cluster = document["clusters"][0]["cluster"]
        user = document["users"][0]["user"] or {}
        kept = {"server": cluster["server"], "certificate-authority-data": cluster["certificate-authority-data"]}
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError, RecursionError, yaml.YAMLError):
        return unusable, False
    if not isinstance(user, dict) or not isinstance(kept["certificate-authority-data"], str):
        return unusable, False
    entra = _takes_entra(user)
    if not _is_own_server(kept["server"], servers):
        reason = "its kubeconfig names a server that is not the cluster's own (fqdn or privateFQDN)"
        return Unreachable(reason, commands=True, entra=entra), entra
    token = user.get("token") or (entra_token() if entra else None)
    if not isinstance(token, str) or not _HEADER.fullmatch(token):
        return unusable, entra
    learn(token)
    config = {
        "current-context": "moor",
        "clusters": [{"name": "moor", "cluster": kept}],
        "users": [{"name": "moor", "user": {"token": token}}],
        "contexts": [{"name": "moor", "context": {"cluster": "moor", "user": "moor"}}],
    }
    return config, entra


def _document(encoded: str) -> Any:
    """A kubeconfig. Raises yaml.YAMLError, or what its values raise; ValueError for one that is none by its size."""
    if len(encoded) > _LONGEST:
        raise ValueError("a kubeconfig has some kilobytes")  # To read a hundred takes a second.
    return yaml.safe_load(base64.b64decode(encoded))


def _client(config: Mapping[str, Any]) -> Client:
    """A client within the bounds. Raises OSError or ValueError for an authority that is none."""
    import httpx2
    from lightkube import Client, KubeConfig
    from lightkube.config.client_adapter import verify_cluster

    from gateways.kubernetes.transport import BoundedTransport

    kinds.prepare_decoding()
    timeout = httpx2.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS)
    kubeconfig = KubeConfig.from_dict(dict(config))
    # Only the proxy is taken of the environment: trust_env would take credentials of a .netrc, too.
    server = str(config["clusters"][0]["cluster"]["server"])
    proxy = _proxy_to(server)
    single = kubeconfig.get()
    assert single is not None
    assert single.user is not None
    context = verify_cluster(single.cluster, single.user, single.abs_file, trust_env=False)
    # A proxy, too, is the transport's: the client would go past the transport to one of its own.
    transport = BoundedTransport(httpx2.HTTPTransport(verify=context, trust_env=False, proxy=proxy), server)
    return Client(config=kubeconfig, timeout=timeout, trust_env=False, transport=transport)


def _proxy_to(server: str) -> str | None:
    """The proxy by which the settings (HTTPS_PROXY, NO_PROXY) have the app reach a server; None for none."""
    return requests.utils.get_environ_proxies(server).get("https")


def _takes_entra(user: Mapping[str, Any]) -> bool:
    """Whether a kubeconfig's user signs in with Entra ID: by a plug-in, in the new or the old form."""
    return "exec" in user or "auth-provider" in user


def entra_token() -> str:
    """A token of the app for the API of clusters. Raises ArmError."""
    try:
        return credential().get_token(f"{SERVER_APPLICATION}/.default").token
    except ClientAuthenticationError as error:
        raise arm.no_token(error) from None
