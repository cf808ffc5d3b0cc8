"""Every result of a step, and of an operation, comes back from the record as it was left; steps know their results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from domain.extension.cluster_facts import ClusterAsFound
from domain.operation import plan, results
from domain.operation.acceptance import Acceptance
from domain.operation.codec import CodecError, decode, encode
from domain.operation.outcomes import Finding
from domain.operation.plan import Plan, PlannedChange, make_plan
from domain.operation.record import Operation, RequestedBy, StepRecord
from domain.operation.results import (
    Attached,
    ComponentsSeen,
    ComputeGone,
    ComputeLeaving,
    ComputeReady,
    Detached,
    DetachStarted,
    Drained,
    EndResult,
    ExtensionSent,
    HalfReattached,
    OrphansFound,
    RelayEnsured,
    Resolved,
    SmokeTestStarted,
    Snapshot,
    StillPaused,
    Surveyed,
    TurnedAway,
    as_text,
)
from domain.operation.steps import BY_NAME
from domain.workloads.uses import Workload

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
WHO = RequestedBy("http", "ada", "why", "parent")
JOB = Workload("job", "train-1", "Running")
KEPT = Snapshot({"computeName": "gpu", "extension": {"manage": "ensure"}}, ("/role",))
FINDINGS = (Finding("nodePools", "warning", "m", "r", "az"), Finding("outbound", "pass", "m"))
# What stands in the place of a field; the first fits none.
HOSTILE: list[Any] = [5, "text", ["text"], {"a": ["b"]}, [[]], True]
# Each type with every field set, and with those alone that have no default.
EXAMPLES: list[Any] = [
    Resolved(
        refused=True,
        location="westeurope",
        cluster_location="northeurope",
        cluster=ClusterAsFound(3, "k3s", True, ({"agentpool": "gpu"}, {})),
        cluster_spelling="/Sub",
        workspace_identity="SystemAssigned",
        workspace_user="/identity",
        workspace_principal="principal",
        container_registry="/registry",
        storage_account="/storage",
        cluster_id="/cluster",
        namespace="ml",
        compute_id="/compute",
        attach_request={"computeName": "gpu", "instanceTypes": [{"name": "small"}]},
        kept_instance_types={"small": {"nodeSelector": None}},
        legacy_tls=True,
    ),
    Resolved(),
    RelayEnsured("/namespace", "/connection"),
    ExtensionSent("/id", {"sslCert": "https://v.vault.azure.net/secrets/s"}, True, {"a": "b", "c": None}),
    ExtensionSent("/id"),
    ComponentsSeen("10.0.0.1"),
    ComponentsSeen(),
    ComputeReady("/compute", "Succeeded", "ml", "principal", "10.0.0.1"),
    ComputeReady("/compute"),
    SmokeTestStarted("/job"),
    Surveyed((JOB, JOB)),
    Surveyed(),
    Drained(forced=True),
    Drained(),
    KEPT,
    Snapshot({}),
    DetachStarted(already_gone=True),
    DetachStarted(),
    ComputeGone("/compute", False, True),
    ComputeGone("/compute"),
    ComputeLeaving(NOON),
    ComputeLeaving(),
    TurnedAway(),
    TurnedAway(3),
    StillPaused(("/schedules/nightly",)),
    OrphansFound((JOB,)),
    OrphansFound(),
    make_plan("detach", FINDINGS, [PlannedChange("drain", "stop", "/job", "d")], [JOB]),
    Plan("attach", "ok"),
    Attached("/compute", "Succeeded", "ml", "principal", "10.0.0.1", (JOB,)),
    Attached("/compute"),
    Detached("/compute", True, True, (JOB,), KEPT),
    Detached("/compute"),
    HalfReattached({"computeName": "gpu"}, "/compute"),
    HalfReattached({}),
    Acceptance(
        "op", "attach", {"namespace": "ml"}, "f", RequestedBy("http", "a", "b", "c"), NOON, "/w", "gpu", "/c", True
    ),
]
TYPES = {type(example) for example in EXAMPLES}
SORTED = sorted(TYPES, key=lambda kind: kind.__name__)


def defined(module: Any) -> set[type]:
    types = [each for each in vars(module).values() if isinstance(each, type)]
    return {each for each in types if is_dataclass(each) and each.__module__ == module.__name__}


def test_every_type_has_an_example() -> None:
    assert defined(results) <= TYPES
    assert defined(plan) <= TYPES | {PlannedChange}


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"{type(e).__name__}-{n}" for n, e in enumerate(EXAMPLES)])
def test_it_comes_back_as_it_was(example: Any) -> None:
    assert decode(type(example), encode(example)) == example


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"{type(e).__name__}-{n}" for n, e in enumerate(EXAMPLES)])
def test_it_is_read_with_more_fields_and_with_fewer(example: Any) -> None:
    stored = encode(example)
    assert decode(type(example), {**stored, "of_a_newer_release": {"a": 1}}) == example
    needed = {field.name for field in fields(example) if is_needed(field)}
    fewest = decode(type(example), {name: stored[name] for name in needed})
    assert all(getattr(fewest, name) == getattr(example, name) for name in needed)
    for name in needed:
        with pytest.raises(CodecError, match=f"{type(example).__name__}: {name}"):
            decode(type(example), {key: value for key, value in stored.items() if key != name})


def is_needed(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


@pytest.mark.parametrize("kind", SORTED)
def test_no_hostile_value_is_anything_but_a_value_of_the_type_or_one_error(kind: type[Any]) -> None:
    """Whatever stands in a field: it is read as what the type says, or the one error names the field."""
    (example, *_) = [example for example in EXAMPLES if type(example) is kind]
    stored = encode(example)
    for name in stored:
        said = [refusal(kind, {**stored, name: value}) for value in HOSTILE]
        assert all(text is None or text.startswith(f"{kind.__name__}: {name}") for text in said)
        assert said[0] is not None or type(stored[name]) is int


def refusal(kind: type[Any], stored: Any) -> str | None:
    """What decoding says of a value; None when it is of the type, and can be stored again."""
    try:
        read = decode(kind, stored)
    except CodecError as error:
        return str(error)
    assert decode(kind, encode(read)) == read
    return None


@pytest.mark.parametrize("kind", [kind for kind in SORTED if hasattr(kind, "STEP")], ids=lambda kind: kind.__name__)
def test_it_is_left_by_a_step_that_there_is(kind: Any) -> None:
    assert kind.STEP in BY_NAME


@pytest.mark.parametrize("result", [e for e in EXAMPLES if hasattr(e, "type") and not isinstance(e, Workload)])
def test_results_of_operations_are_told_apart_by_their_type(result: Any) -> None:
    now = {"id": "op", "kind": "attach", "status": "Failed", "request": {}, "fingerprint": "f"}
    row = {
        **now,
        "requested_by": {"source": "http"},
        "created_time": NOON.isoformat(),
        "updated_time": NOON.isoformat(),
    }
    assert decode(Operation, {**row, "result": encode(result)}).result == result
    with pytest.raises(CodecError, match="Operation: result"):
        decode(Operation, {**row, "result": {**encode(result), "type": "of_a_newer_release"}})


def test_every_result_of_an_operation_has_an_example() -> None:
    assert set(get_args(get_args(EndResult)[0])) <= TYPES


def test_what_a_step_left_is_found_by_its_type() -> None:
    steps = tuple(StepRecord(e.STEP, "do", value=encode(e)) for e in (RelayEnsured("/n", "/c"), Surveyed((JOB,))))
    operation = Operation("op", "attach", "Running", {}, "f", RequestedBy("http"), NOON, NOON, steps=steps)
    assert operation.needed(RelayEnsured) == RelayEnsured("/n", "/c")
    assert operation.result_of(Surveyed) == Surveyed((JOB,))
    with pytest.raises(CodecError, match="SmokeTestStarted: step smoke_test has left nothing"):
        operation.needed(SmokeTestStarted)


def test_what_azure_answers_instead_of_a_text_is_none() -> None:
    values: Mapping[Any, str | None] = {"a": "a", "": "", 5: None, None: None, True: None}
    assert {value: as_text(value) for value in values} == values


def test_a_plan_that_is_refused_changes_nothing() -> None:
    change = PlannedChange("drain", "stop", "/job")
    assert make_plan("detach", [Finding("c", "fail", "m")], [change]).changes == ()
    assert make_plan("detach", [Finding("c", "fail", "m")], [change]).verdict == "refused"
    assert make_plan("detach", FINDINGS, [change]).verdict == "warnings"
    assert make_plan("detach", [], [change]) == Plan("detach", "ok", (), (change,))
