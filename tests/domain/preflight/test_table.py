"""What comes of findings: hard checks, settings of the extension, and the problem that stops an operation."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from domain.operation.outcomes import Finding
from domain.preflight.facts import ExtensionFacts, Unread
from domain.preflight.table import CHECKS, SETTINGS_CHECKS, refusal, run_checks
from tests.domain.preflight.clusters import GOOD, cluster, facts

ROOT = Path(__file__).parents[3]


def test_findings_of_the_extensions_settings_are_told_too_and_can_be_hard() -> None:
    soft = Finding("smallCluster", "warning", "The cluster has two nodes.")
    given = facts(extension=ExtensionFacts(change="installed", findings=(soft,)))
    assert soft in run_checks(given)
    assert [f.outcome for f in run_checks(given, {"smallCluster"}) if f.check == "smallCluster"] == ["fail"]


def test_the_problem_names_the_first_cause_and_counts_the_rest() -> None:
    given = facts(
        cluster=cluster(
            powerState={"code": "Stopped"},
            podIdentityProfile={"enabled": True},
            servicePrincipalProfile={"clientId": "4f2e"},
        )
    )
    problem = refusal(run_checks(given), {})
    assert problem is not None
    assert problem.code == "PreflightFailed"
    assert problem.message.startswith("The cluster aks is Stopped")
    assert problem.message.endswith("(2 more: clusterIdentity, podIdentity)")
    subscription = given.cluster_id.subscription
    assert problem.command == f"az aks start --name aks --resource-group rg --subscription {subscription}"


def test_one_failure_is_told_without_a_count() -> None:
    problem = refusal([Finding("a", "pass", "well"), Finding("b", "fail", "The cause.", "The remedy.")], {})
    assert problem is not None
    assert (problem.message, problem.remedy) == ("The cause.", "The remedy.")


@pytest.mark.parametrize("outcome", ["pass", "warning", "unknown"])
def test_nothing_else_stops_an_operation(outcome: str) -> None:
    assert refusal([Finding("a", outcome, "m")], {}) is None


def test_nothing_at_all_is_known() -> None:
    """No check raises, none passes for want of facts, and what the request depends on stops it."""
    given = facts(**dict.fromkeys(
        ("workspace", "cluster", "compute", "extension", "kubernetes", "secrets", "sizes", "versions", "providers",
         "trusted_access", "workspace_roles", "workspace_permissions", "cluster_permissions"),
        Unread("403 AuthorizationFailed: no")
    ))  # fmt: skip
    found = {f.check: f.outcome for f in run_checks(given)}
    assert {name for name, outcome in found.items() if outcome == "pass"} == {
        *("callerPermissions", "computeName", "clusterSubscription", "gpuInstanceTypes", "instanceTypes"),
        "typePlacement",
    }
    assert set(found.values()) == {"pass", "unknown"}


def test_names_of_checks_are_unique_and_the_settings_ones_are_those_that_are_made() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    assert not set(names) & set(SETTINGS_CHECKS)
    made = set()
    for node in ast.walk(ast.parse((ROOT / "domain/extension/checks.py").read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("Finding", "_not_installed")
        ):
            first = node.args[0]
            made |= {first.value} if isinstance(first, ast.Constant) else set()
    assert made == set(SETTINGS_CHECKS)


def test_a_faultless_cluster_passes_everything() -> None:
    found = {f.check: f.outcome for f in run_checks(GOOD)}
    assert set(found) == {check.name for check in CHECKS}
    assert {name for name, outcome in found.items() if outcome != "pass"} == {"outbound"}


def test_the_page_of_checks_is_the_table() -> None:
    text = (ROOT / "docs/preflight.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    told = [tuple(part.strip().strip("`") for part in row.strip("|").split("|")) for row in rows]
    assert told == [(c.name, c.worst, c.looks_at) for c in CHECKS]
    settings = text.partition("`MOOR_HARD_CHECKS` may name them:")[2].partition("##")[0]
    assert re.findall(r"`(\w+)`", settings) == list(SETTINGS_CHECKS)
