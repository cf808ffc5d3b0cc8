"""What Azure ML v1 left in a cluster: which objects, where, and how a person looks at them."""

from __future__ import annotations

import shlex

import pytest

from domain.arm_ids import parse_arm_id
from domain.cluster.legacy_objects import LEGACY_OBJECTS, LegacyObject, in_words, is_of_a_chart, kubectl
from tests.making import CLUSTER_ID

RBAC = "/apis/rbac.authorization.k8s.io/v1"
DEFAULT = "namespaces/default"
# The objects that the vendor's page on troubleshooting the extension has removed (E45004, E45005).
PATHS = [
    f"/apis/apps/v1/{DEFAULT}/deployments/azureml-fe",
    f"/api/v1/{DEFAULT}/services/azureml-fe",
    f"/api/v1/{DEFAULT}/services/azureml-fe-int-http",
    f"{RBAC}/clusterrolebindings/azureml-fe-binding",
    f"{RBAC}/clusterroles/azureml-fe-role",
    f"/api/v1/{DEFAULT}/serviceaccounts/azureml-fe",
    f"/api/v1/{DEFAULT}/secrets/azuremlfessl",
    f"/api/v1/{DEFAULT}/configmaps/azuremlfeconfig",
]


def test_these_and_no_others_the_one_that_uses_the_rest_first() -> None:
    assert [each.path for each in LEGACY_OBJECTS] == PATHS


def test_the_record_names_one_below_its_cluster() -> None:
    cluster = parse_arm_id(CLUSTER_ID)
    assert LEGACY_OBJECTS[3].id_in(cluster) == f"{CLUSTER_ID}{RBAC}/clusterrolebindings/azureml-fe-binding"


@pytest.mark.parametrize(
    ("annotations", "chart"),
    [
        ({}, False),
        ({"meta.helm.sh/release-namespace": "azureml"}, False),
        ({"meta.helm.sh/release-name": "azureml"}, True),
    ],
)
def test_what_helm_has_installed_is_no_leftover(annotations: dict[str, str], chart: bool) -> None:
    assert is_of_a_chart(annotations) is chart


def test_a_person_reads_kind_and_name() -> None:
    assert in_words(LEGACY_OBJECTS[:2]) == "Deployment azureml-fe, Service azureml-fe"


@pytest.mark.parametrize("verb", ["get", "delete"])
def test_the_command_names_every_object_and_does_not_mind_those_that_are_gone(verb: str) -> None:
    words = shlex.split(kubectl(verb))
    assert words[:2] == ["kubectl", verb]
    assert words[2:-3] == [f"{each.plural}/{each.name}" for each in LEGACY_OBJECTS]
    assert words[-3:] == ["--namespace", "default", "--ignore-not-found"]


def test_the_command_is_about_those_that_it_is_given() -> None:
    odd = LegacyObject("Secret", "secrets", "a b")
    assert "'secrets/a b'" in kubectl("delete", iter([odd]))
    assert "azureml-fe" not in kubectl("delete", [odd])
