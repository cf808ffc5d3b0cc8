"""Leftovers of Azure ML v1: told in preflight, removed when that is asked for, and nothing besides."""

from __future__ import annotations

from typing import Any

import pytest

from domain.cluster.legacy_objects import LEGACY_OBJECTS
from local.stack import Stack
from tests.scenarios.helpers import Operation, Place, ended, step_of
from tests.scenarios.test_plans import apply, plan, planned

# The very list of the documents (troubleshooting of the extension), written down once more.
LISTED = [
    ("ServiceAccount", "serviceaccounts", "azureml-fe", "default"),
    ("ClusterRole", "clusterroles", "azureml-fe-role", None),
    ("ClusterRoleBinding", "clusterrolebindings", "azureml-fe-binding", None),
    ("Service", "services", "azureml-fe", "default"),
    ("Service", "services", "azureml-fe-int-http", "default"),
    ("Deployment", "deployments", "azureml-fe", "default"),
    ("Secret", "secrets", "azuremlfessl", "default"),
    ("ConfigMap", "configmaps", "azuremlfeconfig", "default"),
]
# Namesakes and neighbours that are not on the list, or are there a second time elsewhere.
OTHERS = [
    ("ServiceAccount", "serviceaccounts", "azureml-fe-2", "default"),
    ("ClusterRole", "clusterroles", "azureml-fe-role-of-mine", None),
    ("Secret", "secrets", "azuremlfessl", "kube-public"),
    ("ConfigMap", "configmaps", "azuremlfeconfig", "kube-public"),
    ("Deployment", "deployments", "azureml-fe", "kube-public"),
]


# What the API demands of objects of these kinds.
_TEMPLATE = {"metadata": {"labels": {"app": "fe"}}, "spec": {"containers": [{"name": "fe", "image": "local/none"}]}}
REQUIRED: dict[str, dict[str, Any]] = {
    "Deployment": {"spec": {"selector": {"matchLabels": {"app": "fe"}}, "template": _TEMPLATE}},
    "ClusterRoleBinding": {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"}},
    "Secret": {"data": {"cert.pem": "bm90aGluZw=="}},
}


def put(stack: Stack, place: Place, objects: list[tuple[str, str, str, str | None]]) -> None:
    for kind, _, name, namespace in objects:
        stack.azure.kubernetes(place.cluster_id).put(kind, name, namespace, **REQUIRED.get(kind, {}))


def there(
    stack: Stack, place: Place, objects: list[tuple[str, str, str, str | None]]
) -> list[tuple[str, str, str, str | None]]:
    cluster = stack.azure.kubernetes(place.cluster_id)
    seen = {plural: cluster.objects(plural) for _, plural, _, _ in objects}
    return [
        each
        for each in objects
        if any(o["metadata"]["name"] == each[2] and o["metadata"].get("namespace") == each[3] for o in seen[each[1]])
    ]


def finding(operation: Operation) -> dict[str, Any]:
    (found,) = [f for f in operation["findings"] if f["check"] == "legacyObjects"]
    return dict(found)


def test_the_list_is_that_of_the_documents() -> None:
    assert {(o.kind, o.plural, o.name, o.namespace) for o in LEGACY_OBJECTS} == {*LISTED}


def test_exactly_the_listed_objects_go(stack: Stack, place: Place) -> None:
    put(stack, place, LISTED + OTHERS)
    body = place.attach_body(cleanupLegacy=True)
    told = plan(stack, "attach", body)
    assert finding(told)["outcome"] == "pass", finding(told)
    removals = [change for change in told["result"]["changes"] if change["step"] == "cleanup_legacy"]
    assert {change["action"] for change in removals} == {"delete"}
    assert len(removals) == len(LISTED)
    assert apply(stack, "attach", body) == planned(told)
    assert there(stack, place, LISTED) == []
    assert there(stack, place, OTHERS) == OTHERS
    operations = stack.app.call("GET", f"/operations?clusterId={place.cluster_id}").body["value"]
    done = next(o for o in operations if not o["planOnly"])
    assert "8 removed" in step_of(stack.app.operation(done["id"]), "cleanup_legacy")["detail"]
    journal = [e for e in stack.app.journal(done["id"]) if (e["step"], e["event"]) == ("cleanup_legacy", "intended")]
    assert {e["data"]["resourceId"] for e in journal} == {change["resourceId"] for change in removals}


def test_they_are_told_and_left_where_nobody_asks(stack: Stack, place: Place) -> None:
    put(stack, place, LISTED)
    operation = ended(stack, stack.app.start("attach", place.attach_body())["id"])
    assert operation["status"] == "Succeeded", operation["error"]
    assert finding(operation)["outcome"] == "warning"
    assert finding(operation)["command"].startswith("kubectl delete deployments/azureml-fe ")
    assert "cleanup_legacy" not in {step["name"] for step in operation["steps"]}
    assert there(stack, place, LISTED) == LISTED


@pytest.mark.long
def test_what_a_chart_installed_is_no_leftover(stack: Stack, place: Place) -> None:
    cluster = stack.azure.kubernetes(place.cluster_id)
    chart = {"name": "azureml-fe-role", "annotations": {"meta.helm.sh/release-name": "azureml"}}
    query = {"cluster": place.cluster_id}
    cluster.call("PUT", "/kubernetes/objects", {"kind": "ClusterRole", "metadata": chart}, query)
    operation = ended(stack, stack.app.start("attach", place.attach_body(cleanupLegacy=True))["id"])
    assert operation["status"] == "Succeeded", operation["error"]
    assert finding(operation)["outcome"] == "pass"
    assert [o["metadata"]["name"] for o in cluster.objects("clusterroles")] == ["azureml-fe-role"]


def test_a_cluster_out_of_reach_is_refused_with_the_command(stack: Stack, place: Place) -> None:
    stack.azure.change(place.cluster_id, {"properties": {"apiServerAccessProfile": {"enablePrivateCluster": True}}})
    operation = ended(stack, stack.app.start("attach", place.attach_body(cleanupLegacy=True))["id"])
    assert operation["error"]["code"] == "PreflightFailed"
    assert operation["error"]["command"].startswith("kubectl delete deployments/azureml-fe ")
    assert operation["created"] == []


@pytest.mark.long
def test_an_outage_of_the_cluster_in_the_middle(stack: Stack, place: Place) -> None:
    put(stack, place, LISTED)
    stack.azure.add_fault(kind="kubernetes", method="DELETE", path=f"^{place.cluster_id}/", status=503, nth=3)
    operation = ended(stack, stack.app.start("attach", place.attach_body(cleanupLegacy=True))["id"])
    assert operation["status"] == "Succeeded", operation["error"]
    assert there(stack, place, LISTED) == []
