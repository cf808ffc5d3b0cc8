"""Runs one operation with a fault at its n-th call, lets it recover, and compares the end with that of a calm run."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from local import world as worlds
from local.app_client import AppError
from local.processes import StackError
from local.world import ENGINEER, cluster_body
from tests.faults import detaches, refusals
from tests.faults.calls import Call, Fault, Plan
from tests.faults.detaches import WAYS, Way
from tests.faults.evidence import Head, Tables, head_of, unpacked
from tests.faults.fault_stack import FaultStack
from tests.faults.invariants import Invariants
from tests.faults.refusals import REFUSED_OPERATIONS, Left

ATTACH, DETACH, EVENT = "attach", "detach", "event attach"
# An attach that Azure ML fails, so that what it made is taken back.
UNDO = "undone attach"
# An attach that removes leftovers of v1 first, and is tried with a job at the end.
TESTED = "tested attach"
# A detach because the cluster was deleted; an attach that Azure ML failed, when a person asks to try it again.
DELETED, RETRIED = "detach of a deleted cluster", "retried attach"
OPERATIONS = (ATTACH, DETACH, EVENT, DELETED, UNDO, RETRIED, TESTED, *WAYS, *REFUSED_OPERATIONS)
_BY_EVENT = {EVENT: "attach", DELETED: "detach"}
# An attach right after a start of the app, for the calls that a process makes once only: tokens and tables.
COLD = "cold attach"
COLD_CALLS = r"^identity|/Tables$"

# Real seconds. A killed host is back after some three; everything else is a matter of a second or two.
_LONGEST_RUN = 300.0
# The watch looks when nothing has moved for so long after a strike: a run that is well has no need of it.
_WATCH_AFTER = 1.2
_POLL = 0.15
# Names beside the target's, and how long something took.
_OF_THIS_RUN = re.compile(r"fault-[a-z]+-\d+|op-[0-9a-f-]{36}|\b\d+ (?:s|min|h)(?: \d+ (?:s|min))?\b")


@dataclass(frozen=True)
class Target:
    """The names of one run. ``runs`` is how many runs of the operation there were before."""

    number: int
    workspace_id: str
    cluster_id: str
    compute_name: str
    operation_id: str = field(default_factory=lambda: f"op-{uuid.uuid4()}")
    runs: int = 0

    @property
    def compute_id(self) -> str:
        return f"{self.workspace_id}/computes/{self.compute_name}"


@dataclass
class Run:
    """What became of one run."""

    operation: str
    plan: Plan | None
    calls: list[Call] = field(default_factory=list)
    struck: Call | None = None
    # For each plan the call that was struck.
    all_struck: list[Call | None] = field(default_factory=list)
    end: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0
    head: Head | None = None
    left: Left | None = None

    @property
    def passed(self) -> bool:
        return not self.problems


class Driver:
    """Takes operations through faults on one stack; every run has names of its own."""

    def __init__(self, faults: FaultStack) -> None:
        self.faults = faults
        self.stack = faults.stack
        self.tables = Tables(faults.stack)
        self.invariants = Invariants(faults.stack, self.tables)
        self._calm: dict[str, dict[str, Any]] = {}

    def close(self) -> None:
        """Give connections back."""
        self.tables.close()

    def warm_up(self, operations: Iterable[str] = OPERATIONS) -> None:
        """Let the app's process do what it does once only (tokens, tables, the import of azure-ai-ml); then be calm."""
        for operation in operations:
            self.run(operation, None)
            self.calm(operation)

    def calm(self, operation: str) -> Run:
        """A run without a fault: its calls, and the end that every other run has to reach."""
        run = self.run(operation, None)
        self._calm[operation] = run.end
        if operation == ATTACH:
            self._calm[COLD] = run.end
        return run

    def run(self, operation: str, plan: Plan | None, *more: Plan) -> Run:
        """One run, checked; ``more`` than one call may be struck in it, with faults that do not end the operation.

        With a plan it is compared with the calm run, which must have been made; when the fault is one that ends the
        operation, with what there was before.
        """
        began = time.monotonic()
        target = self.prepare(operation)
        if operation == COLD:
            self.stack.restart_host()
        done = Run(operation, plan)
        switchboard = self.faults.switchboard
        ends = plan is not None and plan.fault.ends
        before = refusals.state_of(self.stack, target.cluster_id) if ends else {}
        later = self._fail_later(plan, target)
        switchboard.begin(*([] if plan is None or plan.fault is Fault.FAILED_LATER else [plan]), *more)
        try:
            done.head = self._see_through(operation, target)
            done.all_struck = [later] if later else switchboard.struck
            done.struck = next((call for call in done.all_struck if call is not None), None)
        except (TimeoutError, AssertionError) as error:
            done.problems.append(str(error))
        finally:
            done.calls = switchboard.end()
        if done.head is not None:
            done.problems += [str(violation) for violation in self.invariants.check()]
            done.end = self._end_state(done.head, target)
            calm = self._calm.get(operation)
            if ends and done.struck is not None:
                done.left = refusals.left_of(self.stack, target.cluster_id, before)
                done.problems += [*done.left.wrong, *_not_taken_back(done.head)]
            elif plan is not None and calm is not None:
                done.problems += _differences(calm, done.end, done.all_struck)
        done.seconds = time.monotonic() - began
        return done

    def _fail_later(self, plan: Plan | None, target: Target) -> Call | None:
        if plan is None or plan.fault is not Fault.FAILED_LATER:
            return None
        kind = refusals.fail_later(self.stack, target.cluster_id, plan.number)
        return Call(plan.number, "azure", "fails", kind) if kind else None

    def prepare(self, operation: str) -> Target:
        """Put in place what an operation needs, under names that no other run has."""
        number = next(self.faults.numbers)
        name = f"fault-aks-{number}"
        workspace = f"fault-ws-{number}"
        target = Target(
            number,
            worlds.WORKSPACE if operation in _BY_EVENT else worlds.workspace_id(workspace),
            worlds.cluster_id(name),
            f"fault-c-{number}",
        )
        if operation in REFUSED_OPERATIONS:
            workspace_id, cluster_id = refusals.ids(operation, number)
            self.stack.azure.seed(refusals.seed(operation, number))
            return Target(number, workspace_id, cluster_id, target.compute_name)
        if operation in (ATTACH, COLD, UNDO, RETRIED, TESTED):
            self.stack.azure.seed(worlds.additions(name, workspaces=(workspace,)))
        if operation == TESTED:
            self.stack.azure.kubernetes(target.cluster_id).put("ConfigMap", "azuremlfeconfig", "default")
        if operation in (UNDO, RETRIED):
            failure = {"outcome": "fail", "code": "BadRequest", "message": "Not this one.", "every": operation == UNDO}
            self.stack.azure.script_operation(kind="compute.attach", resource=target.compute_id, **failure)
        if operation == RETRIED:
            self._attach_before(target, target.operation_id)
            return replace(target, runs=1)
        if operation == DELETED:
            self._prepare_detach(Way({}), target, worlds.additions(name))
        if operation == DETACH or operation in WAYS:
            self._prepare_detach(WAYS.get(operation, Way({})), target, worlds.additions(name, workspaces=(workspace,)))
        return target

    def _attach_before(self, target: Target, operation_id: str, more: Mapping[str, Any] | None = None) -> None:
        """Attach before what is to be struck. Raises AssertionError, TimeoutError."""
        if not self.ask(ATTACH, target, operation_id, more):
            raise AssertionError("the attach before was not taken")
        self.wait(operation_id, lambda head: head.at_rest)

    def _prepare_detach(self, way: Way, target: Target, seed: dict[str, Any]) -> None:
        if way.attach is not None:
            self.stack.azure.seed(seed)
            self._attach_before(target, f"op-{uuid.uuid4()}", way.attach)
            return
        properties = {"computeType": "Kubernetes", "resourceId": target.cluster_id}
        compute = {"workspaceId": target.workspace_id, "name": target.compute_name, "properties": properties}
        there = detaches.seed(way, target.workspace_id, target.compute_id, target.number)
        self.stack.azure.seed({**seed, "computes": [compute], **there})

    def wait(self, operation_id: str, fits: Callable[[Head], bool]) -> Head:
        """The operation once ``fits`` says so. Raises TimeoutError."""
        deadline = time.monotonic() + _LONGEST_RUN
        while time.monotonic() < deadline:
            head = self.tables.head(operation_id)
            if head is not None and fits(head):
                return head
            time.sleep(_POLL)
        raise TimeoutError(f"waited {_LONGEST_RUN:.0f} s for {operation_id}")

    def _see_through(self, operation: str, target: Target) -> Head:
        """Ask for the operation and stay with it, as a patient caller would, until nothing moves any more."""
        deadline = time.monotonic() + _LONGEST_RUN
        operation_id = target.operation_id
        asked = operation in _BY_EVENT
        if asked:
            self._change_cluster(operation, target)
        seen, moved = "", time.monotonic()
        while time.monotonic() < deadline:
            if not self.stack.host_alive:
                self._start_host()
            if not asked:
                asked = self.ask(operation, target, operation_id)
            by_event = _BY_EVENT.get(operation)
            head = self.tables.head(operation_id) if by_event is None else self._of_event(target, by_event)
            is_over = head is not None and head.at_rest and head.run > target.runs
            if head is not None and is_over and not self.faults.switchboard.striking and self.stack.host_alive:
                return head
            if head is not None and head.status == "NeedsApproval" and _is_told(head):
                self._approve(operation_id)
            if (now_seen := f"{head and head.row}") != seen or not self.stack.host_alive:
                seen, moved = now_seen, time.monotonic()
            if any(self.faults.switchboard.struck) and time.monotonic() > moved + _WATCH_AFTER:
                self.faults.watch()
                moved = time.monotonic()
            time.sleep(_POLL)
        raise TimeoutError(f"{operation} has not ended after {_LONGEST_RUN:.0f} s: {head and head.row}")

    def _start_host(self) -> None:
        """Start the host; one that is killed while it starts is started again. Raises StackError."""
        for _ in self.faults.switchboard.struck:
            try:
                return self.stack.start_host()
            except StackError:
                if self.stack.host_alive:
                    raise
        return self.stack.start_host()

    def ask(self, operation: str, target: Target, operation_id: str, more: Mapping[str, Any] | None = None) -> bool:
        """Ask the app for an operation; False when it did not take it, which a patient caller tries again."""
        detach = operation == DETACH or operation in WAYS
        body = {"workspaceId": target.workspace_id, "computeName": target.compute_name}
        asked: dict[str, Any] = {} if detach else {"clusterId": target.cluster_id}
        verb = "detach" if detach else "attach"
        if operation in WAYS:
            verb, asked = WAYS[operation].verb, WAYS[operation].request
        elif operation == TESTED:
            asked |= {"cleanupLegacy": True, "smokeTest": "training"}
        elif operation in REFUSED_OPERATIONS:
            asked |= refusals.REQUESTS[operation]
        try:
            if operation == RETRIED:
                return self.stack.app.call("POST", f"/operations/{operation_id}/retry").status in (200, 202)
            self.stack.app.start(verb, {**body, **asked, **(more or {})}, operation_id)
        except (OSError, AppError):
            return False
        return True

    def _approve(self, operation_id: str) -> None:
        """Say yes; an answer that does not come is given again, which changes nothing."""
        try:
            self.stack.approver.answer(operation_id, "approve")
        except (OSError, AppError):
            return

    def _change_cluster(self, operation: str, target: Target) -> None:
        if operation == DELETED:
            gone = self.stack.azure.arm("DELETE", target.cluster_id, client_id=ENGINEER)
            if gone.status != 202:
                raise AssertionError(f"the cluster was not deleted: {gone.status} {gone.body}")
            return
        tags = {"moor-workspace": target.workspace_id, "moor-compute": target.compute_name}
        made = self.stack.azure.arm("PUT", target.cluster_id, cluster_body(tags), client_id=ENGINEER)
        if made.status != 201:
            raise AssertionError(f"the cluster was not made: {made.status} {made.body}")

    def _of_event(self, target: Target, kind: str) -> Head | None:
        query = f"RowKey gt 'operation;' and RowKey lt 'operation;~' and compute_name eq '{target.compute_name}'"
        found = self.tables.rows("operations", f"{query} and kind eq '{kind}'")
        if len(found) > 1:
            raise AssertionError(f"{len(found)} operations for one cluster: {[row['id'] for row in found]}")
        return head_of(found[0]) if found else None

    def _end_state(self, head: Head, target: Target) -> dict[str, Any]:
        """Everything that a run leaves behind, without the names and times of this run."""
        azure = self.stack.azure
        own = [e for e in azure.topic_events() if e["event"]["data"]["operationId"] == head.id]
        compute = azure.resource(target.compute_id)
        extensions = [
            r for r in azure.resources("Microsoft.KubernetesConfiguration/extensions")
            if r["id"].lower().startswith(target.cluster_id.lower() + "/")
        ]  # fmt: skip
        effects = [
            e["kind"] for e in azure.operations()
            if e["kind"] != "cluster.create"
            and e["resourceId"].lower().startswith((target.compute_id.lower(), target.cluster_id.lower() + "/"))
        ]  # fmt: skip
        end = {
            "status": head.status,
            "problem": unpacked(head.row, "problem"),
            "result": unpacked(head.row, "result"),
            "steps": {step["name"]: step["status"] for step in head.steps},
            "made": sorted(made["type"] for made in unpacked(head.row, "created")),
            "findings": sorted(f"{f['check']} {f['outcome']}" for f in unpacked(head.row, "findings")),
            "events": sorted({e["event"]["type"] for e in own}),
            "compute": _properties(compute, "provisioningState", "resourceId", "properties"),
            "extensions": [_properties(e, "provisioningState", "configurationSettings") for e in extensions],
            "effects": sorted(effects),
            **detaches.left(self.stack, target.workspace_id),
        }
        bare: dict[str, Any] = _without_names(end, target)
        return bare


@dataclass(frozen=True)
class Warm:
    """A driver, and a calm run of each operation."""

    driver: Driver
    calm: dict[str, Run]


def _is_told(head: Head) -> bool:
    """Whether subscribers have been told of the question: a person would not answer before."""
    return any(question["told"] for question in (unpacked(head.row, "questions") or [])[-1:])


def _not_taken_back(head: Head) -> list[str]:
    """What an operation that has been refused something says of itself, when it is not that it took all back."""
    made = unpacked(head.row, "created")
    left = [each["id"] for each in made if not each["undone"]]
    if head.status == "Failed" and not left:
        return []
    return [f"refused, it is {head.status} and says that it left {left}: {unpacked(head.row, 'problem')}"]


def _properties(resource: dict[str, Any] | None, *names: str) -> dict[str, Any] | None:
    if resource is None:
        return None
    properties = resource["body"]["properties"]
    return {name: properties.get(name) for name in names}


def _without_names(value: Any, target: Target) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_names(inner, target)
            for key, inner in value.items()
            if key not in ("principalId", "extensionPrincipalId")
        }
    if isinstance(value, list):
        return [_without_names(inner, target) for inner in value]
    if isinstance(value, str):
        for name in (target.cluster_id, target.workspace_id, target.compute_name):
            value = value.replace(name, "*")
            value = value.replace(name.rsplit("/", 1)[-1], "*")
        return _OF_THIS_RUN.sub("*", value)
    return value


def _differences(calm: dict[str, Any], end: dict[str, Any], struck: list[Call | None]) -> list[str]:
    found = []
    unheard = any(call is not None and call.kind in ("topic", "identity") for call in struck)
    informs = any(call is not None and call.step == "read_by_sdk" for call in struck)
    for name, wanted in calm.items():
        if end[name] == wanted:
            continue
        # A topic that does not answer is noted and fails nothing: its event may be missing then, with a finding.
        if unheard and name in ("events", "findings"):
            continue
        # What only informs is noted and fails nothing.
        if informs and name == "findings":
            continue
        found.append(f"the end differs in {name}: {end[name]!r} instead of {wanted!r}")
    return found
