"""The rules of instance types, each by a violation and a near miss."""

from __future__ import annotations

from typing import Any

import pytest

from domain.cluster.instance_types import (
    GPU,
    asks_for_gpus,
    difference,
    for_compute,
    spec_of,
    violations,
)

GOOD: dict[str, Any] = {
    "name": "small",
    "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "2Gi"}},
}


def made(requests: dict[str, Any] | None = None, limits: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    resources = {
        "requests": {**GOOD["resources"]["requests"], **(requests or {})},
        "limits": {**GOOD["resources"]["limits"], **(limits or {})},
    }
    return {**GOOD, "resources": resources, **more}


def targets(*types: Any, default: Any = None) -> list[str]:
    return [violation.target for violation in violations(list(types), default)]


@pytest.mark.parametrize(
    "instance_type",
    [
        GOOD,
        made({"cpu": "100m"}, {"cpu": 1}),
        made({"memory": "1024Mi"}, {"memory": "1.5Gi"}),
        made({"memory": "500M"}, {"memory": "1G"}),
        made(limits={GPU: 1}),
        made(limits={GPU: None}),
        made(limits={GPU: 0}),
        made({GPU: "1"}, {GPU: 1}),
        made(nodeSelector={"agentpool": "gpu", "kubernetes.io/arch": "amd64", "empty": ""}),
        made({"cpu": "2"}, {"cpu": "2000m"}),
        {**GOOD, "name": "a" * 63},
    ],
)
def test_good_ones(instance_type: dict[str, Any]) -> None:
    assert targets(instance_type) == []


@pytest.mark.parametrize(
    ("instance_type", "target"),
    [
        (made({"cpu": "0"}), "requests/cpu"),
        (made({"cpu": "0.5"}), "requests/cpu"),
        (made({"cpu": ""}), "requests/cpu"),
        (made({"memory": "1024"}), "requests/memory"),
        (made({"memory": "0Gi"}), "requests/memory"),
        (made({"memory": "1 Gi"}), "requests/memory"),
        (made({"cpu": "3"}), "requests/cpu"),
        (made({"memory": "4Gi"}), "requests/memory"),
        (made({GPU: 1}), f"requests/{GPU.replace('/', '~1')}"),
        (made({GPU: 1}, {GPU: 2}), f"requests/{GPU.replace('/', '~1')}"),
        (made(limits={GPU: "500m"}), f"limits/{GPU.replace('/', '~1')}"),
        (made(limits={"amd.com/gpu": 1}), "limits/amd.com~1gpu"),
        (made(limits={"cpu": None}), "limits/cpu"),
    ],
)
def test_resources_that_break_a_rule(instance_type: dict[str, Any], target: str) -> None:
    assert targets(instance_type) == [f"/instanceTypes/0/resources/{target}"]


def test_requests_and_limits_of_cpu_and_memory_are_required() -> None:
    assert targets({"name": "bare"}) == [
        f"/instanceTypes/0/resources/{part}/{name}" for part in ("requests", "limits") for name in ("cpu", "memory")
    ]


def test_names_and_selectors() -> None:
    assert targets(GOOD, GOOD) == ["/instanceTypes/1/name"]
    assert targets({**GOOD, "name": "a" * 64}) == ["/instanceTypes/0/name"]
    assert targets(made(nodeSelector={"a b": "c"})) == ["/instanceTypes/0/nodeSelector/a b"]
    assert targets(made(nodeSelector={"pool": "not ok"})) == ["/instanceTypes/0/nodeSelector/pool"]
    assert targets(default="Not A Name") == ["/defaultInstanceType"]
    assert targets(default="defaultinstancetype") == []


@pytest.mark.parametrize("shape", ["text", 1, None, [1, "x", None], [{"name": 1}], [{"resources": []}], {"a": 1}])
def test_what_has_no_shape_is_left_to_the_model(shape: Any) -> None:
    assert all(v.target.startswith("/instanceTypes/") for v in violations(shape, 1))


def test_the_object_says_gpus_among_limits_only() -> None:
    spec = spec_of(made({GPU: 1, "cpu": 1}, {GPU: 1}, nodeSelector={"a": "b"}))
    assert spec == {
        "nodeSelector": {"a": "b"},
        "resources": {
            "requests": {"cpu": "1", "memory": "1Gi"},
            "limits": {"cpu": "2", "memory": "2Gi", GPU: "1"},
        },
    }
    assert spec_of(made(limits={GPU: None}))["resources"]["limits"] == GOOD["resources"]["limits"]
    assert for_compute([GOOD]) == {"small": spec_of(GOOD)}


def test_differences_are_of_meaning_not_of_spelling() -> None:
    wanted = spec_of(made(limits={"cpu": "2", "memory": "2Gi"}))
    same = spec_of(made({"cpu": "1000m", "memory": "1024Mi"}, {"cpu": "2000m", "memory": "2048Mi"}))
    assert difference(wanted, same) is None
    other = spec_of(made(limits={"cpu": "4", GPU: 1}, nodeSelector={"pool": "x"}))
    assert difference(wanted, other) == (
        "nodeSelector is pool=x, wanted empty; limits.cpu is 4, wanted 2; limits.nvidia.com/gpu is 1, wanted not set"
    )
    assert difference(wanted, {}) is not None


def test_who_asks_for_gpus() -> None:
    assert asks_for_gpus([GOOD, made(limits={GPU: "2"})])
    assert not asks_for_gpus([GOOD, made(limits={GPU: 0})])
