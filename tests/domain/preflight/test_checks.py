"""For every check: a cluster that it is worried about, and a near miss that passes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from domain.legacy_objects import LEGACY_OBJECTS
from domain.preflight.check import Check
from domain.preflight.facts import ExtensionFacts, Facts, Legacy, Permission, Unread, VaultFacts, Version
from domain.preflight.run import run_checks
from domain.preflight.table import CHECKS
from domain.problems import Problem
from domain.roles import Seen, workspace_needs
from tests.domain.preflight.clusters import (
    ARC_ID,
    BOUND,
    CLUSTER_ID,
    GOOD,
    OTHER_SUB,
    SEEN,
    SUB,
    UNSEEN,
    WORKSPACE_ID,
    cluster,
    compute,
    facts,
    pool,
    pools,
)

DOWN = Unread("503 ServiceUnavailable: down")
USER = f"/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
OTHER_CLUSTER = facts().cluster_id.__class__(OTHER_SUB, "rg", "Microsoft.ContainerService/managedClusters", "aks")
SECRET = {"extension": {"configurationProtectedSettings": {"a": "https://kv.vault.azure.net/secrets/a"}}}
NO_SECRET = Problem(code="SecretNotFound", message="There is no secret a.", remedy="Make it.", command="az keyvault")
CLEAN = {"cleanupLegacy": True}
LEFT = Legacy(LEGACY_OBJECTS)
DEV = {"clusterPurpose": "devTest"}
CREATING_EXTENSION = ExtensionFacts(waits="the extension is being installed")
READER = Permission(("*/read",))
OPERATOR = Permission(("Microsoft.MachineLearningServices/workspaces/computes/*",))
EXTENDER = Permission(
    tuple(f"Microsoft.KubernetesConfiguration/extensions/{a}" for a in ("read", "write", "delete", "operations/read"))
)
NEEDS = workspace_needs("p-1", CLUSTER_ID, None)
UNREGISTERED = {"Microsoft.KubernetesConfiguration": "NotRegistered", "Microsoft.ContainerService": "Registered"}


def gpus(count: Any, part: str = "limits") -> dict[str, Any]:
    return {"instanceTypes": [{"name": "gpu-large", "resources": {part: {"nvidia.com/gpu": count}}}]}


def with_plug_in(count: int) -> dict[str, Any]:
    settings = {"enableTraining": "True", "installNvidiaDevicePlugin": "True"}
    return {**gpus(count), "extension": {"configurationSettings": settings}}


def selecting(**labels: str) -> dict[str, Any]:
    settings = {"enableTraining": "True", **{f"nodeSelector.{k}": v for k, v in labels.items()}}
    return {"extension": {"configurationSettings": settings}}


@dataclass(frozen=True)
class Case:
    """Facts, and what a check makes of them; ``says`` is in its message."""

    check: str
    name: str
    facts: Facts
    outcome: str
    says: str = ""
    hard: frozenset[str] = field(default_factory=frozenset)


CASES = (
    Case("computeName", "hyphen last", facts(compute_name="gpu-"), "fail", "gpu-"),
    Case("computeName", "seventeen characters", facts(compute_name="g" * 17), "fail"),
    Case("computeName", "sixteen characters", facts(compute_name="g" * 16), "pass"),
    Case(
        "existingCompute", "another cluster",
        facts(compute=compute(resourceId=str(OTHER_CLUSTER))), "fail", OTHER_SUB,
    ),
    Case("existingCompute", "another namespace", facts(compute=compute(properties={"namespace": "ml"})), "fail", "ml"),
    Case("existingCompute", "legacy type", facts(compute=compute(computeType="AKS")), "fail", "legacy"),
    Case("existingCompute", "another type", facts(compute=compute(computeType="AmlCompute")), "fail", "AmlCompute"),
    Case("existingCompute", "failed", facts(compute=compute(provisioningState="Failed")), "fail", "failed"),
    Case(
        "existingCompute", "another identity",
        facts(compute=compute(), request={"identity": {"type": "SystemAssigned"}}), "fail", "identity",
    ),
    Case(
        "existingCompute", "the identity that is asked for",
        facts(
            compute={
                **compute(),
                "identity": {"type": "UserAssigned", "userAssignedIdentities": {f"{USER}/A".lower(): {}}},
            },
            request={"identity": {"type": "UserAssigned", "userAssignedIdentityId": f"{USER}/A"}},
        ),
        "pass", "adopted",
    ),
    Case(
        "existingCompute", "another of the same type",
        facts(
            compute={**compute(), "identity": {"type": "UserAssigned", "userAssignedIdentities": {f"{USER}/b": {}}}},
            request={"identity": {"type": "UserAssigned", "userAssignedIdentityId": f"{USER}/a"}},
        ),
        "fail", "identity",
    ),
    Case("existingCompute", "being detached", facts(compute=compute(provisioningState="Deleting")), "warning", "waits"),
    Case("existingCompute", "other tags", facts(compute=compute(), request={"tags": {"a": "b"}}), "warning", "tags"),
    Case(
        "existingCompute", "same but for case",
        facts(compute=compute(resourceId=str(GOOD.cluster_id).upper())), "pass",
    ),
    Case("existingCompute", "cannot be read", facts(compute=DOWN), "unknown", "503"),
    Case("clusterSubscription", "another one", facts(cluster_id=OTHER_CLUSTER), "fail", OTHER_SUB),
    Case("clusterSubscription", "another region", facts(cluster={**cluster(), "location": "japaneast"}), "pass"),
    Case("clusterPower", "stopped", facts(cluster=cluster(powerState={"code": "Stopped"})), "fail", "Stopped"),
    Case("clusterPower", "does not say", facts(cluster=cluster(powerState=None)), "pass"),
    Case(
        "clusterPower", "Arc, offline", facts(cluster_id=ARC_ID, cluster=cluster(connectivityStatus="Offline")),
        "fail", "Offline",
    ),
    Case("clusterPower", "Arc", facts(cluster_id=ARC_ID, cluster=cluster(connectivityStatus="Connected")), "pass"),
    Case("clusterPower", "cannot be read", facts(cluster=DOWN), "unknown", "503"),
    Case("clusterState", "failed", facts(cluster=cluster(provisioningState="Failed")), "fail", "Failed"),
    Case("clusterState", "updating", facts(cluster=cluster(provisioningState="Updating")), "warning", "waits"),
    Case("clusterState", "another case", facts(cluster=cluster(provisioningState="succeeded")), "pass"),
    Case(
        "clusterIdentity", "service principal", facts(cluster=cluster(servicePrincipalProfile={"clientId": "4f2e"})),
        "fail", "service principal",
    ),
    Case("clusterIdentity", "MSI", facts(cluster=cluster(servicePrincipalProfile={"clientId": "MSI"})), "pass"),
    Case("kubernetesVersion", "1.24", facts(cluster=cluster(currentKubernetesVersion="1.24.17")), "fail", "1.24.17"),
    Case("kubernetesVersion", "1.9", facts(cluster=cluster(currentKubernetesVersion="1.9.0")), "fail", "1.9.0"),
    Case(
        "kubernetesVersion", "not offered",
        facts(cluster=cluster(currentKubernetesVersion="1.25.6")), "warning", "1.33",
    ),
    Case(
        "kubernetesVersion", "1.25, offered",
        facts(cluster=cluster(currentKubernetesVersion="1.25.0"), versions=(Version("1.25"),)), "pass",
    ),
    Case(
        "kubernetesVersion", "a preview",
        facts(cluster=cluster(currentKubernetesVersion="1.35.0")), "pass", "preview",
    ),
    Case("kubernetesVersion", "region does not answer", facts(versions=DOWN), "unknown", "503"),
    Case(
        "kubernetesVersion", "too old whatever the region says",
        facts(cluster=cluster(currentKubernetesVersion="1.24.0"), versions=DOWN), "fail",
    ),
    Case("kubernetesVersion", "odd", facts(cluster=cluster(currentKubernetesVersion="latest")), "unknown", "latest"),
    Case(
        "podIdentity", "enabled",
        facts(cluster=cluster(podIdentityProfile={"enabled": True})), "fail", "pod identity",
    ),
    Case("podIdentity", "disabled", facts(cluster=cluster(podIdentityProfile={"enabled": False})), "pass"),
    Case("localAccounts", "disabled", facts(cluster=cluster(disableLocalAccounts=True)), "warning", "trusted access"),
    Case(
        "localAccounts", "disabled and hard", facts(cluster=cluster(disableLocalAccounts=True)), "fail",
        hard=frozenset({"localAccounts"}),
    ),
    Case(
        "localAccounts", "trusted access", facts(cluster=cluster(disableLocalAccounts=True), trusted_access=(BOUND,)),
        "pass", "trusted access",
    ),
    Case(
        "localAccounts", "trusted access of another workspace",
        facts(
            cluster=cluster(disableLocalAccounts=True),
            trusted_access=({"properties": {**BOUND["properties"], "sourceResourceId": f"{WORKSPACE_ID}2"}},),
        ),
        "warning",
    ),
    Case(
        "localAccounts", "trusted access unknown",
        facts(cluster=cluster(disableLocalAccounts=True), trusted_access=DOWN),
        "warning",
    ),
    Case(
        "authorizedIpRanges", "some",
        facts(cluster=cluster(apiServerAccessProfile={"authorizedIPRanges": ["10.0.0.0/8"]})),
        "warning", "paired region",
    ),
    Case(
        "authorizedIpRanges", "none", facts(cluster=cluster(apiServerAccessProfile={"authorizedIPRanges": []})), "pass"
    ),
    Case(
        "authorizedIpRanges", "trusted access",
        facts(
            cluster=cluster(apiServerAccessProfile={"authorizedIPRanges": ["10.0.0.0/8"]}), trusted_access=(BOUND,)
        ),
        "pass", "trusted access",
    ),
    Case("nodePools", "Windows only", facts(cluster=pools(pool(osType="Windows"))), "fail", "Linux"),
    Case("nodePools", "ARM64 only", facts(cluster=pools(pool(vmSize="Standard_D4ps_v5"))), "fail", "ARM64"),
    Case("nodePools", "stopped", facts(cluster=pools(pool(powerState={"code": "Stopped"}))), "fail"),
    Case("nodePools", "gateway", facts(cluster=pools(pool(mode="Gateway"))), "fail"),
    Case("nodePools", "tainted", facts(cluster=pools(pool(nodeTaints=["CriticalAddonsOnly=true:NoSchedule"]))), "fail"),
    Case("nodePools", "spot", facts(cluster=pools(pool(scaleSetPriority="Spot"))), "fail"),
    Case("nodePools", "empty", facts(cluster=pools(pool(count=0))), "fail"),
    Case(
        "nodePools", "scales from zero",
        facts(cluster=pools(pool(count=0, enableAutoScaling=True, maxCount=3))), "pass",
    ),
    Case(
        "nodePools", "taint of ours",
        facts(cluster=pools(pool(nodeTaints=["ml.azure.com/amlarc=true:NoSchedule"]))), "pass",
    ),
    Case("nodePools", "a soft taint", facts(cluster=pools(pool(nodeTaints=["a=b:PreferNoSchedule"]))), "pass"),
    Case(
        "nodePools", "beside Windows",
        facts(cluster=pools(pool(), pool(name="win", osType="Windows"))), "pass", "win",
    ),
    Case("nodePools", "not selected", facts(request=selecting(team="ml")), "fail", "selected"),
    Case(
        "nodePools", "selected",
        facts(request=selecting(team="ml"), cluster=pools(pool(nodeLabels={"team": "ml"}))), "pass",
    ),
    Case(
        "nodePools", "a size that is not listed",
        facts(cluster=pools(pool(vmSize="Standard_X"))), "unknown", "Standard_X",
    ),
    Case("nodePools", "sizes cannot be read", facts(sizes=DOWN), "unknown", "503"),
    Case(
        "componentCapacity", "two cores",
        facts(cluster=pools(pool(count=1, vmSize="Standard_D2s_v5"))), "warning", "2 vCPU",
    ),
    Case(
        "componentCapacity", "8 GB",
        facts(cluster=pools(pool(count=1, vmSize="Standard_F4s_v2"))), "warning", "14 GB",
    ),
    Case(
        "componentCapacity", "8 GB, devTest",
        facts(cluster=pools(pool(count=1, vmSize="Standard_F4s_v2")), request=DEV), "pass",
    ),
    Case("componentCapacity", "4 vCPU and 16 GB", facts(cluster=pools(pool(count=1))), "pass"),
    Case("componentCapacity", "room on Windows only counts not", facts(
        cluster=pools(pool(count=1, vmSize="Standard_D2s_v5"), pool(name="win", osType="Windows"))
    ), "warning"),
    Case(
        "componentCapacity", "the autoscaler makes room",
        facts(cluster=pools(pool(count=1, vmSize="Standard_D2s_v5", enableAutoScaling=True, maxCount=2))), "pass",
    ),
    Case("componentCapacity", "sizes cannot be read", facts(sizes=DOWN), "unknown", "503"),
    Case("purposeCapacity", "eight cores", facts(cluster=pools(pool(count=2))), "warning", "12 vCPU"),
    Case("purposeCapacity", "twelve cores", facts(), "pass"),
    Case(
        "purposeCapacity", "eight cores and hard",
        facts(cluster=pools(pool(count=2))), "fail", hard=frozenset({"purposeCapacity"}),
    ),
    Case(
        "purposeCapacity", "two cores, devTest",
        facts(cluster=pools(pool(count=1, vmSize="Standard_D2s_v5")), request=DEV), "pass",
    ),
    Case("purposeCapacity", "nothing, devTest", facts(cluster=pools(pool(count=0)), request=DEV), "warning", "2 vCPU"),
    Case(
        "purposeCapacity", "not known and hard",
        facts(sizes=DOWN), "fail", "503", hard=frozenset({"purposeCapacity"}),
    ),
    Case("gpuInstanceTypes", "no GPU nodes", facts(request=gpus(1)), "fail", "gpu-large"),
    Case(
        "gpuInstanceTypes", "fewer than asked for",
        facts(request=gpus(2), cluster=pools(pool(), pool(vmSize="Standard_NC6s_v3"))), "fail", "2 GPUs",
    ),
    Case(
        "gpuInstanceTypes", "no plug-in",
        facts(request=gpus("1"), cluster=pools(pool(vmSize="Standard_NC6s_v3"))), "warning", "plug-in",
    ),
    Case(
        "gpuInstanceTypes", "plug-in",
        facts(request=with_plug_in(4), cluster=pools(pool(vmSize="Standard_NC24s_v3"))), "pass",
    ),
    Case("gpuInstanceTypes", "none asked for", facts(request=gpus(None)), "pass"),
    Case("gpuInstanceTypes", "in requests", facts(request=gpus("1", "requests")), "fail"),
    Case(
        "gpuInstanceTypes", "sizes cannot be read, and it depends",
        facts(request=gpus(1), sizes=DOWN), "fail", "depends",
    ),
    Case("kubernetesApi", "not reached", facts(kubernetes=UNSEEN), "unknown", "does not answer"),
    Case(
        "kubernetesApi", "not reached, and a namespace is to be made",
        facts(kubernetes=UNSEEN, request={"createNamespace": True}), "fail", "depends",
    ),
    Case(
        "kubernetesApi", "not reached, and instance types are to be made",
        facts(kubernetes=UNSEEN, request={"instanceTypes": [{"name": "a"}]}), "fail", "depends",
    ),
    Case("kubernetesApi", "has an outage", facts(kubernetes=DOWN), "unknown", "503"),
    Case("kubernetesApi", "reached", facts(request={"createNamespace": True}), "pass"),
    Case("namespace", "missing", facts(kubernetes=replace(SEEN, phase=None)), "fail", "no namespace default"),
    Case(
        "namespace", "missing and not ours to make",
        facts(
            kubernetes=replace(SEEN, phase=None, may_create_namespaces=False), request={"createNamespace": True}
        ),
        "fail", "may not make it",
    ),
    Case(
        "namespace", "missing, to be made",
        facts(kubernetes=replace(SEEN, phase=None), request={"createNamespace": True}), "pass", "will be made",
    ),
    Case("namespace", "on its way out", facts(kubernetes=replace(SEEN, phase="Terminating")), "pass", "waits"),
    Case("namespace", "not seen", facts(kubernetes=UNSEEN), "unknown"),
    Case(
        "instanceTypes", "there and different",
        facts(
            kubernetes=replace(SEEN, types_problem=Problem("InstanceTypeDiffers", "differs", remedy="Rename it.")),
            request={"instanceTypes": [{"name": "a"}]},
        ),
        "fail", "differs",
    ),
    Case("instanceTypes", "not seen", facts(kubernetes=UNSEEN, request={"defaultInstanceType": "a"}), "unknown"),
    Case("legacyObjects", "some", facts(kubernetes=replace(SEEN, legacy=LEFT)), "warning", "Deployment azureml-fe"),
    Case(
        "legacyObjects", "some, and the app may not delete them",
        facts(kubernetes=replace(SEEN, legacy=Legacy(LEFT.found, LEFT.found[:1])), request=CLEAN), "fail", "may not",
    ),
    Case(
        "legacyObjects", "some, to be removed",
        facts(kubernetes=replace(SEEN, legacy=LEFT), request=CLEAN), "pass", "To be removed",
    ),
    Case("legacyObjects", "none", facts(request=CLEAN), "pass"),
    Case("legacyObjects", "not seen", facts(kubernetes=UNSEEN), "unknown", "azureml-fe"),
    Case("legacyObjects", "not seen, to be removed", facts(kubernetes=UNSEEN, request=CLEAN), "fail", "depends"),
    Case(
        "legacyObjects", "may not be looked at",
        facts(kubernetes=replace(SEEN, legacy=Unread("secrets is forbidden"))), "unknown", "forbidden",
    ),
    Case("instanceTypes", "none asked for", facts(kubernetes=UNSEEN), "pass"),
    Case("instanceTypes", "there or to be made", facts(request={"instanceTypes": [{"name": "a"}]}), "pass"),
    Case(
        "openShift", "OpenShift",
        facts(cluster_id=ARC_ID, cluster=cluster(distribution="openshift")), "unknown", "security context",
    ),
    Case("openShift", "another distribution", facts(cluster_id=ARC_ID, cluster=cluster(distribution="k3s")), "pass"),
    Case("providers", "not registered", facts(providers=UNREGISTERED), "fail", "Microsoft.KubernetesConfiguration"),
    Case(
        "providers", "to be registered",
        facts(providers=UNREGISTERED, request={"registerProviders": True}), "pass", "as asked",
    ),
    Case("providers", "cannot be read", facts(providers=DOWN), "unknown", "503"),
    Case(
        "providers", "cannot be read, and it depends",
        facts(providers=DOWN, request={"registerProviders": True}), "fail", "depends",
    ),
    Case("providers", "registered", facts(), "pass"),
    Case(
        "workspaceIdentity", "two, none primary",
        facts(workspace={"identity": {"userAssignedIdentities": {f"{USER}/a": {}, f"{USER}/b": {}}}}),
        "warning", f"{USER}/a is used, the first",
    ),
    Case(
        "workspaceIdentity", "two, one primary",
        facts(workspace={
            "identity": {"type": "UserAssigned", "userAssignedIdentities": {f"{USER}/a": {}, f"{USER}/b": {}}},
            "properties": {"primaryUserAssignedIdentity": f"{USER}/b"},
        }),
        "warning", f"{USER}/b is used, its primary one",
    ),
    Case(
        "workspaceIdentity", "two beside its own",
        facts(workspace={"identity": {
            "type": "SystemAssigned,UserAssigned", "userAssignedIdentities": {f"{USER}/a": {}, f"{USER}/b": {}},
        }}),
        "pass", "its own identity",
    ),
    Case(
        "workspaceIdentity", "one",
        facts(workspace={"identity": {"userAssignedIdentities": {f"{USER}/a": {}}}}), "pass", "/a",
    ),
    Case(
        "extension", "in the way",
        facts(extension=ExtensionFacts(Problem("ExtensionDiffers", "It differs.", remedy="Update it."))),
        "fail", "It differs.",
    ),
    Case("extension", "being changed", facts(extension=CREATING_EXTENSION), "warning", "being installed"),
    Case("extension", "will do", facts(extension=ExtensionFacts()), "pass", "will do"),
    Case("extension", "cannot be read", facts(extension=DOWN), "unknown", "503"),
    Case("workspaceRoles", "system-assigned", facts(), "pass", "needs no role"),
    Case("workspaceRoles", "all there", facts(workspace_roles=Seen(met=NEEDS)), "pass", "has the roles"),
    Case(
        "workspaceRoles", "one missing", facts(workspace_roles=Seen(NEEDS[:2], NEEDS[2:])), "fail",
        "Cluster Admin Role",
    ),
    Case(
        "workspaceRoles", "missing, to be granted",
        facts(workspace_roles=Seen(NEEDS[:2], NEEDS[2:]), request={"grantRoles": True}), "pass", "To be granted",
    ),
    Case(
        "workspaceRoles", "a custom role", facts(workspace_roles=Seen(NEEDS[:2], (), ((NEEDS[2], "a custom role"),))),
        "unknown", "a custom role",
    ),
    Case("workspaceRoles", "cannot be read", facts(workspace_roles=DOWN), "unknown", "503"),
    Case(
        "appPermissions", "may not grant",
        facts(
            workspace_roles=Seen(missing=NEEDS), request={"grantRoles": True},
            workspace_permissions=(READER, OPERATOR), cluster_permissions=(READER, EXTENDER),
        ),
        "fail", "Microsoft.Authorization/roleAssignments/write on aks",
    ),
    Case(
        "appPermissions", "reads only", facts(workspace_permissions=(READER,), cluster_permissions=(READER, EXTENDER)),
        "fail", "Microsoft.MachineLearningServices/workspaces/computes/write on ws",
    ),
    Case(
        "appPermissions", "no extensions",
        facts(workspace_permissions=(READER, OPERATOR), cluster_permissions=(READER,)),
        "fail", "Microsoft.KubernetesConfiguration/extensions/write on aks",
    ),
    Case(
        "appPermissions", "could not undo",
        facts(
            workspace_permissions=(READER, OPERATOR),
            cluster_permissions=(READER, Permission(EXTENDER.actions, (EXTENDER.actions[2],))),
        ),
        "fail", "Microsoft.KubernetesConfiguration/extensions/delete on aks",
    ),
    Case(
        "appPermissions", "has nothing to undo",
        facts(
            request={"onFailure": "keep"}, workspace_permissions=(READER, OPERATOR),
            cluster_permissions=(READER, Permission(EXTENDER.actions, (EXTENDER.actions[2],))),
        ),
        "pass",
    ),
    Case(
        "appPermissions", "no right to register",
        facts(
            providers=UNREGISTERED, request={"registerProviders": True},
            workspace_permissions=(READER, OPERATOR), cluster_permissions=(READER, EXTENDER),
        ),
        "fail", "Microsoft.KubernetesConfiguration/register/action on aks",
    ),
    Case(
        "appPermissions", "taken out of the role",
        facts(workspace_permissions=(Permission(("*",), ("Microsoft.MachineLearningServices/*/Write",)),)),
        "fail", "write",
    ),
    Case(
        "appPermissions", "the extension is there and stays",
        facts(
            extension=ExtensionFacts(), workspace_permissions=(READER, OPERATOR), cluster_permissions=(READER,),
        ),
        "pass",
    ),
    Case(
        "appPermissions", "the least",
        facts(workspace_permissions=(READER, OPERATOR), cluster_permissions=(READER, EXTENDER)), "pass",
    ),
    Case("appPermissions", "cannot be read", facts(cluster_permissions=DOWN), "unknown", "503"),
    Case("keyVaultSecrets", "not there", facts(secrets=VaultFacts(("a",), NO_SECRET)), "fail", "no secret"),
    Case("keyVaultSecrets", "there", facts(secrets=VaultFacts(("sslKeyPemFile",))), "pass", "sslKeyPemFile"),
    Case("keyVaultSecrets", "vault does not answer", facts(secrets=DOWN), "unknown"),
    Case("keyVaultSecrets", "vault does not answer, needed", facts(secrets=DOWN, request=SECRET), "fail", "depends"),
    Case(
        "keyVaultSecrets", "vault does not answer, not needed",
        facts(secrets=DOWN, request=SECRET, extension=ExtensionFacts()), "unknown",
    ),
    Case("outbound", "hosts", facts(), "unknown", "w-1.workspace.westeurope.api.azureml.ms"),
    Case(
        "outbound", "proxy",
        facts(cluster=cluster(httpProxyConfig={"httpProxy": "http://p"})), "unknown", "127.0.0.1",
    ),
    Case("outbound", "nothing is known", facts(cluster=DOWN, workspace=DOWN), "unknown", "<region>"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.check}: {c.name}")
def test_a_check(case: Case) -> None:
    findings = [f for f in run_checks(case.facts, case.hard) if f.check == case.check]
    assert [f.outcome for f in findings] == [case.outcome], findings
    assert case.says in findings[0].message
    if case.outcome != "pass":
        assert findings[0].remedy


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.name)
def test_every_check_has_a_worry_and_a_near_miss(check: Check) -> None:
    told = {case.outcome for case in CASES if case.check == check.name and not case.hard}
    assert check.worst in told
    assert "pass" in told or check.name == "outbound", "nobody can see from here what a cluster reaches"


def test_a_faultless_cluster_passes_everything() -> None:
    found = {f.check: f.outcome for f in run_checks(GOOD)}
    assert set(found) == {check.name for check in CHECKS}
    assert {name for name, outcome in found.items() if outcome != "pass"} == {"outbound"}
