"""The cluster's API, providers, identities, permissions, network: what worries the checks, and near misses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from domain.access.roles import Seen, workspace_needs
from domain.cluster.legacy_objects import LEGACY_OBJECTS
from domain.preflight.facts import ExtensionFacts, Legacy, Permission, Unread, VaultFacts
from domain.problems import Problem
from tests.domain.preflight.case import Case
from tests.domain.preflight.clusters import (
    ARC_ID,
    CLUSTER_ID,
    DOWN,
    SEEN,
    UNSEEN,
    USER,
    cluster,
    facts,
)

SECRET = {"extension": {"configurationProtectedSettings": {"a": "https://kv.vault.azure.net/secrets/a"}}}
NO_SECRET = Problem(code="SecretNotFound", message="There is no secret a.", remedy="Make it.", command="az keyvault")
CLEAN = {"cleanupLegacy": True}
LEFT = Legacy(LEGACY_OBJECTS)
CREATING_EXTENSION = ExtensionFacts(waits="the extension is being installed")
READER = Permission(("*/read",))
OPERATOR = Permission(("Microsoft.MachineLearningServices/workspaces/computes/*",))
EXTENDER = Permission(
    tuple(f"Microsoft.KubernetesConfiguration/extensions/{a}" for a in ("read", "write", "delete", "operations/read"))
)
# What Moor ships; the right to grant roles is assigned apart.
SHIPPED = (Permission(tuple(json.loads((Path(__file__).parents[3] / "infra/roles/moor.json").read_text())["Actions"])),)
NEEDS = workspace_needs("p-1", CLUSTER_ID, None)
UNREGISTERED = {"Microsoft.KubernetesConfiguration": "NotRegistered", "Microsoft.ContainerService": "Registered"}


SURROUNDINGS = (
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
        "fail", "may not create it",
    ),
    Case(
        "namespace", "missing, to be made",
        facts(kubernetes=replace(SEEN, phase=None), request={"createNamespace": True}), "pass", "will be created",
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
    Case("extension", "as asked for", facts(extension=ExtensionFacts()), "pass", "exists as asked for"),
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
    Case(
        "appPermissions", "the shipped role",
        facts(workspace_permissions=SHIPPED, cluster_permissions=SHIPPED), "pass",
    ),
    Case(
        "appPermissions", "the shipped role, on Azure Arc with what goes wrong taken back",
        facts(
            workspace_permissions=SHIPPED, cluster_permissions=SHIPPED, cluster_id=ARC_ID,
            request={"onFailure": "undo", "smokeTest": "training"},
        ), "pass",
    ),
    Case(
        "appPermissions", "the shipped role does not grant roles",
        facts(
            workspace_permissions=SHIPPED, cluster_permissions=SHIPPED, workspace_roles=Seen(missing=NEEDS),
            request={"grantRoles": True},
        ), "fail", "roleAssignments/write",
    ),
    Case(
        "appPermissions", "under a condition",
        facts(workspace_permissions=(READER, Permission(OPERATOR.actions, conditional=True))),
        "unknown", "under a condition",
    ),
    Case(
        "appPermissions", "under a condition, and without one by another role",
        facts(workspace_permissions=(Permission(("*",), conditional=True), READER, OPERATOR)), "pass",
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
