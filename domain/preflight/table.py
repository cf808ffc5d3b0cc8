"""Every check, in the order of the findings in a record."""

from __future__ import annotations

from domain.preflight import access, cluster, cluster_api, computes, permissions, pools, surroundings
from domain.preflight.check import FAIL, UNKNOWN, WARNING, Check

CHECKS = (
    Check("computeName", "the compute's name follows the rules", FAIL, computes.compute_name),
    Check(
        "existingCompute", "a compute of this name: adopted, different, or of a legacy type", FAIL,
        computes.existing_compute,
    ),
    Check("clusterSubscription", "cluster and workspace are in one subscription", FAIL, cluster.subscription),
    Check("clusterPower", "the cluster runs (Azure Arc: is connected)", FAIL, cluster.power),
    Check("clusterState", "the cluster's last operation succeeded", FAIL, cluster.state),
    Check("clusterIdentity", "managed identity, not a service principal", FAIL, cluster.cluster_identity),
    Check(
        "kubernetesVersion", "1.25 or later (else fail) and offered by the region, previews included", FAIL,
        cluster.kubernetes_version,
    ),
    Check("podIdentity", "no Microsoft Entra pod identity", FAIL, cluster.pod_identity),
    Check("localAccounts", "local accounts, or trusted access for the workspace", WARNING, cluster.local_accounts),
    Check(
        "authorizedIpRanges", "no authorised IP ranges, or trusted access for the workspace", WARNING,
        cluster.authorized_ip_ranges,
    ),
    Check("nodePools", "a Linux pool on x86-64 that takes pods", FAIL, pools.node_pools),
    Check(
        "componentCapacity", "room for the extension: 4 vCPU and 14 GB, for devTest 4 vCPU and 8 GB", WARNING,
        pools.component_capacity,
    ),
    Check(
        "purposeCapacity", "room for what the cluster is for: 12 vCPU, for devTest 2", WARNING, pools.purpose_capacity
    ),
    Check(
        "gpuInstanceTypes", "GPU nodes (else fail) and device plug-in, when instance types ask for GPUs", FAIL,
        pools.gpu_instance_types, pools.asks_for_gpus,
    ),
    Check(
        "kubernetesApi", "the app reaches the cluster's API and is let in", UNKNOWN, cluster_api.cluster_api,
        cluster_api.asks_for_objects,
    ),
    Check("namespace", "the compute's namespace: exists, or is to be made", FAIL, cluster_api.namespace),
    Check(
        "instanceTypes", "instance types asked for: none is another's and different", FAIL, cluster_api.instance_types
    ),
    Check(
        "legacyObjects", "leftovers of azureml-fe from Azure Machine Learning v1", FAIL, cluster_api.legacy_objects,
        cluster_api.cleans_up,
    ),
    Check("openShift", "OpenShift: security context constraints", UNKNOWN, pools.open_shift),
    Check(
        "providers", "resource providers registered, or registration asked for", FAIL, surroundings.providers,
        surroundings.registers,
    ),
    Check("workspaceIdentity", "one identity that the workspace acts as", WARNING, surroundings.workspace_identity),
    Check(
        "workspaceRoles", "roles of the workspace's user-assigned identity on the cluster and its relay", FAIL,
        access.workspace_roles,
    ),
    Check("extension", "the extension: missing, as asked for, or different", FAIL, surroundings.extension),
    Check(
        "keyVaultSecrets", "secrets in Key Vault that the extension gets: present, readable, and fit to be used", FAIL,
        access.key_vault_secrets, access.takes_secrets,
    ),
    Check("appPermissions", "the app's own identity may do what is needed", FAIL, permissions.app_permissions),
    Check("outbound", "hosts and proxy on the way out of the cluster", UNKNOWN, surroundings.outbound),
)  # fmt: skip

# Checks of the extension's settings against the cluster (domain/extension/checks.py), made when the extension
# is to be installed or changed.
SETTINGS_CHECKS = (
    "existingPrometheusOperator",
    "existingVolcano",
    "gpuNodes",
    "insecureConnections",
    "internalLoadBalancer",
    "internalLoadBalancerWithTls",
    "nodeSelector",
    "nvidiaDevicePlugin",
    "routerHighAvailability",
    "settingWithoutEffect",
    "smallCluster",
    "tlsSecretInCluster",
    "twoCertificates",
    "unknownSetting",
)
CHECK_NAMES = frozenset({*(check.name for check in CHECKS), *SETTINGS_CHECKS})
