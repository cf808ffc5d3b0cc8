from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from packages.simulated_azure.arm.signatures import NAMES
from packages.simulated_azure.control.client import ArmAnswer, SimulatedAzure
from packages.simulated_azure.tests.world import (
    CLUSTER,
    COMPUTE,
    EXTENSION,
    READER,
    READER_OBJECT,
    SUBSCRIPTION,
    compute_body,
    seeded_extension,
)

STATUS, RESULT = "Azure-AsyncOperation", "Location"


def urls(azure: SimulatedAzure) -> dict[str, str]:
    """A URL of each kind that ARM signs. The reader may read every status: what it lacks is the signature."""
    azure.seed(
        {
            "roleAssignments": [
                {"role": "Reader", "scope": f"/subscriptions/{SUBSCRIPTION}", "principalId": READER_OBJECT}
            ]
        }
    )
    azure.settings(durations={"compute.detach": 30_000, "cluster.update": 30_000, "cluster.runCommand": 30_000})
    azure.seed({"extensions": [seeded_extension()]})
    attached = azure.arm("PUT", COMPUTE, compute_body())
    detached = azure.arm("DELETE", f"{COMPUTE}?underlyingResourceAction=Detach")
    changed = azure.arm("PATCH", EXTENSION, {"properties": {"configurationSettings": {"a": "b"}}})
    told = azure.arm("POST", f"{CLUSTER}/runCommand", {"command": "kubectl get ns -o json"})
    tagged = azure.arm("PATCH", CLUSTER, {"tags": {"a": "b"}})
    return {
        "attach": attached.headers[STATUS],
        "detach": detached.headers[STATUS],
        "detach, result": detached.headers[RESULT],
        "extension": changed.headers[STATUS],
        "run command": told.headers[RESULT],
        "cluster": tagged.headers[STATUS],
    }


def with_query(url: str, **changes: str | None) -> str:
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query)), **changes}
    return parts._replace(query=urlencode({k: v for k, v in query.items() if v is not None})).geturl()


def test_every_kind_of_operation_is_signed_and_polled_with_its_signature_only(azure: SimulatedAzure) -> None:
    for kind, url in urls(azure).items():
        query = dict(parse_qsl(urlsplit(url).query))
        assert {*NAMES} < {*query}, kind
        assert azure.arm("GET", url).status in (200, 202), kind
        assert refusal(azure.arm("GET", with_query(url, **dict.fromkeys(NAMES)))) == "lacks", kind
        for name in NAMES:
            assert refusal(azure.arm("GET", with_query(url, **{name: None}))) == "lacks", (kind, name)
            altered = query[name][:-1] + ("1" if query[name][-1] != "1" else "2")
            assert refusal(azure.arm("GET", with_query(url, **{name: altered}))) == "match", (kind, name)
        assert refusal(azure.arm("GET", url, client_id=READER)) == "match", kind


def refusal(answer: ArmAnswer) -> str:
    assert (answer.status, answer.body["error"]["code"]) == (403, "AuthorizationFailed"), answer
    message = answer.body["error"]["message"]
    return "lacks" if "lacks its signature" in message else "match" if "does not match" in message else message


def test_azure_ml_has_its_operations_at_the_subscription_with_a_parameter_of_its_own(azure: SimulatedAzure) -> None:
    url = urls(azure)["attach"]
    path = urlsplit(url).path.split("/")
    assert path[1::2][:3] == ["subscriptions", "providers", "locations"]
    assert dict(parse_qsl(urlsplit(url).query))["service"] == "new"
    assert refusal(azure.arm("GET", with_query(url, service="old"))) == "match"


def test_a_signature_is_of_one_operation(azure: SimulatedAzure) -> None:
    found = urls(azure)
    foreign = urlsplit(found["cluster"])._replace(query=urlsplit(found["attach"]).query).geturl()
    assert refusal(azure.arm("GET", foreign)) == "match"


def test_what_was_given_out_is_known_to_the_control_api(azure: SimulatedAzure) -> None:
    found = urls(azure)
    given = azure.signatures()
    for url in found.values():
        query = dict(parse_qsl(urlsplit(url).query))
        assert {name: query[name] for name in NAMES} in given
    azure.reset()
    assert azure.signatures() == []


@pytest.mark.parametrize("state", ["Succeeded", "Deleting"])
def test_a_script_says_what_a_failed_operation_leaves(azure: SimulatedAzure, state: str) -> None:
    azure.seed({"computes": [{"workspaceId": COMPUTE.rsplit("/", 2)[0], "name": "k8s-one", "properties": {}}]})
    azure.script_operation(kind="compute.detach", durationSeconds=0, outcome="fail", leaves=state)
    url = azure.arm("DELETE", f"{COMPUTE}?underlyingResourceAction=Detach").headers[STATUS]
    assert azure.arm("GET", url).body["status"] == "Failed"
    properties = azure.arm("GET", COMPUTE).body["properties"]
    assert (properties["provisioningState"], properties["provisioningErrors"]) == (state, None)
