"""Which events an event subscription wants."""

from __future__ import annotations

from typing import Any

import pytest

from packages.simulated_azure.event_grid.filters import wants

EVENT = {
    "subject": "/subscriptions/S/resourcegroups/RG/providers/Microsoft.ContainerService/managedClusters/aks",
    "eventType": "Microsoft.Resources.ResourceWriteSuccess",
    "data": {"operationName": "Microsoft.ContainerService/managedClusters/write", "flag": True, "none": None},
}


def subscription(scope: str = "/subscriptions/s", **chosen: Any) -> dict[str, Any]:
    return {"scope": scope, "properties": {"filter": chosen}}


@pytest.mark.parametrize(
    ("scope", "wanted"),
    [
        ("/subscriptions/s", True),
        ("/subscriptions/s/resourceGroups/rg", True),
        ("/subscriptions/s/resourceGroups/r", False),
        ("/subscriptions/other", False),
    ],
)
def test_scope(scope: str, wanted: bool) -> None:
    assert wants(subscription(scope), EVENT) is wanted


@pytest.mark.parametrize(
    ("chosen", "wanted"),
    [
        ({}, True),
        ({"includedEventTypes": ["Microsoft.Resources.ResourceDeleteSuccess"]}, False),
        ({"subjectBeginsWith": "/SUBSCRIPTIONS/s/"}, True),
        ({"subjectBeginsWith": "/SUBSCRIPTIONS/s/", "isSubjectCaseSensitive": True}, False),
        ({"subjectEndsWith": "/AKS"}, True),
        ({"subjectEndsWith": "/other"}, False),
    ],
)
def test_subject_and_type(chosen: dict[str, Any], wanted: bool) -> None:
    assert wants(subscription(**chosen), EVENT) is wanted


@pytest.mark.parametrize(
    ("operator", "key", "values", "wanted"),
    [
        ("StringIn", "data.operationName", ["microsoft.containerservice/managedclusters/WRITE"], True),
        ("StringIn", "data.operationName", ["other"], False),
        ("StringNotIn", "data.operationName", ["other"], True),
        ("StringContains", "data.operationName", ["managedclusters"], True),
        ("StringNotContains", "data.operationName", ["managedclusters"], False),
        ("StringBeginsWith", "data.operationName", ["x", "Microsoft.Container"], True),
        ("StringEndsWith", "data.operationName", ["/delete"], False),
        ("StringIn", "data.absent", ["x"], False),
        ("StringNotIn", "data.absent", ["x"], True),
        ("IsNullOrUndefined", "data.none", None, True),
        ("IsNotNull", "data.flag", None, True),
    ],
)
def test_advanced_filters(operator: str, key: str, values: list[str] | None, wanted: bool) -> None:
    condition = {"operatorType": operator, "key": key, "values": values}
    assert wants(subscription(advancedFilters=[condition]), EVENT) is wanted


def test_bool_equals() -> None:
    for value, wanted in ((True, True), (False, False)):
        condition = {"operatorType": "BoolEquals", "key": "data.flag", "value": value}
        assert wants(subscription(advancedFilters=[condition]), EVENT) is wanted
