"""The cluster itself: identity, access to its API server, state and version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.arm_ids import same_resource
from domain.catalogue.explain import make_problem
from domain.preflight.check import Judgement, cannot_tell, fails, fails_as, passes, warns
from domain.preflight.facts import Facts, Unread, known
from domain.version import is_number

OLDEST_VERSION = (1, 25)
ML_WORKLOAD = "Microsoft.MachineLearningServices/workspaces/mlworkload"
_IP_RANGES = "https://www.microsoft.com/download/details.aspx?id="
# The list of addresses of each cloud, and the domain of its Azure Machine Learning, by the names of its regions.
_PUBLIC_RANGES, _RANGES = "56519", {"usgov": "57063", "usdod": "57063", "china": "57062"}
_DOMAINS = {"usgov": "ml.azure.us", "usdod": "ml.azure.us", "china": "ml.azure.cn"}


def cluster_identity(facts: Facts) -> Judgement:
    """A service principal is not supported (deployment guide, "Limitations")."""
    if facts.connected:
        return passes("An Azure Arc cluster has an identity of its own.")
    client = str((facts.properties.get("servicePrincipalProfile") or {}).get("clientId") or "msi")
    if client.lower() == "msi":
        return passes("The cluster runs under a managed identity.")
    return fails(
        "The cluster runs under a service principal, which Azure Machine Learning does not support.",
        "Change the cluster to a managed identity, then delete and recreate its node pools.",
        f"az aks update {_named(facts)} --enable-managed-identity",
    )


def _named(facts: Facts) -> str:
    """The cluster in a command of az aks, which takes no id."""
    cluster = facts.cluster_id
    return f"--name {cluster.name} --resource-group {cluster.resource_group} --subscription {cluster.subscription}"


def subscription(facts: Facts) -> Judgement:
    """Attaching across subscriptions is not supported; another region is fine (deployment guide)."""
    if facts.cluster_id.subscription == facts.workspace_id.subscription:
        return passes("Cluster and workspace are in one subscription.")
    return fails(
        f"The cluster is in the subscription {facts.cluster_id.subscription}, the workspace in "
        f"{facts.workspace_id.subscription}: Azure Machine Learning does not attach across subscriptions.",
        "Connect the cluster by Azure Arc in the workspace's subscription and attach it as such.",
        f"az connectedk8s connect --name {facts.cluster_id.name} --resource-group {facts.workspace_id.resource_group} "
        f"--subscription {facts.workspace_id.subscription}",
    )


def power(facts: Facts) -> Judgement:
    """Nothing can be installed on a cluster that does not run."""
    if facts.connected:
        status = str(facts.properties.get("connectivityStatus") or "")
        if status.lower() == "connected":
            return passes("The cluster is connected.")
        if not status:
            unsaid = "Azure does not say whether the cluster is connected."
            return cannot_tell(unsaid, "Look at the cluster.", _show(facts))
        if status.lower() == "connecting":
            return warns("The cluster is Connecting: an attach waits for the end of that.", "Do nothing.", _show(facts))
        since = str(facts.properties.get("lastConnectivityTime") or "unknown")
        return fails_as(make_problem("ClusterNotConnected", {**facts.words, "status": status, "since": since}))
    code = power_of(facts.properties)
    if code.lower() == "running":
        return passes("The cluster runs.")
    if "starting" in (code.lower(), str(facts.properties.get("provisioningState") or "").lower()):
        return warns("The cluster is Starting: an attach waits for the end of that.", "Do nothing.", _show(facts))
    return fails_as(make_problem("ClusterStopped", {**facts.words, "power": code}))


def power_of(properties: Mapping[str, Any]) -> str:
    """Whether an AKS cluster runs, in Azure's word; one that does not say runs: only AKS can be stopped."""
    power_state = properties.get("powerState")
    return str((power_state.get("code") if isinstance(power_state, Mapping) else None) or "Running")


def _show(facts: Facts) -> str:
    return f"az resource show --ids {facts.cluster_id} --query properties"


def is_busy(state_: str) -> bool:
    """Whether a provisioning state passes: AKS has more of them than any list, and names new ones.

    Only a failed operation asks for a repair, only a stopped cluster for a start. A cancelled operation leaves the
    cluster to the next one.
    """
    return bool(state_) and state_.lower() not in ("succeeded", "failed", "stopped")


def state(facts: Facts) -> Judgement:
    """The cluster's last operation has to have ended well."""
    found = str(facts.properties.get("provisioningState") or "")
    command = f"az resource show --ids {facts.cluster_id} --query properties.provisioningState"
    if found.lower() == "succeeded":
        return passes("The cluster's last operation succeeded.")
    if not found:
        return cannot_tell("The cluster does not say how its last operation ended.", "Look at the cluster.", command)
    if found.lower() == "canceled":
        return warns(
            "The cluster's last operation was cancelled: an attach waits until another one succeeds.",
            "Start it again, unless somebody else does.",
            command if facts.connected else f"az aks update {_named(facts)}",
        )
    if found.lower() == "stopped":
        return fails_as(make_problem("ClusterStopped", {**facts.words, "power": found}))
    if is_busy(found):
        return warns(f"The cluster is {found}: an attach waits for the end of that.", "Do nothing.", command)
    return fails_as(make_problem("ClusterNotHealthy", {**facts.words, "state": found}))


def kubernetes_version(facts: Facts) -> Judgement:
    """1.25 or later (how-to), and one that the region offers, previews included (v1 guide)."""
    text = str(facts.properties.get("currentKubernetesVersion") or facts.properties.get("kubernetesVersion") or "")
    minor = ".".join(text.split(".")[:2])
    command = "kubectl version" if facts.connected else f"az aks get-upgrades {_named(facts)} --output table"
    parts = minor.split(".")
    if len(parts) != 2 or not all(is_number(part) for part in parts):
        return cannot_tell(
            f"The cluster does not say its Kubernetes version ({text or 'nothing'}).", "Check the version.", command
        )
    if (int(parts[0]), int(parts[1])) < OLDEST_VERSION:
        return fails(f"The cluster runs Kubernetes {text}; 1.25 or later is needed.", "Upgrade the cluster.", command)
    if facts.connected:
        return passes(f"The cluster runs Kubernetes {text}.")
    offered = {version.minor: version for version in known(facts.versions, "the Kubernetes versions of the region")}
    if minor not in offered:
        return warns(
            f"The cluster runs Kubernetes {text}, which its region does not offer any more "
            f"(it offers {', '.join(sorted(offered, key=_by_number)) or 'none'}).",
            "Upgrade the cluster to a supported version.",
            command,
        )
    return passes(f"The cluster runs Kubernetes {text}{', a preview' if offered[minor].preview else ''}.")


def _by_number(minor: str) -> tuple[int, ...]:
    return tuple(int(part) for part in minor.split(".") if is_number(part))


def pod_identity(facts: Facts) -> Judgement:
    """Microsoft Entra pod identity is not supported (deployment guide)."""
    if not (facts.properties.get("podIdentityProfile") or {}).get("enabled"):
        return passes("The cluster does not use pod identity.")
    return fails(
        "The cluster uses Microsoft Entra pod identity, which Azure Machine Learning does not support.",
        "Move its workloads to workload identity and switch pod identity off.",
        f"az aks update {_named(facts)} --disable-pod-identity",
    )


def local_accounts(facts: Facts) -> Judgement:
    """Local accounts switched off: unsupported by the guide, supported with Trusted Access; the sources disagree."""
    if not facts.properties.get("disableLocalAccounts"):
        return passes("Local accounts of the cluster are enabled.")
    if _trusted(facts):
        return passes("Local accounts are disabled, and the workspace has trusted access to the cluster.")
    return warns(
        "Local accounts of the cluster are disabled: the deployment guide calls that unsupported, later documents say "
        "that Azure Machine Learning then comes by trusted access (public cloud only), which it binds at the attach.",
        "If the attach fails, enable local accounts for its duration.",
        f"az aks update {_named(facts)} --enable-local-accounts",
    )


def authorized_ip_ranges(facts: Facts) -> Judgement:
    """The control plane of Azure Machine Learning, in both paired regions, has to reach the API server."""
    ranges = (facts.properties.get("apiServerAccessProfile") or {}).get("authorizedIPRanges") or []
    if not ranges:
        return passes("The API server takes calls from any address.")
    if _trusted(facts):
        return passes("The API server has authorised IP ranges, and the workspace has trusted access to the cluster.")
    return warns(
        f"The API server takes calls from {len(ranges)} authorised IP ranges only: those of Azure Machine Learning "
        "(service tag AzureMachineLearning) of the workspace's region and of its paired region have to be among them.",
        f"Add the ranges of both regions ({_IP_RANGES}{_list_of_ranges(facts)}).",
        f"az aks update {_named(facts)} --api-server-authorized-ip-ranges "
        f"{','.join([*(str(r) for r in ranges), '<ranges of AzureMachineLearning>'])}",
    )


def _list_of_ranges(facts: Facts) -> str:
    region = "" if isinstance(facts.workspace, Unread) else str(facts.workspace.get("location") or "")
    return next((number for cloud, number in _RANGES.items() if _lies_in(region, cloud)), _PUBLIC_RANGES)


def _lies_in(region: str, cloud: str) -> bool:
    return region.replace(" ", "").lower().startswith(cloud)


def _trusted(facts: Facts) -> bool:
    """Whether the workspace is bound to the cluster; not knowing is no trust."""
    if isinstance(facts.trusted_access, Unread):
        return False
    return any(
        same_resource(str(properties.get("sourceResourceId") or ""), str(facts.workspace_id))
        and ML_WORKLOAD.lower() in {str(role).lower() for role in properties.get("roles") or []}
        for properties in (binding.get("properties") or {} for binding in facts.trusted_access)
    )


def _suffixes(region: str) -> tuple[str, str]:
    """What the hosts of Azure Machine Learning end with in the cloud of a region: its API, its experiments.

    Source: https://learn.microsoft.com/azure/machine-learning/reference-machine-learning-cloud-parity.
    """
    for cloud, domain in _DOMAINS.items():
        if _lies_in(region, cloud):
            return f"api.{domain}", f"experiments.{domain}"
    return "api.azureml.ms", "experiments.azureml.net"


def outbound(facts: Facts) -> Judgement:
    """What the cluster has to reach (network requirements of Azure/AML-Kubernetes); nobody can see that from here."""
    region, workspace = "<region>", "<workspaceId>"
    if not isinstance(facts.workspace, Unread):
        region = str(facts.workspace.get("location") or region).replace(" ", "").lower()
        workspace = str((facts.workspace.get("properties") or {}).get("workspaceId") or workspace)
    api, experiments = _suffixes(region)
    hosts = (
        f"{workspace}.workspace.{region}.{api}",
        f"{region}.{experiments}",
        f"{region}.{api}",
        "the workspace's storage (blob)",
        "the workspace's container registry (login and data)",
        "pypi.org",
    )
    proxy = None
    if not isinstance(facts.cluster, Unread):
        proxy = (facts.cluster.get("properties") or {}).get("httpProxyConfig")
    through = " through its proxy, which must leave out 127.0.0.1 and localhost," if proxy else ""
    return cannot_tell(
        f"The cluster has to reach on port 443{through}: {', '.join(hosts)}.",
        "Open them in the firewall, and in the proxy if the cluster has one.",
        f"kubectl run reach --rm --stdin --restart=Never --image=curlimages/curl -- -sI https://{hosts[2]}",
    )
