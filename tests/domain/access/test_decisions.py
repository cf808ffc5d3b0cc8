from __future__ import annotations

from typing import Any

import pytest

from domain.access.decisions import NEEDS_IDENTITY, NOT_ALLOWED, has_role, is_system, refusals, relay_allowed
from domain.access.principal import ROLES, KeyHolder
from domain.access.roles import BUILT_IN
from domain.requests.parsing import parse_request, request_to_json
from tests.domain.access.policies import ADA, GRACE, GROUPS, IDENTITY, PIPELINE, entry_with, example, parsed, person
from tests.domain.access.test_privileges import ASKS
from tests.making import CLUSTER_ID, SUB, WORKSPACE_ID

OPERATOR = person("operator", "privileged")
FOREIGN = CLUSTER_ID.replace("/rg/", "/elsewhere/")
VAULT = "https://team-tls.vault.azure.net/secrets/relay"


def attach(**more: Any) -> dict[str, Any]:
    body = {"workspaceId": WORKSPACE_ID, "clusterId": CLUSTER_ID, "computeName": "gpu", **more}
    return request_to_json(parse_request("attach", body))


def found(request: dict[str, Any], caller: Any = OPERATOR, kind: str = "attach", **policy: Any) -> dict[str, str]:
    return {v.target: v.code for v in refusals(entry_with(**policy), kind, request, caller)}


def settings(**given: str) -> dict[str, Any]:
    return {"extension": {"configurationSettings": {"enableTraining": True, **given}}}


def protected(**given: str) -> dict[str, Any]:
    return {"extension": {"configurationProtectedSettings": given}}


def test_a_request_within_the_policy_is_allowed() -> None:
    assert found(attach()) == {}
    assert (
        found(attach(namespace="ml-vision", identity={"type": "UserAssigned", "userAssignedIdentityId": IDENTITY}))
        == {}
    )


@pytest.mark.parametrize(
    ("request_", "where"),
    [
        ({"clusterId": FOREIGN}, "/clusterId"),
        ({"namespace": "team"}, "/namespace"),
        ({"namespace": "kube-system"}, "/namespace"),
        (
            {"identity": {"type": "UserAssigned", "userAssignedIdentityId": IDENTITY + "2"}},
            "/identity/userAssignedIdentityId",
        ),
        (settings(**{"image.repository": "evil.example/x"}), "/extension/configurationSettings/image.repository"),
        (settings(**{"chart.one.two": "x"}), "/extension/configurationSettings/chart.one.two"),
    ],
)
def test_what_the_policy_does_not_list_is_refused(request_: dict[str, Any], where: str) -> None:
    assert found(attach(**request_)) == {where: NOT_ALLOWED}


def test_nothing_is_allowed_by_an_entry_that_lists_nothing() -> None:
    nothing: dict[str, Any] = {key: [] for key in ("clusters", "namespaces", "secrets", "identities", "grantableRoles")}
    asked = attach(grantRoles=True, **protected(relayServerConnectionString=VAULT))
    places = {
        "/clusterId",
        "/namespace",
        "/grantRoles",
        "/extension/configurationProtectedSettings/relayServerConnectionString",
    }
    privileged = {"operator": [f"user:{ADA}"], "privileged": [f"user:{ADA}"]}
    assert {*found(asked, who=privileged, **nothing)} == places


def test_documented_settings_and_listed_ones_are_free() -> None:
    named = {"amloperator.skipResourceValidation": "true", "nodeSelector.kubernetes.io/os": "linux", "chart.one": "x"}
    assert found(attach(**settings(**named))) == {}


def test_secrets_are_those_of_the_listed_vaults_and_under_known_names_only() -> None:
    privileged = {"privileged": [f"user:{ADA}"]}
    assert found(attach(**protected(relayServerConnectionString=VAULT)), who=privileged) == {}
    other = "https://other.vault.azure.net/secrets/relay"
    asked = attach(**protected(relayServerConnectionString=other, **{"image.pullSecret": VAULT}))
    below = "/extension/configurationProtectedSettings"
    assert found(asked, who=privileged) == {
        f"{below}/relayServerConnectionString": NOT_ALLOWED,
        f"{below}/image.pullSecret": NOT_ALLOWED,
    }


def test_a_relay_in_the_settings_has_to_be_listed() -> None:
    namespace = f"{GROUPS}/edge/providers/Microsoft.Relay/namespaces/shared"
    name = "relayserver.hybridConnectionResourceID"
    where = f"/extension/configurationSettings/{name}"
    request = {"extension": {"configurationSettings": {name: f"{namespace}/hybridConnections/one"}}}
    assert found(request) == {where: NOT_ALLOWED}
    assert found(request, relays=[namespace]) == {}
    assert found({"extension": {"configurationSettings": {name: "https://evil.example"}}}, relays=[namespace]) == {
        where: NOT_ALLOWED
    }
    assert not relay_allowed(entry_with(relays=[namespace]), namespace + "2")


def test_every_role_that_may_come_to_be_granted_has_to_be_grantable_by_name_or_id() -> None:
    who = {"privileged": [f"user:{ADA}"]}
    asked = attach(grantRoles=True, identity={"type": "SystemAssigned"})
    for names in ([role.name.upper() for role in BUILT_IN], [role.id for role in BUILT_IN]):
        assert found(asked, who=who, grantableRoles=names) == {}
        without = [name for name, role in zip(names, BUILT_IN, strict=True) if role.name != "AcrPull"]
        assert found(asked, who=who, grantableRoles=without) == {"/grantRoles": NOT_ALLOWED}
    assert found(attach(grantRoles=True), who=who, grantableRoles=["Owner"]) == {"/grantRoles": NOT_ALLOWED}


@pytest.mark.parametrize("name", [*ASKS])
def test_a_privileged_option_needs_the_role_and_a_name(name: str) -> None:
    request, where = ASKS[name]
    everything = [role.id for role in BUILT_IN]
    callers = (person("operator"), OPERATOR, None, KeyHolder())
    codes = [found(request, caller, grantableRoles=everything).get(where) for caller in callers]
    assert codes == [NOT_ALLOWED, NOT_ALLOWED, NOT_ALLOWED, NEEDS_IDENTITY]
    secrets: Any = ["https://team-tls.vault.azure.net/secrets/*"]
    who = {"privileged": ["*"]}
    allowed = found(request, OPERATOR, who=who, grantableRoles=everything, secrets=secrets)
    assert where not in allowed
    assert where not in found(request, KeyHolder(frozenset({name})), grantableRoles=everything)
    # The token's role is the ceiling, and a key gets what the policy lists, no more.
    assert found(request, person("operator"), who=who)[where] == NOT_ALLOWED
    assert found({**request, "namespace": "team"}, KeyHolder(frozenset({name})))["/namespace"] == NOT_ALLOWED


@pytest.mark.parametrize("role", ROLES)
def test_a_role_holds_where_token_and_policy_both_give_it(role: str) -> None:
    me = person(role)
    group = "7d9f0000-0000-4000-8000-0000000000aa"
    assert has_role(entry_with(who={role: [f"user:{ADA}"]}), me, role)
    assert has_role(entry_with(who={role: [f"user:{ADA.upper()}"]}), me, role)
    assert has_role(entry_with(who={role: ["*"]}), me, role)
    assert has_role(entry_with(who={role: [f"group:{group}"]}), person(role, groups=(group,)), role)
    assert not has_role(entry_with(who={role: [f"user:{GRACE}"]}), me, role)
    assert not has_role(entry_with(who={role: [f"app:{ADA}", f"group:{ADA}"]}), me, role)
    assert not has_role(entry_with(who={}), me, role)
    assert not has_role(entry_with(who={key: ["*"] for key in ROLES}), person(), role)


def test_roles_include_reading_and_an_approver_is_no_operator() -> None:
    entry = entry_with(who={key: ["*"] for key in ROLES})
    roles = {given: {role for role in ROLES if has_role(entry, person(given), role)} for given in ROLES}
    assert roles == {
        "reader": {"reader"},
        "operator": {"reader", "operator"},
        "approver": {"reader", "approver"},
        "privileged": {"reader", "operator", "privileged"},
    }


def test_the_lesser_of_token_and_policy_counts() -> None:
    assert not has_role(entry_with(who={"reader": ["*"]}), person("privileged"), "operator")
    assert not has_role(entry_with(who={"privileged": ["*"]}), person("reader"), "operator")
    assert has_role(entry_with(who={"privileged": ["*"]}), person("operator"), "operator")


def test_the_holder_of_a_key_is_an_operator_whatever_who_says() -> None:
    entry = entry_with(who={})
    assert [role for role in ROLES if has_role(entry, KeyHolder(), role)] == ["reader", "operator"]


def test_an_application_approves_only_where_it_is_listed() -> None:
    pipeline = person("approver", object_id=PIPELINE, groups=(GRACE,), kind="app")
    assert not has_role(entry_with(who={"approver": ["*", f"group:{GRACE}"]}), pipeline, "approver")
    assert has_role(entry_with(who={"approver": [f"app:{PIPELINE}"]}), pipeline, "approver")
    assert not has_role(
        entry_with(who={"approver": [f"app:{PIPELINE}"]}), person("reader", object_id=PIPELINE, kind="app"), "approver"
    )


@pytest.mark.parametrize(
    "name", ["kube-system", "kube-public", "gatekeeper-system", "azureml", "azure-arc", "aks-command", "openshift-etcd"]
)
def test_namespaces_of_the_system_are_refused_whatever_the_policy_lists(name: str) -> None:
    assert is_system(name)
    assert found(attach(namespace=name), namespaces=["*", name]) == {"/namespace": NOT_ALLOWED}


@pytest.mark.parametrize("name", ["default", "azure-ml-team", "systems", "kube", "arc-welding", "ml"])
def test_other_namespaces_are_not_of_the_system(name: str) -> None:
    assert not is_system(name)


def test_subscriptions_are_not_mixed_up() -> None:
    there = CLUSTER_ID.replace(SUB, SUB[:-1] + "6")
    assert found({"clusterId": there}) == {"/clusterId": NOT_ALLOWED}


EXAMPLE_SUB = "0c0ffee0-0000-4000-8000-000000000001"
OF_EXAMPLE = f"/subscriptions/{EXAMPLE_SUB}/resourceGroups"
AKS_OF_EXAMPLE, ARC_OF_EXAMPLE = (
    "providers/Microsoft.ContainerService/managedClusters/c1",
    "providers/Microsoft.Kubernetes/connectedClusters/e1",
)
OPERATORS, PIPELINE_ID, APPROVERS, CHIEF = (f"7d9f0000-0000-4000-8000-00000000000{digit}" for digit in "abcd")


@pytest.mark.parametrize(
    ("changes", "caller", "targets"),
    [
        ({}, person("operator", groups=(OPERATORS,)), set()),
        ({}, person("operator", object_id=PIPELINE_ID, kind="app"), set()),
        ({}, None, set()),
        ({"clusterId": f"{OF_EXAMPLE}/edge/{ARC_OF_EXAMPLE}"}, None, set()),
        ({"clusterId": f"{OF_EXAMPLE}/aks-1/{ARC_OF_EXAMPLE}"}, None, {"/clusterId"}),
        ({"clusterId": f"{OF_EXAMPLE}/other/{AKS_OF_EXAMPLE}"}, None, {"/clusterId"}),
        ({"namespace": "ml-vision"}, None, set()),
        ({"namespace": "vision"}, None, {"/namespace"}),
        ({"grantRoles": True}, person("operator", groups=(OPERATORS,)), {"/grantRoles"}),
        # Of AKS the role Azure Kubernetes Service Cluster Admin Role may be needed, which the example does not list.
        ({"grantRoles": True}, person("privileged", object_id=CHIEF), {"/grantRoles"}),
        ({"registerProviders": True}, person("privileged", object_id=CHIEF), set()),
        ({"registerProviders": True}, None, {"/registerProviders"}),
        (
            {"extension": {"configurationProtectedSettings": {"sslKeyPemFile": VAULT}}},
            person("privileged", object_id=CHIEF),
            set(),
        ),
        (
            {"extension": {"configurationProtectedSettings": {"sslKeyPemFile": VAULT.replace("team", "any")}}},
            person("privileged", object_id=CHIEF),
            {"/extension/configurationProtectedSettings/sslKeyPemFile"},
        ),
        ({"extension": {"configurationSettings": {"amloperator.skipResourceValidation": "true"}}}, None, set()),
        (
            {"extension": {"configurationSettings": {"amloperator.other": "true"}}},
            None,
            {"/extension/configurationSettings/amloperator.other"},
        ),
    ],
)  # fmt: skip
def test_the_example_of_the_contract_decides_as_its_text_means(
    changes: dict[str, Any], caller: Any, targets: set[str]
) -> None:
    """Without ``create``, which this release refuses by name when it reads the policy."""
    policy = parsed(example())
    workspace = f"{OF_EXAMPLE}/ml-1/providers/Microsoft.MachineLearningServices/workspaces/any"
    entry = policy.entry_of(workspace)
    assert entry is not None
    assert policy.entry_of(workspace.replace("ml-1", "other")) is None
    cluster = f"{OF_EXAMPLE}/aks-1/{AKS_OF_EXAMPLE}"
    request = {"workspaceId": workspace, "clusterId": cluster, "namespace": "default", **changes}
    assert {violation.target for violation in refusals(entry, "attach", request, caller)} == targets


def test_the_roles_of_the_example_are_those_that_it_names() -> None:
    entry = parsed(example()).workspaces[0]
    everything = ("reader", "operator", "approver", "privileged")
    having = {
        "anybody": person(*everything),
        "the operators": person(*everything, groups=(OPERATORS,)),
        "the pipeline": person(*everything, object_id=PIPELINE_ID, kind="app"),
        "a user of the pipeline's id": person(*everything, object_id=PIPELINE_ID),
        "the approvers": person(*everything, groups=(APPROVERS,)),
        "an application of the approvers": person(*everything, groups=(APPROVERS,), kind="app"),
        "the chief": person(*everything, object_id=CHIEF),
    }
    assert {who: {role for role in everything if has_role(entry, caller, role)} for who, caller in having.items()} == {
        "anybody": {"reader"},
        "the operators": {"reader", "operator"},
        "the pipeline": {"reader", "operator"},
        "a user of the pipeline's id": {"reader"},
        "the approvers": {"reader", "approver"},
        "an application of the approvers": {"reader"},
        "the chief": {"reader", "operator", "privileged"},
    }
