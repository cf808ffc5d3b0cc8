"""Each rule of the month complains of what breaks it, and of nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.faults.evidence import Head, Instance, head_of
from tests.month.rules import FOUND_WITHIN, LONGEST, Look, Thing, WakeUps, asleep, too_long, unnamed

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
CLUSTER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/k"
COMPUTE, SCHEDULE = f"{WORKSPACE}/computes/c", f"{WORKSPACE}/schedules/nightly"
EXTENSION = f"{CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions/azureml"


def head(status: str = "Running", operation_id: str = "op", **columns: Any) -> Head:
    row = {
        "id": operation_id,
        "kind": "attach",
        "status": status,
        "run": 2,
        "workspace_id": WORKSPACE,
        "cluster_id": CLUSTER,
        "compute_name": "c",
        "journal_length": 9,
        "pick_ups": 1,
        "created_time": START.isoformat(),
        "steps": json.dumps(columns.pop("steps", [{"name": "drain", "status": "Waiting"}])),
        "created": json.dumps(columns.pop("created", [])),
        **columns,
    }
    return head_of(row)


def look(after: timedelta, *instances: Instance, of: Head | None = None, calm: timedelta = timedelta()) -> Look:
    one = of or head()
    return Look(START + after, START + calm, {one.id: one}, {i.id: i for i in instances})


RUN = Instance("op-2", "detach", "Running", 0)
WAIT = Instance("op-2:drain", "until", "Running", 1)
AWAKE = {
    "a message for its run": (replace(RUN, pending=1),),
    "the timer of its step": (RUN, WAIT),
}
ASLEEP = {
    "no instance": (),
    "the instance of an old run": (Instance("op-1", "detach", "Running", 1),),
    "an instance that failed": (replace(RUN, status="Failed"),),
    "nothing to wake it": (RUN,),
    "a step that nothing will wake": (RUN, replace(WAIT, pending=0)),
    "a step that has ended": (RUN, replace(WAIT, status="Completed")),
    "the timer of another": (RUN, Instance("op-20:drain", "until", "Running", 1)),
}


@pytest.mark.parametrize("name", AWAKE)
def test_who_will_be_woken_is_awake(name: str) -> None:
    assert asleep(look(HOUR, *AWAKE[name])) == {}


@pytest.mark.parametrize("name", ASLEEP)
def test_a_live_operation_that_nothing_will_wake_is_told_once_the_watch_has_not_found_it(name: str) -> None:
    wake_ups = WakeUps()
    assert wake_ups.broken(look(HOUR, *ASLEEP[name])) == []
    (broken,) = wake_ups.broken(look(HOUR * 2 + FOUND_WITHIN, *ASLEEP[name]))
    assert (broken.invariant, broken.about) == ("a future wake-up", ("op",))


def test_an_operation_that_the_watch_has_found_meanwhile_is_not_told() -> None:
    wake_ups = WakeUps()
    assert wake_ups.broken(look(HOUR, RUN)) == []
    assert wake_ups.broken(look(HOUR * 2, RUN, WAIT)) == []
    assert wake_ups.broken(look(HOUR * 2 + FOUND_WITHIN, RUN)) == []


def test_the_watch_has_its_time_after_a_strike() -> None:
    wake_ups = WakeUps()
    wake_ups.broken(look(HOUR, RUN))
    later = HOUR * 2 + FOUND_WITHIN
    assert wake_ups.broken(look(later, RUN, calm=later - HOUR)) == []
    assert len(wake_ups.broken(look(later + FOUND_WITHIN, RUN, calm=later - HOUR))) == 1


def test_who_has_ended_need_not_be_woken_nor_end() -> None:
    over = head("Failed")
    assert asleep(look(HOUR, of=over)) == {}
    assert list(too_long(look(LONGEST * 2, of=over))) == []


def test_an_operation_that_does_not_end_is_told() -> None:
    assert list(too_long(look(LONGEST))) == []
    (broken,) = too_long(look(LONGEST + HOUR))
    assert broken.message.endswith("has lived for 73 h; at drain")


def told(*things: Thing, **heads: Head) -> list[str]:
    return [violation.about[0] for violation in unnamed(things, heads)]


def made(*ids: str, undone: bool = False, **more: Any) -> Head:
    created = [{"type": "t", "id": each, "undone": undone} for each in ids]
    return head("Failed", created=created, finished_time=(START + 3 * HOUR).isoformat(), **more)


LEFT = Thing(EXTENSION.upper(), CLUSTER, START + HOUR)


def test_what_a_record_of_its_time_names_may_be_left() -> None:
    assert told(LEFT, op=made(EXTENSION)) == []
    assert told(replace(LEFT, since=None), op=made(EXTENSION)) == []


def test_a_leftover_in_no_record_is_told() -> None:
    assert told(LEFT) == [LEFT.id]
    assert told(LEFT, op=made(COMPUTE)) == [LEFT.id]
    assert told(LEFT, op=made(EXTENSION, undone=True)) == [LEFT.id]


@pytest.mark.parametrize("hours", [-1, 4])
def test_a_record_of_another_time_names_what_there_was_then(hours: float) -> None:
    thing = replace(LEFT, since=START + hours * HOUR)
    assert told(thing, op=made(EXTENSION)) == [thing.id]


def test_what_an_attached_compute_relies_on_is_not_left() -> None:
    attached = Thing(COMPUTE, CLUSTER, START + HOUR, compute=True)
    assert told(attached, LEFT, op=made(COMPUTE)) == []
    assert told(replace(attached, cluster=f"{CLUSTER}-2"), LEFT, op=made(COMPUTE)) == [LEFT.id]
    assert told(attached, LEFT) == [COMPUTE, LEFT.id]


def test_a_paused_schedule_is_named_by_who_paused_it() -> None:
    thing = Thing(SCHEDULE, CLUSTER, paused=True)
    steps = [
        {"name": "pause_schedules", "status": "Succeeded", "intents": [{"action": "stop", "resource_id": SCHEDULE}]}
    ]
    assert told(thing, op=head("Succeeded", steps=steps)) == []
    attached = Thing(COMPUTE, CLUSTER, START + HOUR, compute=True)
    assert told(attached, thing, op=made(COMPUTE, SCHEDULE)) == [SCHEDULE]
