"""Every check, in the order of the findings in a record, and what comes of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from domain.catalogue.explain import make_problem
from domain.operation.outcomes import Finding
from domain.preflight import (
    access,
    caller,
    cluster,
    cluster_api,
    computes,
    extension,
    permissions,
    pools,
    providers,
)
from domain.preflight.check import FAIL, UNKNOWN, WARNING, Check, cannot_tell, on_aks
from domain.preflight.facts import CannotTell, Facts, Unread
from domain.problems import Problem

# Failures that go by a code of their own, the one under which Azure's false names are explained.
_KNOWN_AS = {"workspaceRoles": "WorkspaceIdentityLacksRole-moor"}

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
    Check("podIdentity", "AKS: no Microsoft Entra pod identity", FAIL, cluster.pod_identity, applies=on_aks),
    Check(
        "localAccounts", "AKS: local accounts, or trusted access for the workspace", WARNING, cluster.local_accounts,
        applies=on_aks,
    ),
    Check(
        "authorizedIpRanges", "AKS: no authorised IP ranges, or trusted access for the workspace", WARNING,
        cluster.authorized_ip_ranges, applies=on_aks,
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
        pools.gpu_instance_types, pools.depends_on_pools,
    ),
    Check(
        "typePlacement", "instance types: a node that is selected, not tainted and large enough", WARNING,
        pools.type_placement,
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
        "providers", "resource providers registered, or registration asked for", FAIL, providers.providers,
        providers.registers,
    ),
    Check("workspaceKind", "a workspace of its own, no hub, project or feature store", WARNING, access.workspace_kind),
    Check("workspaceIdentity", "one identity that the workspace acts as", WARNING, access.workspace_identity),
    Check(
        "workspaceRoles", "roles of the workspace's user-assigned identity on the cluster and its relay", FAIL,
        access.workspace_roles,
    ),
    Check("extension", "the extension: missing, as asked for, or different", FAIL, extension.extension),
    Check(
        "keyVaultSecrets", "secrets in Key Vault that the extension gets: present, readable, and fit to be used", FAIL,
        access.key_vault_secrets, access.takes_secrets,
    ),
    Check("appPermissions", "the app's own identity may do what is needed", FAIL, permissions.app_permissions),
    Check(
        caller.CHECK, "the roles of whoever asked hold what the app does for them", FAIL, caller.caller_permissions
    ),
    Check("outbound", "hosts and proxy on the way out of the cluster", UNKNOWN, cluster.outbound),
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


def run_checks(facts: Facts, hard: Collection[str] = (), checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """A finding of every check, and those of the extension's settings.

    A warning of a check in ``hard`` is a failure. So is what is unknown, of a check in ``hard`` or of one that the
    request depends on: not knowing is no success.
    """
    found = [finding for check in checks if check.applies(facts) for finding in _findings(check, facts, hard)]
    if not isinstance(facts.extension, Unread):
        found += [_hardened(finding, hard) for finding in facts.extension.findings]
    return found


def _findings(check: Check, facts: Facts, hard: Collection[str]) -> Iterator[Finding]:
    try:
        judged = check.judge(facts)
    except CannotTell as why:
        judged = cannot_tell(f"Unknown: {why}.", "Remove the cause, or check it yourself.", _look(facts))
    finding = _hardened(judged.finding(check.name), hard)
    if finding.outcome == UNKNOWN and check.depends(facts):
        finding = replace(finding, outcome=FAIL, message=f"{finding.message} What is asked for depends on it.")
    yield finding


def _hardened(finding: Finding, hard: Collection[str]) -> Finding:
    if finding.check in hard and finding.outcome in (WARNING, UNKNOWN):
        return replace(finding, outcome=FAIL)
    return finding


def _look(facts: Facts) -> str:
    return f"az resource show --ids {facts.cluster_id}"


def refusal(
    findings: Sequence[Finding], words: Mapping[str, str], known: Mapping[str, Problem] | None = None
) -> Problem | None:
    """Why the findings stop the operation: the first failure, and how many more there are. None when none failed.

    ``known`` are problems by the names of the checks that failed with them; they keep their codes and Azure's words.
    """
    failed = [finding for finding in findings if finding.outcome == FAIL]
    if not failed:
        return None
    first, more = failed[0], len(failed) - 1
    rest = f" ({more} more: {', '.join(finding.check for finding in failed[1:])})" if more else ""
    problem = make_problem("PreflightFailed", {**words, "cause": first.message + rest})
    if first.check in _KNOWN_AS:
        problem = replace(make_problem(_KNOWN_AS[first.check], words), message=first.message + rest)
    if known and first.check in known:
        problem = replace(known[first.check], message=first.message + rest)
    return replace(problem, remedy=first.remedy or problem.remedy, command=first.command or problem.command)
