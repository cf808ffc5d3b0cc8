from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.operation.codec import CodecError, encode
from domain.operation.outcomes import Done
from domain.operation.record import (
    Intent,
    Operation,
    RequestedBy,
    StepRecord,
)
from domain.operation.results import ExtensionSent, RelayEnsured, Resolved
from domain.problems import AzureAnswer, Problem
from gateways.azure.arm import ArmAnswer
from tests.making import CLUSTER_ID, WORKSPACE_ID, make_operation

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PROBLEM = Problem("AttachFailed", "no", "attach_compute", azure=AzureAnswer("C", None, 409))
STEP = StepRecord(
    "attach_compute",
    "do",
    "Running",
    2,
    60.0,
    started=NOW,
    problem=PROBLEM,
    intents=(Intent("create", "/id", NOW),),
    value={"protected": {"a": "kept-inside"}},
)


def operation(**fields: Any) -> Operation:
    base = Operation("op", "attach", "Running", {"namespace": "default"}, "f", RequestedBy("http"), NOW, NOW)
    return replace(base, **fields)


def test_a_signed_url_is_in_no_text_that_an_error_may_show() -> None:
    url = "https://x/y?s=signature"
    holders = (operation(operation_urls={"s": url}), Done(operation_url=url), ArmAnswer(202, {}, url))
    assert "signature" not in repr(holders)


def test_a_step_has_the_operation_that_it_began_last() -> None:
    began = operation().with_operation_url("attach_compute", "u1").with_operation_url("install_extension", "v")
    again = began.with_operation_url("attach_compute", "u2")
    assert again.operation_urls == {"install_extension": "v", "attach_compute": "u2"}
    assert again.operation_url("attach_compute") == "u2"
    assert again.with_operation_url("attach_compute", None).operation_urls == {"install_extension": "v"}


def test_with_step_puts_a_step_in_its_place() -> None:
    first = operation(steps=(STEP, replace(STEP, name="notify")))
    changed = first.with_step(replace(STEP, status="Succeeded"))
    assert [s.status for s in changed.steps] == ["Succeeded", "Running"]
    assert [s.name for s in changed.with_step(replace(STEP, name="new")).steps][-1] == "new"


def test_a_step_has_a_deadline_once_it_has_begun() -> None:
    assert STEP.deadline == NOW + timedelta(seconds=60)
    assert replace(STEP, started=None).deadline is None


def test_a_step_result_is_read_by_its_type() -> None:
    left = ExtensionSent("/id", {"a": "https://v.vault.azure.net/secrets/s/1"})
    found = operation(steps=(StepRecord("install_extension", "do", value=encode(left)),))
    assert found.result_of(ExtensionSent) == left
    assert found.result_of(RelayEnsured) is None
    assert operation(steps=(StepRecord("install_extension", "do"),)).result_of(ExtensionSent) is None


def test_a_step_result_of_another_type_is_one_error() -> None:
    found = operation(steps=(StepRecord("resolve", "do", value={"location": 5}),))
    with pytest.raises(CodecError, match="Resolved: location"):
        _ = found.resolved


def test_nothing_is_known_before_resolve_has_run() -> None:
    assert operation().resolved == Resolved()


def test_what_an_operation_works_on_has_types() -> None:
    found = make_operation()
    assert (str(found.workspace), str(found.cluster)) == (WORKSPACE_ID, CLUSTER_ID)
    assert found.compute_id == f"{WORKSPACE_ID}/computes/gpu"
    with pytest.raises(ValueError, match="must be an ARM id"):
        _ = make_operation(cluster_id=None).cluster
