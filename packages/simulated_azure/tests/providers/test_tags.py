"""The Tags API: the tags of a resource, changed past its provider, and what is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from packages.simulated_azure.control.client import SimulatedAzure
from packages.simulated_azure.tests.world import (
    ARC,
    CLUSTER,
    READER,
    SUBSCRIPTION,
)

BELOW = "/providers/Microsoft.Resources/tags/default"
TAGS = f"{CLUSTER}{BELOW}"


def patch(azure: SimulatedAzure, operation: str, tags: dict[str, Any]) -> Any:
    answer = azure.arm("PATCH", TAGS, {"operation": operation, "properties": {"tags": tags}})
    assert answer.status == 200, answer.body
    shown = answer.body["properties"]["tags"]
    assert azure.arm("GET", CLUSTER).body["tags"] == shown
    return shown


def test_tags_are_merged_replaced_and_taken_away(azure: SimulatedAzure) -> None:
    assert azure.arm("GET", TAGS).body == {
        "id": TAGS,
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": {"tags": {"team": "ml"}},
    }
    assert patch(azure, "Merge", {"TEAM": "cv", "Env": "prod"}) == {"team": "cv", "Env": "prod"}
    assert patch(azure, "delete", {"team": "other", "ENV": ""}) == {"team": "cv"}
    assert patch(azure, "Delete", {"team": "cv"}) == {}
    assert patch(azure, "REPLACE", {"a": "1"}) == {"a": "1"}
    put = azure.arm(
        "PUT", TAGS.upper().replace("/SUBSCRIPTIONS", "/subscriptions"), {"properties": {"tags": {"b": "2"}}}
    )
    assert (put.status, put.body["id"], put.body["properties"]["tags"]) == (200, TAGS, {"b": "2"})
    assert azure.arm("DELETE", TAGS).status == 200
    assert azure.arm("GET", CLUSTER).body["tags"] == {}
    assert azure.operations() == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (None, "InvalidRequestContent"),
        ({"operation": "Merge"}, "InvalidRequestContent"),
        ({"operation": "Merge", "properties": {"tags": ["a"]}}, "InvalidRequestContent"),
        ({"properties": {"tags": {"a": "b"}}}, "InvalidTagsPatchOperation"),
        ({"operation": "Add", "properties": {"tags": {"a": "b"}}}, "InvalidTagsPatchOperation"),
        ({"operation": "Merge", "properties": {"tags": {"a/b": "c"}}}, "InvalidTagName"),
        ({"operation": "Merge", "properties": {"tags": {"a": 1}}}, "InvalidTagValue"),
        ({"operation": "Merge", "properties": {"tags": {f"t{n}": "" for n in range(50)}}}, "InvalidTagCount"),
    ],
)
def test_what_is_no_change_of_tags_is_refused(azure: SimulatedAzure, body: Any, code: str) -> None:
    answer = azure.arm("PATCH", TAGS, body)
    assert (answer.status, answer.body["error"]["code"]) == (400, code)
    assert azure.arm("GET", CLUSTER).body["tags"] == {"team": "ml"}
    assert azure.events() == []


def test_who_may_write_tags_and_of_what(azure: SimulatedAzure) -> None:
    refused = azure.arm("PUT", TAGS, {"properties": {"tags": {}}}, client_id=READER)
    assert refused.status == 403
    assert f"'Microsoft.Resources/tags/write' over scope '{CLUSTER}'" in refused.body["error"]["message"]
    assert azure.arm("GET", TAGS, client_id=READER).status == 200
    assert azure.arm("GET", f"{CLUSTER}-none{BELOW}").status == 404


@pytest.mark.parametrize("cluster", [CLUSTER, ARC])
@pytest.mark.parametrize(("setting", "suffix"), [("resource", ""), ("tags", BELOW)])
def test_a_write_of_tags_is_told_as_such_and_not_as_one_of_the_cluster(
    azure: SimulatedAzure, cluster: str, setting: str, suffix: str
) -> None:
    azure.settings(events={"tagsSubject": setting})
    azure.arm("PATCH", f"{cluster}{BELOW}", {"operation": "Merge", "properties": {"tags": {"a": "b"}}})
    azure.arm("DELETE", f"{cluster}{BELOW}")
    written, deleted = azure.events()
    assert written["subject"].lower() == (cluster + suffix).lower()
    data = written["data"]
    assert written["eventType"] == "Microsoft.Resources.ResourceWriteSuccess"
    assert (data["operationName"], data["resourceProvider"]) == (
        "Microsoft.Resources/tags/write",
        "Microsoft.Resources",
    )
    assert (data["resourceUri"], data["subscriptionId"]) == (written["subject"], SUBSCRIPTION)
    assert (data["httpRequest"]["method"], data["status"]) == ("PATCH", "Succeeded")
    assert deleted["eventType"] == "Microsoft.Resources.ResourceDeleteSuccess"
    assert deleted["data"]["operationName"] == "Microsoft.Resources/tags/delete"
