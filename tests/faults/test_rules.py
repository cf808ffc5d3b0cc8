"""Each rule complains of what breaks it, and of nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.faults import rules_azure, rules_records, rules_rest
from tests.faults.evidence import Evidence, Hold, Instance, Row, head_of

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
CLUSTER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/k"
COMPUTE = f"{WORKSPACE}/computes/c"


def at(minutes: float) -> str:
    return (START + timedelta(minutes=minutes)).isoformat()


def line(sequence: int, step: str, event: str, **more: Any) -> Row:
    return {"sequence": sequence, "time": at(sequence), "step": step, "event": event, **more}


def attach(operation_id: str = "op", status: str = "Succeeded", **columns: Any) -> Row:
    steps = [{"name": name, "status": "Succeeded", "attempts": 1} for name in ("claim", "attach_compute", "release")]
    return {
        "id": operation_id,
        "kind": "attach",
        "status": status,
        "run": 1,
        "workspace_id": WORKSPACE,
        "cluster_id": CLUSTER,
        "compute_name": "c",
        "journal_length": 9,
        "pick_ups": 0,
        "request": "{}",
        "steps": json.dumps(steps),
        "created": "[]",
        **columns,
    }


JOURNAL = [
    line(1, "operation", "accepted"),
    line(2, "claim", "started"),
    line(3, "claim", "succeeded"),
    line(4, "attach_compute", "started"),
    line(5, "attach_compute", "intended", data=json.dumps({"action": "create", "resourceId": COMPUTE})),
    line(6, "attach_compute", "succeeded"),
    line(7, "operation", "succeeded"),
    line(8, "release", "started"),
    line(9, "release", "succeeded"),
]


def request(method: str, path: str, minutes: float, **more: Any) -> Row:
    entry = {"method": method, "path": path, "simulatedTime": at(minutes), "workStatus": 201, "query": {}}
    return {**entry, "principal": {"objectId": "app"}, **more}


PUT = request("PUT", COMPUTE, 5.5)
WHOLE = Evidence(
    heads={"op": head_of(attach())},
    journals={"op": JOURNAL},
    index={
        "op": [f"{name};x;op" for name in ("recent", "kind", "workspace", "compute", "cluster")]
        + ["status;Succeeded;1"]
    },
    holds=[],
    reactions=[],
    instances={"op-1": Instance("op-1", "attach", "Completed", 0)},
    requests=[PUT],
    effects=[],
    jobs=[],
    computes=[],
    objects=[],
    underlying_deletes=0,
    app="app",
    now=START + timedelta(minutes=10),
)
RULES = (*rules_azure.RULES, *rules_records.RULES, *rules_rest.RULES)


def broken(evidence: Evidence) -> set[str]:
    return {violation.invariant for rule in RULES for violation in rule(evidence)}


def without(number: int) -> dict[str, list[Row]]:
    return {"op": [row for row in JOURNAL if row["sequence"] != number]}


def test_what_is_whole_breaks_nothing() -> None:
    assert broken(WHOLE) == set()


@pytest.mark.parametrize(
    ("changes", "invariant"),
    [
        ({"requests": [PUT, request("PUT", COMPUTE, 5.8)]}, "each effect once"),
        ({"requests": [request("PUT", COMPUTE, 4.5)]}, "intent before effect"),
        ({"requests": [request("PUT", COMPUTE, 60)]}, "only what was asked"),
        ({"requests": [request("PUT", f"{WORKSPACE}/computes/other", 5.5)]}, "only what was asked"),
        ({"requests": [request("DELETE", CLUSTER, 5.5)]}, "cluster never deleted"),
        ({"requests": [request("DELETE", COMPUTE, 5.5)]}, "DELETE only with Detach"),
        ({"underlying_deletes": 1}, "cluster never deleted"),
        ({"requests": [PUT] * 40}, "retries bounded"),
        ({"journals": without(5)}, "journal whole"),
        ({"journals": without(3)}, "steps in order"),
        ({"index": {"op": ["recent;;1;op"]}}, "index whole"),
        ({"holds": [Hold(f"compute {COMPUTE}".lower(), "op", False)]}, "claims free"),
        ({"holds": [Hold(f"extension {CLUSTER}".lower(), "nobody", True)]}, "claims free"),
        ({"instances": {"op-1": Instance("op-1", "attach", "Running", 1)}}, "no orphaned instance"),
        ({"instances": {"op-2:step": Instance("op-2:step", "wait_until", "Running", 1)}}, "no orphaned instance"),
        ({"reactions": [{"cluster": CLUSTER, "pending": True, "seen": 2, "handled": 1}]}, "reactions"),
        ({"heads": {"op": head_of(attach(pick_ups=6))}}, "retries bounded"),
    ],
)
def test_what_is_broken_is_told(changes: dict[str, Any], invariant: str) -> None:
    assert invariant in broken(replace(WHOLE, **changes))


def test_after_a_step_has_the_run_go_back_steps_may_end_once_more() -> None:
    again = [
        *JOURNAL[:6],
        line(7, "compute_ready", "started"),
        line(8, "compute_ready", "back"),
        line(9, "attach_compute", "retried"),
        line(10, "attach_compute", "succeeded"),
        line(11, "compute_ready", "retried"),
        line(12, "compute_ready", "succeeded"),
        *(line(13, "operation", "succeeded"), line(14, "release", "started"), line(15, "release", "succeeded")),
    ]
    names = ("claim", "attach_compute", "compute_ready", "release")
    steps = [{"name": name, "status": "Succeeded", "attempts": 1} for name in names]
    head = head_of(attach(journal_length=15, steps=json.dumps(steps)))
    fields: dict[str, Any] = {"heads": {"op": head}, "journals": {"op": again}}
    assert not {"journal whole", "steps in order"} & broken(replace(WHOLE, **fields))
    fields["journals"] = {"op": [row if row["sequence"] != 8 else line(8, "compute_ready", "polled") for row in again]}
    assert "journal whole" in broken(replace(WHOLE, **fields))


def live(**changes: Any) -> Evidence:
    """The same operation in its first step."""
    steps = [{"name": "claim", "status": "Succeeded", "attempts": 1}]
    head = head_of(attach(status="Running", journal_length=3, steps=json.dumps(steps)))
    own = Hold(f"compute {COMPUTE}".lower(), "op", False)
    at_work = {"op-1": Instance("op-1", "attach", "Running", 1)}
    index = {"op": [key.replace("Succeeded", "Running") for key in WHOLE.index["op"]]}
    fields: dict[str, Any] = {"heads": {"op": head}, "journals": {"op": JOURNAL[:3]}, "index": index, "requests": []}
    return replace(WHOLE, **{**fields, "holds": [own], "instances": at_work, **changes})


def test_an_operation_at_work_breaks_nothing() -> None:
    assert broken(live()) == set()


@pytest.mark.parametrize(
    ("changes", "invariant"),
    [
        ({"holds": []}, "claims held"),
        ({"instances": {}}, "final or at work"),
        ({"instances": {"op-1": Instance("op-1", "attach", "Completed", 0)}}, "final or at work"),
        ({"instances": {"op-1": Instance("op-1", "attach", "Running", 0)}}, "final or at work"),
    ],
)
def test_an_operation_that_nobody_works_on_is_told(changes: dict[str, Any], invariant: str) -> None:
    assert invariant in broken(live(**changes))


def test_two_operations_on_one_compute_are_told() -> None:
    other = head_of(attach("other", "Running", journal_length=3))
    evidence = replace(WHOLE, heads={**WHOLE.heads, "other": other}, journals={"op": JOURNAL, "other": JOURNAL[:3]})
    assert "one live operation" in broken(evidence)


def test_a_detach_under_a_job_is_told() -> None:
    detach = head_of(attach(kind="detach"))
    job = {"id": "job", "body": {"properties": {"computeId": COMPUTE, "status": "Running"}}}
    sent = request("DELETE", COMPUTE, 5.5, query={"underlyingResourceAction": "Detach"})
    evidence = replace(WHOLE, heads={"op": detach}, requests=[sent])
    assert broken(evidence) == set()
    assert broken(replace(evidence, jobs=[job])) == {"no detach under jobs"}
