from __future__ import annotations

from typing import Any

import pytest

from domain.compute.attachment import (
    KEPT_TLS_SECRET,
    LEGACY_TLS_SECRET,
    Attachment,
    command,
    merge,
    postable,
    protected_lost,
)
from domain.requests.models import AttachRequest
from domain.requests.parsing import parse_request, request_to_json

GROUP = "/subscriptions/0c0ffee0-0000-4000-8000-000000000001/resourceGroups/rg/providers"
WORKSPACE = f"{GROUP}/Microsoft.MachineLearningServices/workspaces/ws"
CLUSTER = f"{GROUP}/Microsoft.ContainerService/managedClusters/aks"
USER, OTHER = (f"{GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/{name}" for name in ("one", "two"))
LIMITS = {"cpu": "2", "memory": "4Gi"}
BODY = {"workspaceId": WORKSPACE, "computeName": "gpu"}
TYPE = {"nodeSelector": {"pool": "gpu"}, "resources": {"requests": LIMITS, "limits": LIMITS}}
COMPUTE: dict[str, Any] = {
    "tags": {"team": "vision"},
    "identity": {"type": "SystemAssigned", "principalId": "p"},
    "properties": {
        "computeType": "Kubernetes",
        "description": "the pool",
        "properties": {"namespace": "training", "defaultInstanceType": "big", "instanceTypes": {"big": TYPE}},
    },
}
SETTINGS = {"enableTraining": "True", "enableInference": "False", "cluster_name": CLUSTER, "domain": "x", "own": "y"}
TLS = {"enableInference": "True", "inferenceRouterServiceType": "LoadBalancer", "sslCname": "a.example"}
SMALL = {"name": "small", "nodeSelector": {}, "resources": {"requests": LIMITS, "limits": LIMITS}}
BOTH_KINDS = {"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": {USER: {}}}
INSECURE = {"enableInference": True, "allowInsecureConnections": True}
MODES = {"enableTraining": "True", "enableInference": "False", "own": "y"}
SECRETS = {
    "sslCertPemFile": "https://vault.vault.azure.net/secrets/cert",
    "sslKeyPemFile": "https://vault.vault.azure.net/secrets/key",
}


def extension(**settings: str) -> dict[str, Any]:
    return {
        "name": "azureml",
        "properties": {"releaseTrain": "stable", "configurationSettings": {**SETTINGS, **settings}},
    }


def merged(more: dict[str, Any] | None = None, **there: Any) -> Any:
    """An accepted request with these changes, against the attachment as it is."""
    there = {"compute": COMPUTE, "extension": extension(), **there}
    request = request_to_json(parse_request("reattach", {**BODY, **(more or {})}))
    return merge(request, Attachment(cluster_id=CLUSTER, **there))


def test_nothing_asked_is_the_same_thing_again() -> None:
    result = merged()
    assert result.refused == ()
    assert result.kept_types == {"big": TYPE}
    assert result.request == {
        **BODY,
        "clusterId": CLUSTER,
        "namespace": "training",
        "createNamespace": False,
        "description": "the pool",
        "tags": {"team": "vision"},
        "identity": {"type": "SystemAssigned"},
        "defaultInstanceType": "big",
        "registerProviders": False,
        "cleanupLegacy": False,
        "grantRoles": False,
        "smokeTest": "none",
        "onFailure": "keep",
        "extension": {
            "manage": "require",
            "name": "azureml",
            "releaseTrain": "stable",
            "configurationSettings": {"enableTraining": "True", "enableInference": "False", "own": "y"},
            "configurationProtectedSettings": {},
        },
    }
    body = postable(result.request, result.kept_types)
    assert body["instanceTypes"] == [{"name": "big", **TYPE}]
    assert isinstance(parse_request("attach", body), AttachRequest)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"description": "other"}, {"description": "other"}),
        ({"tags": {}}, {"tags": None}),
        ({"tags": {"a": "b"}}, {"tags": {"a": "b"}}),
        (
            {"identity": {"type": "UserAssigned", "userAssignedIdentityId": USER}},
            {"identity": {"type": "UserAssigned", "userAssignedIdentityId": USER}},
        ),
        ({"defaultInstanceType": "small"}, {"defaultInstanceType": "small"}),
        ({"instanceTypes": [SMALL]}, {"instanceTypes": [SMALL]}),
        ({"grantRoles": True, "cleanupLegacy": True}, {"grantRoles": True, "cleanupLegacy": True, "onFailure": "keep"}),
    ],
)  # fmt: skip
def test_what_is_named_changes_and_the_rest_stays(more: dict[str, Any], expected: dict[str, Any]) -> None:
    result = merged(more)
    assert result.refused == ()
    assert {name: result.request.get(name) for name in expected} == expected
    same = merged().request
    assert {k: v for k, v in result.request.items() if k not in expected} == {
        k: v for k, v in same.items() if k not in expected
    }


@pytest.mark.parametrize(
    ("changes", "there", "expected"),
    [
        # The rest of what is set stays, and what is there is brought in line.
        ({"installPromOp": False}, {}, ("update", {**MODES, "installPromOp": "False"})),
        ({"enableTraining": True}, None, ("ensure", {"enableTraining": "True"})),
        ({**TLS, "sslSecret": "mine"}, {}, ("update", {**MODES, **TLS, "sslSecret": "mine"})),
        # TLS from protected settings shows nowhere: a change of something else is not asked for it.
        (
            {"inferenceRouterHA": False},
            TLS,
            ("update", {**MODES, **TLS, "inferenceRouterHA": "False"}),
        ),
    ],
)  # fmt: skip
def test_settings_of_the_extension(
    changes: dict[str, Any], there: dict[str, str] | None, expected: tuple[str, dict[str, str]]
) -> None:
    found = extension(**there) if there is not None else None
    result = merged({"extension": {"configurationSettings": changes}}, extension=found)
    assert result.refused == ()
    wanted = result.request["extension"]
    assert (wanted["manage"], wanted["configurationSettings"]) == expected


def test_what_may_be_a_secret_is_named_and_not_kept() -> None:
    result = merged(extension=extension(**{"proxy.password": "open sesame", "nginx.replicas": "2"}))
    assert result.request["extension"]["configurationSettings"] == {**MODES, "nginx.replicas": "2"}
    assert result.left_out == ("proxy.password",)


def test_a_pinned_version_is_kept() -> None:
    found = extension()
    found["properties"] |= {"version": "1.1.80", "autoUpgradeMinorVersion": False}
    assert merged(extension=found).request["extension"]["version"] == "1.1.80"
    found["properties"]["autoUpgradeMinorVersion"] = True
    assert "version" not in merged(extension=found).request["extension"]


@pytest.mark.parametrize(
    ("settings", "listed", "expected"),
    [
        (TLS, {}, {*SECRETS, "own.secret"}),
        (TLS, {"scoringFe.sslCert": "", "scoringFe.sslKey": ""}, {*SECRETS}),
        ({**TLS, "sslSecret": "mine"}, {}, {"own.secret"}),
        ({**TLS, "scoringFe.sslSecret": "mine"}, {}, {"own.secret"}),
        ({**TLS, "allowInsecureConnections": "True"}, {}, {"own.secret"}),
        ({}, {"own.secret": ""}, {"own.secret"}),
    ],
    ids=["router", "not there any more", "secret by name", "as ARM has it", "insecure", "training"],
)
def test_protected_settings_that_moor_sent_are_kept_by_reference(
    settings: dict[str, str], listed: dict[str, str], expected: set[str]
) -> None:
    found = extension(**settings)
    found["properties"]["configurationProtectedSettings"] = listed
    own = "https://vault.vault.azure.net/secrets/own"
    result = merged(extension=found, sent={**SECRETS, "own.secret": own})
    assert {*result.request["extension"]["configurationProtectedSettings"]} == expected
    assert result.refused == ()


def test_manage_is_as_asked() -> None:
    settings = {"configurationSettings": {"installPromOp": False}}
    assert merged({"extension": {"manage": "ensure", **settings}}).request["extension"]["manage"] == "ensure"
    assert merged({"extension": {"manage": "require"}}).request["extension"]["manage"] == "require"


@pytest.mark.parametrize(
    ("more", "there", "reason"),
    [
        ({"extension": {"configurationSettings": INSECURE}}, {}, "inferenceRouterServiceType"),
        ({"extension": {"configurationSettings": {"enableTraining": False}}}, {}, "must be true"),
        ({}, {"compute": {**COMPUTE, "identity": BOTH_KINDS}}, "/identity"),
        ({}, {"compute": {"properties": {"computeType": "AKS"}}, "extension": None}, "a compute of v1"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(more: dict[str, Any], there: dict[str, Any], reason: str) -> None:
    refused = merged(more, **there).refused
    assert len(refused) == 1
    assert reason in refused[0]


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        ({}, None),
        ({"type": "None"}, None),
        ({"type": "SystemAssigned"}, {"type": "SystemAssigned"}),
        (
            {"type": "UserAssigned", "userAssignedIdentities": {USER: {}, OTHER: {}}},
            {"type": "UserAssigned", "userAssignedIdentityId": USER},
        ),
    ],
)
def test_the_identity_is_kept(identity: dict[str, Any], expected: dict[str, str] | None) -> None:
    assert merged(compute={**COMPUTE, "identity": identity}).request.get("identity") == expected


CNAME = {"sslConfiguration": {"cname": "v1.example"}}
LEGACY = {"properties": {"computeType": "AKS", "properties": CNAME}}
ROUTER = {"enableInference": True, "inferenceRouterServiceType": "loadBalancer"}
FROM_V1, OWN = extension(**TLS, sslSecret=LEGACY_TLS_SECRET), extension(**TLS, sslSecret="mine")
V1 = {"compute": LEGACY, "extension": None, "legacy_tls": True}


@pytest.mark.parametrize(
    ("more", "there", "expected"),
    [
        ({"cleanupLegacy": True, "extension": {"configurationSettings": ROUTER}}, V1, (KEPT_TLS_SECRET, "v1.example")),
        ({"cleanupLegacy": True}, {"extension": FROM_V1}, (KEPT_TLS_SECRET, "a.example")),
        ({"cleanupLegacy": True}, {"extension": OWN, "legacy_tls": True}, ("mine", "a.example")),
        ({"cleanupLegacy": True}, {"extension": extension(**TLS), "legacy_tls": True}, (None, "a.example")),
        ({}, {"extension": FROM_V1}, (LEGACY_TLS_SECRET, "a.example")),
        ({"cleanupLegacy": True}, {"legacy_tls": True}, (None, None)),
        (
            {"extension": {"configurationProtectedSettings": SECRETS}},
            {"extension": OWN},
            (None, "a.example"),
        ),
    ],
    ids=["v1's is adopted", "v1's is copied", "another stays", "protected", "no clean-up", "training only", "given"],
)  # fmt: skip
def test_tls_is_kept_by_reference(
    more: dict[str, Any], there: dict[str, Any], expected: tuple[str | None, str | None]
) -> None:
    result = merged(more, **there)
    settings = result.request["extension"]["configurationSettings"]
    assert result.refused == ()
    assert (settings.get("sslSecret"), settings.get("sslCname")) == expected


def test_a_compute_of_v1_becomes_one_of_kubernetes() -> None:
    request = merged({"extension": {"configurationSettings": {"enableTraining": True}}}, compute=LEGACY, extension=None)
    assert request.request["namespace"] == "default"
    assert request.request["extension"]["manage"] == "ensure"


@pytest.mark.parametrize(
    ("before", "after", "known", "sent", "lost"),
    [
        (TLS, TLS, set(), set(), ()),
        (TLS, TLS, set(), {"custom"}, ("sslCertPemFile", "sslKeyPemFile")),
        (TLS, TLS, set(), {"sslCertPemFile", "sslKeyPemFile"}, ()),
        (TLS, {**TLS, "sslSecret": "mine"}, set(), {"custom"}, ()),
        ({**TLS, "sslSecret": "mine"}, TLS, set(), {"custom"}, ()),
        (SETTINGS, SETTINGS, {"mine", "other"}, {"other"}, ("mine",)),
        (SETTINGS, SETTINGS, {"mine"}, set(), ()),
    ],
)
def test_protected_settings_that_would_be_lost(
    before: dict[str, str], after: dict[str, str], known: set[str], sent: set[str], lost: tuple[str, ...]
) -> None:
    assert protected_lost(before, after, frozenset(known), frozenset(sent)) == lost


def test_the_command_attaches_the_same() -> None:
    line = command(merged({"identity": {"type": "UserAssigned", "userAssignedIdentityId": USER}}).request)
    assert line.startswith(
        f"az ml compute attach --type Kubernetes --name gpu --resource-id {CLUSTER} --namespace training"
    )
    assert f"--identity-type UserAssigned --user-assigned-identities {USER}" in line
    assert "--workspace-name ws --resource-group rg" in line
