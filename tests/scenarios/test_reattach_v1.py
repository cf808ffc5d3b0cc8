"""Reattach where Azure Machine Learning v1 has been: its certificate kept, its compute brought over."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from local.stack import Stack
from tests.pem import CNAME
from tests.scenarios.helpers import Place, attached, deletes, eventually, put_in_place
from tests.scenarios.test_extension import in_azure, written
from tests.scenarios.test_plans import apply, plan, planned
from tests.scenarios.test_reattach import body, compute, reattach

pytestmark = pytest.mark.long

CANARY = "a-key-that-nobody-may-see-elsewhere"
DATA = {"cert.pem": "a certificate", "key.pem": CANARY, "other": "of no use"}
INFERENCE = {"enableInference": True, "inferenceRouterServiceType": "LoadBalancer", "sslCname": CNAME}


def leave_secret(stack: Stack, place: Place) -> None:
    """The secret that v1 keeps its router's certificate and key in."""
    data = {name: base64.b64encode(text.encode()).decode() for name, text in DATA.items()}
    stack.azure.kubernetes(place.cluster_id).put("Secret", "azuremlfessl", "default", data=data, type="Opaque")


def secrets(stack: Stack, place: Place) -> dict[tuple[str, str], dict[str, Any]]:
    found = stack.azure.kubernetes(place.cluster_id).objects("secrets")
    return {(each["metadata"]["namespace"], each["metadata"]["name"]): each for each in found}


def test_the_certificate_of_v1_is_kept_by_reference(stack: Stack, place: Place) -> None:
    attached(stack, place)
    leave_secret(stack, place)
    more = {"cleanupLegacy": True, "extension": {"configurationSettings": INFERENCE}}
    planning = plan(stack, "reattach", body(place, **more))
    steps = [change["step"] for change in planning["result"]["changes"]]
    assert steps == ["detach_compute", "keep_tls_secret", "cleanup_legacy", "install_extension", "attach_compute"]
    assert apply(stack, "reattach", body(place, **more)) == planned(planning)

    found = secrets(stack, place)
    assert ("default", "azuremlfessl") not in found
    kept = found["azureml", "moor-azuremlfessl"]
    assert {k: base64.b64decode(v).decode() for k, v in kept["data"].items()} == {
        k: v for k, v in DATA.items() if k.endswith(".pem")
    }
    assert kept["type"] == "Opaque"
    plain, _ = in_azure(stack, place)
    assert plain["sslSecret"] == "moor-azuremlfessl"
    assert plain["enableTraining"] == "True"
    encoded = base64.b64encode(CANARY.encode()).decode()
    eventually(lambda: written(stack, "moor-azuremlfessl"), "the search to see what is written")
    assert written(stack, CANARY, encoded) == []


@pytest.mark.parametrize("reason", ["somebody else has a secret moor-azuremlfessl", "it holds no cert.pem and key.pem"])
def test_a_certificate_that_cannot_be_kept_is_told_before_the_detach(stack: Stack, place: Place, reason: str) -> None:
    put_in_place(stack, place)
    leave_secret(stack, place)
    cluster = stack.azure.kubernetes(place.cluster_id)
    if "somebody" in reason:
        cluster.put("Secret", "moor-azuremlfessl", "azureml", data={}, type="Opaque")
    else:
        cluster.put("Secret", "azuremlfessl", "default", data={}, type="Opaque")
    refused = reattach(stack, place, cleanupLegacy=True)
    assert refused["error"]["code"] == "ReattachRefused"
    assert reason in refused["error"]["message"]
    assert deletes(stack, place) == []


def test_without_clean_up_it_stays_where_it_is(stack: Stack, place: Place) -> None:
    attached(stack, place)
    leave_secret(stack, place)
    assert reattach(stack, place)["status"] == "Succeeded"
    assert [name for _, name in secrets(stack, place) if "azuremlfessl" in name] == ["azuremlfessl"]


def test_a_compute_of_v1_becomes_one_of_kubernetes(stack: Stack, place: Place) -> None:
    properties = {"resourceId": place.cluster_id}
    seed = {"workspaceId": place.workspace_id, "name": place.compute_name, "properties": properties}
    stack.azure.seed({"computes": [seed]})
    stack.azure.change(place.compute_id, {"properties": {"computeType": "AKS"}})
    refused = reattach(stack, place)
    assert refused["error"]["code"] == "ReattachRefused"
    assert "a compute of v1 does not say" in refused["error"]["message"]

    settings = {"configurationSettings": {"enableTraining": True}}
    too_long = Place(place.workspace_id, place.cluster_id, f"{place.compute_name}-of-azureml-v1"[:24])
    stack.azure.seed({"computes": [{**seed, "name": too_long.compute_name}]})
    stack.azure.change(too_long.compute_id, {"properties": {"computeType": "AKS"}})
    refused = reattach(stack, too_long, extension=settings)
    assert "is not a valid name for a Kubernetes compute" in refused["error"]["message"]
    assert deletes(stack, too_long) == []

    operation = reattach(stack, place, extension=settings)
    assert operation["status"] == "Succeeded", operation["error"]
    assert compute(stack, place)["namespace"] == "default"
    found = stack.azure.resource(place.compute_id)
    assert found is not None
    assert found["body"]["properties"]["computeType"] == "Kubernetes"
