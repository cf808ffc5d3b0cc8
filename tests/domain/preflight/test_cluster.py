"""The cluster itself and its network: what worries the checks, and near misses that pass."""

from __future__ import annotations

from typing import Any

import pytest

from domain.preflight.cluster import BUSY_STATES, ML_WORKLOAD, authorized_ip_ranges, local_accounts, state
from domain.preflight.facts import Version
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


@pytest.mark.parametrize("state_", sorted(BUSY_STATES))
def test_a_state_that_passes_is_waited_for(state_: str) -> None:
    assert state(facts(cluster=cluster(provisioningState=state_.capitalize()))).outcome == "warning"


def test_what_opens_the_api_keeps_the_ranges_that_are_allowed() -> None:
    ranges = {"authorizedIPRanges": ["10.0.0.0/8", "192.0.2.1/32"]}
    judged = authorized_ip_ranges(facts(cluster=cluster(apiServerAccessProfile=ranges)))
    assert "2 authorised IP ranges" in judged.message
    assert "--api-server-authorized-ip-ranges 10.0.0.0/8,192.0.2.1/32,<" in str(judged.command)
