"""The cluster itself and its network: what worries the checks, and near misses that pass."""

from __future__ import annotations

from typing import Any

import pytest

from domain.preflight.cluster import ML_WORKLOAD, authorized_ip_ranges, is_busy, local_accounts, state
from domain.preflight.facts import Version
from domain.preflight.table import run_checks
from tests.domain.preflight.case import Case, assert_judged, untested
from tests.domain.preflight.clusters import (
    ARC_ID,
    BOUND,
    DOWN,
    OTHER_SUB,
    WORKSPACE_ID,
    cluster,
    facts,
)

OTHER_CLUSTER = facts().cluster_id.__class__(OTHER_SUB, "rg", "Microsoft.ContainerService/managedClusters", "aks")


CASES = (
    Case("clusterSubscription", "another one", facts(cluster_id=OTHER_CLUSTER), "fail", OTHER_SUB),
    Case("clusterSubscription", "another region", facts(cluster={**cluster(), "location": "japaneast"}), "pass"),
    Case("clusterPower", "stopped", facts(cluster=cluster(powerState={"code": "Stopped"})), "fail", "Stopped"),
    Case("clusterPower", "does not say", facts(cluster=cluster(powerState=None)), "pass"),
    Case("clusterPower", "says null", facts(cluster=cluster(powerState={"code": None})), "pass"),
    Case(
        "clusterPower", "starting",
        facts(cluster=cluster(powerState={"code": "Stopped"}, provisioningState="Starting")), "warning", "waits",
    ),
    Case(
        "clusterPower", "Arc, connecting", facts(cluster_id=ARC_ID, cluster=cluster(connectivityStatus="Connecting")),
        "warning", "waits",
    ),
    Case(
        "clusterPower", "Arc, does not say", facts(cluster_id=ARC_ID, cluster=cluster(connectivityStatus=None)),
        "unknown", "does not say",
    ),
    *(
        Case(
            "clusterPower", f"Arc, {status}", facts(cluster_id=ARC_ID, cluster=cluster(connectivityStatus=status)),
            "fail", status,
        )
        for status in ("Expired", "AgentNotInstalled", "offline")
    ),
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
    Case("outbound", "hosts", facts(), "unknown", "w-1.workspace.westeurope.api.azureml.ms"),
    Case(
        "outbound", "proxy",
        facts(cluster=cluster(httpProxyConfig={"httpProxy": "http://p"})), "unknown", "127.0.0.1",
    ),
    Case("outbound", "nothing is known", facts(cluster=DOWN, workspace=DOWN), "unknown", "<region>"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.check}: {c.name}")
def test_a_check(case: Case) -> None:
    assert_judged(case)


def test_a_command_names_the_cluster_as_az_aks_takes_it() -> None:
    """The commands of az aks have no --ids; those of Azure Arc know nothing of AKS."""
    worst = cluster(
        powerState={"code": "Stopped"}, provisioningState="Canceled", currentKubernetesVersion="1.20.1",
        servicePrincipalProfile={"clientId": "4f2e"}, podIdentityProfile={"enabled": True}, disableLocalAccounts=True,
        apiServerAccessProfile={"authorizedIPRanges": ["10.0.0.0/8"]},
    )  # fmt: skip
    commands = [str(f.command) for f in run_checks(facts(cluster=worst)) if "az aks " in str(f.command)]
    assert len(commands) > 6
    assert [each for each in commands if "--ids" in each or "--resource-group rg" not in each] == []
    arc = cluster(connectivityStatus="Offline", provisioningState="Failed", kubernetesVersion="1.20.1")
    found = run_checks(facts(cluster_id=ARC_ID, cluster=arc))
    assert [f for f in found if f.outcome != "unknown" and "az aks" in str(f.command)] == []


def test_every_check_has_a_worry_and_a_near_miss() -> None:
    assert untested("domain.preflight.cluster", CASES) == set()


@pytest.mark.parametrize(
    ("binding", "trusted"),
    [
        (BOUND, True),
        ({"properties": {**BOUND["properties"], "roles": [ML_WORKLOAD.upper()]}}, True),
        (
            {
                "properties": {
                    **BOUND["properties"],
                    "roles": ["Microsoft.MachineLearningServices/workspaces/inference"],
                }
            },
            False,
        ),
        ({"properties": {**BOUND["properties"], "roles": None}}, False),
        ({"properties": None}, False),
    ],
)
def test_trust_is_the_workspaces_by_the_role_of_workloads(binding: dict[str, Any], trusted: bool) -> None:
    judged = local_accounts(facts(cluster=cluster(disableLocalAccounts=True), trusted_access=(binding,)))
    assert (judged.outcome == "pass") is trusted


# https://learn.microsoft.com/azure/aks: states that clusters have been seen in; "Mending" is one that nobody knows.
PASSING = (
    *("Accepted", "Canceled", "Canceling", "Creating", "Deleting", "Migrating", "Provisioning", "Recovering"),
    *("Reconciling", "RotatingClusterCertificates", "Scaling", "Starting", "Stopping", "Updating", "Upgrading"),
    *("UpgradingNodeImageVersion", "Mending"),
)


@pytest.mark.parametrize("said", PASSING)
def test_r1_every_state_but_failed_is_waited_for(said: str) -> None:
    for spelt in (said, said.lower(), said.upper()):
        judged = state(facts(cluster=cluster(provisioningState=spelt)))
        assert (judged.outcome, "an attach waits" in judged.message, is_busy(spelt)) == ("warning", True, True)


@pytest.mark.parametrize(
    ("said", "outcome"),
    [("Failed", "fail"), ("FAILED", "fail"), ("Stopped", "fail"), ("", "unknown"), (None, "unknown")],
)
def test_r1_only_what_failed_or_is_stopped_asks_for_somebody(said: str | None, outcome: str) -> None:
    judged = state(facts(cluster=cluster(provisioningState=said)))
    assert (judged.outcome, is_busy(str(said or ""))) == (outcome, False)


@pytest.mark.parametrize(
    ("region", "hosts", "ranges"),
    [
        (
            "usgovvirginia",
            "w-1.workspace.usgovvirginia.api.ml.azure.us, usgovvirginia.experiments.ml.azure.us, "
            "usgovvirginia.api.ml.azure.us",
            "57063",
        ),
        ("USGov Arizona", "usgovarizona.api.ml.azure.us", "57063"),
        ("usdodcentral", "usdodcentral.experiments.ml.azure.us", "57063"),
        ("chinanorth3", "chinanorth3.experiments.ml.azure.cn, chinanorth3.api.ml.azure.cn", "57062"),
        ("westeurope", "westeurope.experiments.azureml.net, westeurope.api.azureml.ms", "56519"),
        ("southcentralus", "southcentralus.api.azureml.ms", "56519"),
    ],
)
def test_r29_hosts_and_addresses_are_those_of_the_workspaces_cloud(region: str, hosts: str, ranges: str) -> None:
    workspace = {"location": region, "properties": {"workspaceId": "w-1"}}
    (found,) = [f for f in run_checks(facts(workspace=workspace)) if f.check == "outbound"]
    assert hosts in found.message
    assert ("azureml.ms" in found.message + str(found.command)) is (ranges == "56519")
    allowed = cluster(apiServerAccessProfile={"authorizedIPRanges": ["10.0.0.0/8"]})
    assert f"id={ranges})" in str(authorized_ip_ranges(facts(workspace=workspace, cluster=allowed)).remedy)


def test_r37_of_an_arc_cluster_nothing_is_said_that_only_aks_has() -> None:
    arc = {"location": "westeurope", "properties": {
        "provisioningState": "Succeeded", "connectivityStatus": "Connected", "kubernetesVersion": "1.34.1",
        "distribution": "k3s", "totalNodeCount": 3,
    }}  # fmt: skip
    found = {f.check: f.outcome for f in run_checks(facts(cluster_id=ARC_ID, cluster=arc))}
    assert not {"localAccounts", "authorizedIpRanges", "podIdentity"} & {*found}
    pools = ("nodePools", "componentCapacity", "purposeCapacity")
    assert {name: found[name] for name in pools} == dict.fromkeys(pools, "unknown")
    hard = run_checks(facts(cluster_id=ARC_ID, cluster=arc), {"localAccounts", "authorizedIpRanges"})
    assert "fail" not in {f.outcome for f in hard}


def test_what_opens_the_api_keeps_the_ranges_that_are_allowed() -> None:
    ranges = {"authorizedIPRanges": ["10.0.0.0/8", "192.0.2.1/32"]}
    judged = authorized_ip_ranges(facts(cluster=cluster(apiServerAccessProfile=ranges)))
    assert "2 authorised IP ranges" in judged.message
    assert "--api-server-authorized-ip-ranges 10.0.0.0/8,192.0.2.1/32,<" in str(judged.command)
