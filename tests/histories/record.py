"""Records the histories of this release: ``python -m tests.histories.record`` (needs the local stack; a minute).

Run it when a release is made, never to make a failing replay pass: operations of the release before are still under
way when the next one is deployed.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from gateways.host_json import orchestration_version
from local import world as worlds
from local.stack import Options, Stack, running_stack
from packages.functions_host.durable.protocol import context_json
from packages.functions_host.durable.store import Instance, Store
from tests.histories.replay import FOLDER, actions
from tests.scenarios.helpers import Place, ended, eventually

_TIMER_CREATED = 10
_WAITS = {"workloads": {"policy": "wait", "deadline": "PT10M"}}


def main() -> None:
    """Run one operation of each sort and write the history of every orchestration that took part."""
    target = FOLDER / str(orchestration_version())
    target.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(Options(factor=300.0), state_dir=Path(folder)) as stack,
    ):
        store = Store(next(Path(folder).rglob("durable.db")))
        _play(stack, store, target)
        store.close()


def _play(stack: Stack, store: Store, target: Path) -> None:
    """Attach (planned, twice, without a cluster, by an event), reattach; detach.

    The detach is planned, too late, approved (and goes back for a job that comes while others are waited for), gone.
    """
    stack.azure.seed(worlds.additions("aks-recorded", workspaces=("recorded",)))
    place = Place(worlds.workspace_id("recorded"), worlds.cluster_id("aks-recorded"), "recorded")
    missing = Place(place.workspace_id, worlds.cluster_id("no-such-cluster"), "missing")
    for name, kind, body in (
        ("attach-plan", "attach?plan=true", place.attach_body()),
        ("attach", "attach", place.attach_body()),
        ("attach-again", "attach", place.attach_body()),
        ("attach-without-cluster", "attach", missing.attach_body()),
        ("reattach-plan", "reattach?plan=true", place.detach_body(description="changed")),
        ("reattach", "reattach", place.detach_body(description="changed")),
        ("detach-plan", "detach?plan=true", place.detach_body()),
        ("detach-too-late", "detach", place.detach_body(**_WAITS)),
        ("detach", "detach", place.detach_body(approval="required", workloads={"policy": "cancel"})),
        ("detach-what-is-gone", "detach", place.detach_body()),
    ):
        if name == "detach-too-late":
            stack.azure.submit_job(place.workspace_id, "train-1", computeId=place.compute_id)
        if name == "detach":
            stack.azure.submit_job(place.workspace_id, "flow-1", jobType="Pipeline", computeId=None)
        operation_id = stack.app.start(kind, body)["id"]
        _snapshot_waiters(stack, store, operation_id, target, name, Meanwhile(stack, place, operation_id))
        ended(stack, operation_id)
        if name == "detach-too-late":
            stack.azure.set_job_status(f"{place.workspace_id}/jobs/train-1", "Completed")
        # The engine notes the end of the instance after its last step has noted its own.
        eventually(partial(_is_finished, store, f"{operation_id}-1"), "the end of the instance")
        for instance in _instances(store, f"{operation_id}-1", finished=True):
            _write(target, name, instance, store)
    tags = {"moor-workspace": worlds.WORKSPACE, "moor-compute": "by-event"}
    stack.azure.arm("PUT", worlds.cluster_id("aks-event"), worlds.cluster_body(tags), client_id=worlds.ENGINEER)
    eventually(lambda: _reaction(store), "the end of the reaction to the event")
    for instance in _instances(store, "cluster-", finished=True):
        _write(target, "cluster-changed", instance, store)


def _reaction(store: Store) -> Instance | None:
    return next((i for i in _instances(store, "cluster-", finished=True) if ":" not in i.instance_id), None)


@dataclass
class Meanwhile:
    """What happens while an operation waits: an approval, and a job that comes while another is waited for."""

    stack: Stack
    place: Place
    operation_id: str
    done: set[str] = field(default_factory=set)

    def act(self, waiting: set[str]) -> None:
        """Do, once each, what the waits seen so far call for."""
        if self._first("approval", "approval" in waiting):
            self.stack.approver.answer(self.operation_id, "approve")
        cancels = self.stack.app.operation(self.operation_id)["request"].get("workloads", {}).get("policy") == "cancel"
        if self._first("job", cancels and "drain" in waiting):
            self.stack.azure.submit_job(self.place.workspace_id, "train-2", computeId=self.place.compute_id)
        if "job" in self.done:
            gone_back = "back" in [entry["event"] for entry in self.stack.app.journal(self.operation_id)]
            if self._first("end", gone_back):
                self.stack.azure.set_job_status(f"{self.place.workspace_id}/jobs/flow-1", "Completed")

    def _first(self, what: str, now: bool) -> bool:
        first = now and what not in self.done
        self.done |= {what} if first else set()
        return first


def _snapshot_waiters(
    stack: Stack, store: Store, operation_id: str, target: Path, name: str, meanwhile: Meanwhile
) -> None:
    """Write what a waiter looks like between two polls, for each step that is waited for."""
    seen: set[str] = set()
    while stack.app.operation(operation_id)["finishedDateTime"] is None:
        for instance in _instances(store, f"{operation_id}-1:", finished=False):
            waits = any(event["EventType"] == _TIMER_CREATED for event in store.history(instance.instance_id))
            if waits and instance.instance_id not in seen:
                seen.add(instance.instance_id)
                _write(target, f"{name}-waiting", instance, store)
        meanwhile.act({instance_id.partition(":")[2] for instance_id in seen})


def _is_finished(store: Store, instance_id: str) -> bool:
    return any(i.instance_id == instance_id for i in _instances(store, instance_id, finished=True))


def _instances(store: Store, prefix: str, *, finished: bool) -> list[Instance]:
    return [i for i in store.instances(prefix) if i.finished is finished]


def _write(target: Path, name: str, instance: Instance, store: Store) -> None:
    step = instance.instance_id.partition(":")[2]
    context: dict[str, Any] = json.loads(
        context_json.render(
            history=store.history(instance.instance_id),
            input_text=instance.input_text,
            instance_id=instance.instance_id,
            parent_instance_id=instance.instance_id.partition(":")[0] if step else None,
            source_instance_id=None,
        )
    )
    fields = {
        "orchestrator": instance.name,
        "context": context,
        "actions": actions(instance.name, context),
    }
    path = target / f"{name}{'-' + step.replace('_', '-') if step else ''}.json"
    path.write_text(json.dumps(fields, indent=1) + "\n")


if __name__ == "__main__":
    main()
