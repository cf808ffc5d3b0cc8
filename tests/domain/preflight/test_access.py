"""The workspace's identity and the vault: what worries the checks, and near misses that pass."""

from __future__ import annotations

import pytest

from domain.access.roles import Seen, workspace_needs
from domain.preflight.access import takes_secrets, workspace_roles
from domain.preflight.facts import ExtensionFacts, Unread, VaultFacts
from domain.preflight.table import run_checks
from domain.problems import Problem
from tests.domain.preflight.case import Case, assert_judged, untested
from tests.domain.preflight.clusters import (
    CLUSTER_ID,
    DOWN,
    USER,
    facts,
)

SECRET = {"extension": {"configurationProtectedSettings": {"a": "https://kv.vault.azure.net/secrets/a"}}}
NO_SECRET = Problem(code="SecretNotFound", message="There is no secret a.", remedy="Make it.", command="az keyvault")
NEEDS = workspace_needs("p-1", CLUSTER_ID, None)


CASES = (
    Case("workspaceKind", "a workspace", facts(workspace={"kind": "Default"}), "pass"),
    Case("workspaceKind", "of a time without kinds", facts(workspace={}), "pass"),
    Case("workspaceKind", "a hub", facts(workspace={"kind": "Hub"}), "warning", "a hub"),
    Case("workspaceKind", "a project", facts(workspace={"kind": "project"}), "warning", "a project of a hub"),
    Case("workspaceKind", "a feature store", facts(workspace={"kind": "FeatureStore"}), "warning", "a feature store"),
    Case("workspaceKind", "a kind of tomorrow", facts(workspace={"kind": "Studio"}), "unknown", "Studio"),
    Case("workspaceKind", "cannot be read", facts(workspace=DOWN), "unknown", "503"),
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
    Case("keyVaultSecrets", "not there", facts(secrets=VaultFacts(("a",), NO_SECRET)), "fail", "no secret"),
    Case("keyVaultSecrets", "there", facts(secrets=VaultFacts(("sslKeyPemFile",))), "pass", "sslKeyPemFile"),
    Case("keyVaultSecrets", "vault does not answer", facts(secrets=DOWN), "unknown"),
    Case("keyVaultSecrets", "vault does not answer, needed", facts(secrets=DOWN, request=SECRET), "fail", "depends"),
    Case(
        "keyVaultSecrets", "vault does not answer, not needed",
        facts(secrets=DOWN, request=SECRET, extension=ExtensionFacts()), "unknown",
    ),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.check}: {c.name}")
def test_a_check(case: Case) -> None:
    assert_judged(case)


def test_every_check_has_a_worry_and_a_near_miss() -> None:
    assert untested("domain.preflight.access", CASES) == set()


@pytest.mark.parametrize(
    ("extension", "sent"),
    [(ExtensionFacts(change="installed"), True), (DOWN, True), (ExtensionFacts(), False)],
)
def test_secrets_are_sent_with_a_change_of_the_extension_only(extension: ExtensionFacts | Unread, sent: bool) -> None:
    assert takes_secrets(facts(request=SECRET, extension=extension)) is sent
    assert not takes_secrets(facts(extension=extension))


def test_the_command_grants_every_missing_role_to_the_workspaces_identity() -> None:
    judged = workspace_roles(facts(workspace_roles=Seen(NEEDS[:1], NEEDS[1:])))
    assert "principal p-1" in judged.message
    assert str(judged.command).count("az role assignment create --assignee-object-id p-1") == len(NEEDS) - 1


@pytest.mark.parametrize(("kind", "outcome"), [("Hub", "warning"), ("Project", "warning"), ("FeatureStore", "warning")])
def test_r28_a_workspace_of_another_kind_is_said(kind: str, outcome: str) -> None:
    found = {f.check: f for f in run_checks(facts(workspace={"location": "westeurope", "kind": kind}))}
    assert (found["workspaceKind"].outcome, found["workspaceKind"].remedy is None) == (outcome, False)
