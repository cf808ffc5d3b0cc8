"""Instance types in the forms that documents show them in."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from domain.requests.parsing import parse_request, request_to_json
from domain.requests.type_forms import listed
from domain.violations import Refused
from tests.domain.asking import ATTACH, DETACH, attach

SPEC: dict[str, Any] = {
    "nodeSelector": {"agentpool": "gpu"},
    "resources": {
        "limits": {"cpu": "2", "nvidia.com/gpu": 1, "memory": "2Gi"},
        "requests": {"cpu": "700m", "memory": "1500Mi"},
    },
}
# As how-to-manage-kubernetes-instance-types.md applies it, and as kubectl get shows it again.
OBJECT = {
    "apiVersion": "amlarc.azureml.com/v1alpha1",
    "kind": "InstanceType",
    "metadata": {"name": "my-type"},
    "spec": SPEC,
}
SEEN = {**OBJECT, "metadata": {
    "name": "my-type", "uid": "1", "resourceVersion": "7", "creationTimestamp": "2026-11-30T00:00:00Z",
    "annotations": {"a": "b"}, "labels": {}, "generation": 1,
}, "status": {}}  # fmt: skip
LIST = {
    "apiVersion": "amlarc.azureml.com/v1alpha1", "kind": "InstanceTypeList", "metadata": {},
    "items": [{"metadata": {"name": "my-type"}, "spec": SPEC}],
}  # fmt: skip
KUBECTL_LIST = {"apiVersion": "v1", "kind": "List", "items": [SEEN]}
PLAIN = {"name": "my-type", **SPEC}
# As people cut it down.
BARE = {"metadata": {"name": "my-type"}, "spec": SPEC}
# compute_create_or_update_kubernetes.json of the official examples.
ARM_RESOURCES = {
    "requests": {"cpu": "1", "memory": "4Gi", "nvidia.com/gpu": None},
    "limits": {"cpu": "1", "memory": "4Gi", "nvidia.com/gpu": None},
}
ARM = {"defaultInstanceType": {"nodeSelector": None, "resources": ARM_RESOURCES}}


def asked(types: Any, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = attach(instanceTypes=types, **more)["instanceTypes"]
    return found


@pytest.mark.parametrize(
    "form",
    [
        [PLAIN],
        PLAIN,
        [OBJECT],
        OBJECT,
        [SEEN],
        LIST,
        [LIST],
        KUBECTL_LIST,
        {"my-type": SPEC},
        BARE,
        [BARE],
        {"items": [BARE]},
        {**LIST, "kind": "instancetypelist"},
        {**OBJECT, "kind": "instancetype"},
    ],
)
def test_r27_every_documented_form_asks_for_the_same(form: Any) -> None:
    assert asked(form) == asked([PLAIN])
    again = parse_request("reattach", {**DETACH, "instanceTypes": form})
    assert request_to_json(again)["instanceTypes"] == asked([PLAIN])


def test_r27_the_official_example_of_a_compute_is_taken() -> None:
    (found,) = asked(ARM, defaultInstanceType="defaultInstanceType")
    assert (found["name"], found["nodeSelector"]) == ("defaultinstancetype", {})
    assert found["resources"]["requests"] == {"cpu": "1", "memory": "4Gi"}
    assert attach(defaultInstanceType="defaultInstanceType")["defaultInstanceType"] == "defaultInstanceType"


@pytest.mark.parametrize(
    ("cpu", "kept"),
    [
        ("0.6", "600m"),
        (0.5, "500m"),
        ("1.5", "1500m"),
        (2.0, "2"),
        ("1.0", "1"),
        (".5", "500m"),
        ("100m", "100m"),
        (1, "1"),
    ],
)
def test_r27_decimals_of_cores_are_millicores(cpu: Any, kept: str) -> None:
    amounts = {"cpu": cpu, "memory": "1Gi"}
    (found,) = asked([{"name": "a", "resources": {"requests": amounts, "limits": amounts}}])
    assert found["resources"]["requests"]["cpu"] == found["resources"]["limits"]["cpu"] == kept


@pytest.mark.parametrize(
    ("memory", "kept"), [("4294967296", "4194304Ki"), (4294967296, "4194304Ki"), ("1.5Gi", "1.5Gi")]
)
def test_r27_bytes_get_a_suffix(memory: Any, kept: str) -> None:
    amounts = {"cpu": "1", "memory": memory}
    (found,) = asked([{"name": "a", "resources": {"requests": amounts, "limits": amounts}}])
    assert found["resources"]["limits"]["memory"] == kept


def test_r27_null_is_left_out() -> None:
    (found,) = asked([{**PLAIN, "nodeSelector": None}])
    assert found["nodeSelector"] == {}


def test_r27_a_pair_of_types_in_two_forms() -> None:
    other = {**OBJECT, "metadata": {"name": "other"}}
    assert [each["name"] for each in asked([PLAIN, other])] == ["my-type", "other"]
    assert [each["name"] for each in asked({"a": SPEC, "b": SPEC})] == ["a", "b"]


@pytest.mark.parametrize(
    ("types", "target"),
    [
        ("my-type", "/instanceTypes"),
        (7, "/instanceTypes"),
        ([7], "/instanceTypes/0"),
        ([{**OBJECT, "metadata": {"name": "My_Type"}}], "/instanceTypes/0/name"),
        ([{**OBJECT, "spec": {**SPEC, "cpus": 1}}], "/instanceTypes/0/cpus"),
        ({"My_Type": SPEC}, "/instanceTypes/0/name"),
        ([OBJECT, OBJECT], "/instanceTypes/1/name"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_any_form_is_said_once(types: Any, target: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_request("attach", {**ATTACH, "instanceTypes": types})
    assert [violation.target for violation in refused.value.violations] == [target]


@pytest.mark.parametrize(
    "cpu",
    [
        "0.0001",
        "1e999999",
        "1_0",
        " 1",
        "\uff11",
        "+1",
        "NaN",
        "Infinity",
        "-0.5",
        "9" * 5000,
        True,
        float("inf"),
        [],
        {},
    ],
)
def test_what_is_no_quantity_stays_and_is_refused(cpu: Any) -> None:
    amounts = {"cpu": cpu, "memory": "1Gi"}
    with pytest.raises(Refused) as refused:
        parse_request(
            "attach",
            {**ATTACH, "instanceTypes": [{"name": "a", "resources": {"requests": amounts, "limits": amounts}}]},
        )
    assert {v.target.rsplit("/", 1)[-1] for v in refused.value.violations} == {"cpu"}


@pytest.mark.parametrize(
    "shape",
    [None, [], {}, [None], [[]], {"items": []}, {"kind": "List"}, {"kind": "List", "items": [1, None]}, {"a": 1},
     {"kind": "InstanceType"}, {"kind": "InstanceType", "metadata": 1, "spec": 2}, {"kind": ["x"]},
     [{"kind": {}, "metadata": {"name": {}}, "spec": None}], {"name": "x", "resources": {"limits": [1]}}],
)  # fmt: skip
def test_odd_shapes_are_left_to_the_rules(shape: Any) -> None:
    """Taken or refused, and nothing but refused."""
    listed(shape)
    with contextlib.suppress(Refused):
        parse_request("attach", {**ATTACH, "instanceTypes": shape})
