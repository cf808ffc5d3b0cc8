"""What stands around the cluster: the workspace's identity, resource providers, the extension, the network."""

from __future__ import annotations

from collections.abc import Mapping

from domain.access.roles import user_identity
from domain.preflight.check import Judgement, cannot_tell, fails, fails_as, passes, warns
from domain.preflight.facts import Facts, Unread, known

# Without the first the extension's installation fails under a false name (AuthorizationFailed of another application).
AKS_PROVIDERS = ("Microsoft.KubernetesConfiguration", "Microsoft.ContainerService")
ARC_PROVIDERS = ("Microsoft.KubernetesConfiguration", "Microsoft.Kubernetes", "Microsoft.Relay")
REGISTERED = "registered"


def providers_for(connected: bool) -> tuple[str, ...]:
    """The resource providers that an attach needs registered."""
    return ARC_PROVIDERS if connected else AKS_PROVIDERS


def unregistered(states: Mapping[str, str]) -> list[str]:
    """Those that are not registered, by their registration states."""
    return [name for name, state in states.items() if state.lower() != REGISTERED]


def providers(facts: Facts) -> Judgement:
    """Resource providers registered in the subscription."""
    states = dict(known(facts.providers, "the registration of resource providers"))
    missing = unregistered(states)
    if not missing:
        return passes(f"Registered: {', '.join(states)}.")
    if facts.request.get("registerProviders"):
        return passes(f"To be registered, as asked: {', '.join(missing)}.")
    return fails(
        f"Not registered in the subscription: {', '.join(missing)}.",
        "Register them, or ask for it with registerProviders.",
        f"az provider register --wait --namespace {missing[0]} --subscription {facts.cluster_id.subscription}",
    )


def registers(facts: Facts) -> bool:
    """Whether the request asks for registration, which goes by what is registered."""
    return bool(facts.request.get("registerProviders"))


def workspace_identity(facts: Facts) -> Judgement:
    """Which of several user-assigned identities the workspace uses."""
    workspace = known(facts.workspace, "the workspace")
    users = list((workspace.get("identity") or {}).get("userAssignedIdentities") or {})
    primary = str((workspace.get("properties") or {}).get("primaryUserAssignedIdentity") or "")
    used = user_identity(workspace)
    if used is None:
        return passes("The workspace acts as its own identity.")
    if len(users) < 2:
        return passes(f"The workspace acts as {used}.")
    first = "the first, because none of them is named as primary"
    why = "its primary one" if used.lower() == primary.lower() else first
    return warns(
        f"The workspace has {len(users)} user-assigned identities; {used} is used, {why}: roles have to be its own.",
        "Grant roles on the cluster to that identity.",
        f"az resource show --ids {facts.workspace_id} --query identity.userAssignedIdentities",
    )


def extension(facts: Facts) -> Judgement:
    """The cluster's extension: to be installed or changed, adopted, or a conflict."""
    found = known(facts.extension, "the cluster's extension")
    if found.problem is not None:
        return fails_as(found.problem)
    if found.waits is not None:
        return warns(
            f"The extension is not at rest: an attach waits ({found.waits}).",
            "Nothing is to be done.",
            f"az k8s-extension list --cluster-name {facts.cluster_id.name} --resource-group "
            f"{facts.cluster_id.resource_group} --cluster-type {facts.cluster_id.resource_type.rsplit('/', 1)[-1]}",
        )
    return passes(f"The extension is to be {found.change}." if found.change else "The extension exists as asked for.")


def outbound(facts: Facts) -> Judgement:
    """What the cluster has to reach (network requirements of Azure/AML-Kubernetes); nobody can see that from here."""
    region, workspace = "<region>", "<workspaceId>"
    if not isinstance(facts.workspace, Unread):
        region = str(facts.workspace.get("location") or region)
        workspace = str((facts.workspace.get("properties") or {}).get("workspaceId") or workspace)
    hosts = (
        f"{workspace}.workspace.{region}.api.azureml.ms",
        f"{region}.experiments.azureml.net",
        f"{region}.api.azureml.ms",
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
        "Open them in the firewall, and in the proxy if there is one.",
        f"kubectl run reach --rm --stdin --restart=Never --image=curlimages/curl -- -sI https://{hosts[2]}",
    )
