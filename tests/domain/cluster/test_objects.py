"""Marks of what Moor makes and changes in a cluster, and the commands for a person."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.cluster.instance_types import spec_of
from domain.cluster.objects import (
    Found,
    before_change,
    kubectl,
    made_by_moor,
    made_by_operation,
    marks,
    marks_of_change,
    types_to_change,
    wants_types,
)

SMALL: dict[str, Any] = {
    "name": "small",
    "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "2Gi"}},
}
FOUND = Found("small", {"nodeSelector": {"pool": "gpu"}}, {"own": "note"})


def test_who_made_it() -> None:
    ours = replace(FOUND, annotations=marks("op"))
    assert (made_by_operation(ours, "op"), made_by_operation(ours, "other"), made_by_moor(ours)) == (True, False, True)
    assert not made_by_moor(FOUND)


def test_a_change_can_be_reverted_by_the_one_who_made_it_and_by_the_first_of_its_changes() -> None:
    changed = replace(FOUND, spec=spec_of(SMALL), annotations=marks_of_change(FOUND, "op"))
    assert before_change(changed, "op") == (FOUND.spec, FOUND.annotations)
    assert before_change(changed, "other") is None
    assert before_change(FOUND, "op") is None
    assert marks_of_change(changed, "op") == changed.annotations
    again = replace(changed, annotations=marks_of_change(changed, "other"))
    assert before_change(again, "other") == (spec_of(SMALL), FOUND.annotations)


@pytest.mark.parametrize("said", ["", "x", "7", "null", '["a"]', "[" * 100_000, '{"a": '])
def test_an_annotation_that_somebody_wrote_over_is_no_spec(said: str) -> None:
    changed = replace(FOUND, annotations={**marks_of_change(FOUND, "op"), "moor/before": said})
    with pytest.raises(ValueError, match=r"\S"):
        before_change(changed, "op")


@pytest.mark.parametrize(
    ("there", "changes"),
    [
        ({}, [("small", "create")]),
        ({"small": FOUND}, [("small", "update")]),
        ({"small": replace(FOUND, spec=spec_of(SMALL))}, []),
    ],
)
def test_types_to_change(there: dict[str, Found], changes: list[tuple[str, str]]) -> None:
    assert types_to_change({"instanceTypes": [SMALL]}, there) == changes


@pytest.mark.parametrize(
    ("request_", "wants"), [({}, False), ({"defaultInstanceType": "small"}, True), ({"instanceTypes": [SMALL]}, True)]
)
def test_wants_types(request_: dict[str, Any], wants: bool) -> None:
    assert wants_types(request_) is wants


@pytest.mark.parametrize(
    ("request_", "command"),
    [
        ({"namespace": "ml"}, "kubectl get namespace ml"),
        ({"namespace": "a b", "createNamespace": True}, "kubectl create namespace 'a b'"),
        (
            {"namespace": "ml", "createNamespace": True, "instanceTypes": [SMALL]},
            "kubectl create namespace ml && echo ",
        ),
    ],
)
def test_the_command_for_a_person(request_: dict[str, Any], command: str) -> None:
    assert kubectl(request_).startswith(command)
