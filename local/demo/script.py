"""The main job, played: a tagged cluster gets attached, is used, refuses to be detached, and is detached in the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from local import world as worlds
from local.app_client import PATIENCE, AppError
from local.demo.detach import play_detach
from local.demo.durations import between, in_words
from local.demo.roles import play_roles
from local.demo.views import View
from local.processes import StackError
from local.stack import Options, Stack, running_stack

T = TypeVar("T")
Operation = dict[str, Any]

CLUSTER, COMPUTE, JOB = "aks-vision", "gpu-pool", "train-resnet"


class DemoError(Exception):
    """Something went differently than it should."""


def play(view: View, state_dir: Path, factor: float) -> int:
    """Play everything on a stack of its own; 0 when all went as it should, else 1."""
    began = time.monotonic()
    view.title("Moor", "attaches Kubernetes clusters to Azure Machine Learning workspaces, and detaches them")
    try:
        view.section("Starting what it needs on this machine")
        parts = Parts(view)
        with running_stack(Options(factor=factor), state_dir=state_dir, progress=parts.next) as stack:
            parts.finish()
            view.line(f"ready; one second here is {in_words(factor)} of simulated time")
            _Demo(view, stack).run()
            view.section("Shutting down")
        view.line(f"nothing is left running; the whole demo took {time.monotonic() - began:.0f} s of real time")
    except KeyboardInterrupt:
        view.line("interrupted; nothing is left running")
        return 130
    except (DemoError, StackError, AppError, TimeoutError, AssertionError, OSError) as error:
        view.failure(f"{error}\nLogs are in {state_dir / 'logs'}")
        return 1
    return 0


class Parts:
    """Tells of each part of the stack when it has come up, and how long that took."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._part: str | None = None
        self._since = 0.0

    def next(self, part: str) -> None:
        """The part before is up; this one begins."""
        self.finish()
        self._part, self._since = part, time.monotonic()

    def finish(self) -> None:
        """The last part is up."""
        if self._part is not None:
            self._view.line(f"{self._part:<24}{time.monotonic() - self._since:4.1f} s")
        self._part = None


class _Demo:
    """The acts, in order. Each raises DemoError, AppError or TimeoutError when Moor or Azure acts otherwise."""

    def __init__(self, view: View, stack: Stack) -> None:
        self._view = view
        self._stack = stack
        self._cluster_id = worlds.cluster_id(CLUSTER)
        self._compute_id = worlds.compute_id(COMPUTE)
        self._done: list[tuple[Operation, float]] = []

    def run(self) -> None:
        """All of it."""
        self._create_cluster()
        self._attach()
        play_roles(self._view, self._stack, self._cluster_id, self._follow)
        self._submit_job()
        self._detach_refused()
        self._detach()
        self._sum_up()

    def _create_cluster(self) -> None:
        self._view.section(f"1  An engineer creates the AKS cluster {CLUSTER}, tagged for Moor")
        self._view.command(f"moor-workspace = {worlds.WORKSPACE}\nmoor-compute   = {COMPUTE}")
        tags = {"moor-workspace": worlds.WORKSPACE, "moor-compute": COMPUTE}
        answer = self._stack.azure.arm("PUT", self._cluster_id, worlds.cluster_body(tags), client_id=worlds.ENGINEER)
        _expect(answer.status == 201, f"Azure answered {answer.status} to the new cluster: {answer.body}")
        began = self._stack.clock.timestamp()
        with self._view.waiting("Azure creates the cluster"):
            _eventually(lambda: self._cluster_state() == "Succeeded" or None, "the cluster to be ready")
        self._view.line(f"Azure has created it, in {in_words(self._stack.clock.timestamp() - began)}")

    def _attach(self) -> None:
        self._view.section("2  Event Grid tells Moor, and Moor attaches the cluster")
        with self._view.waiting("Event Grid delivers, Moor looks at the cluster"):
            operation = _eventually(self._first_operation, "Moor to begin an attach")
        self._follow(operation, "Succeeded")
        compute = self._stack.azure.resource(self._compute_id)
        _expect(compute is not None, "Azure ML has no such compute")
        self._view.line(f"the workspace has the compute {COMPUTE}; nobody called Moor")

    def _submit_job(self) -> None:
        self._view.section("5  A data scientist submits a job to it")
        self._stack.azure.submit_job(worlds.WORKSPACE, JOB, computeId=self._compute_id, status="Running")
        self._view.line(f"job {JOB} is running on {COMPUTE}")

    def _detach_refused(self) -> None:
        self._view.section("6  Somebody asks Moor to detach it nevertheless")
        ended = self._follow(self._ask_for_detach(), "Failed")
        problem = ended["error"] or {}
        _expect(problem.get("code") == "ComputeInUse", f"the detach failed for another reason: {problem}")
        _expect(JOB in problem["message"], f"the refusal does not name the job: {problem}")
        _expect(not self._changes("DELETE"), "the compute was deleted although it was refused")
        self._view.refusal(problem["message"], problem.get("remedy") or "")

    def _detach(self) -> None:
        play_detach(self._view, self._stack, COMPUTE, JOB, self._follow)
        _expect(self._stack.azure.resource(self._compute_id) is None, "the compute is still there")
        _expect(self._cluster_state() == "Succeeded", "the cluster is not as it was")
        self._view.line(f"the compute is gone from the workspace; the cluster {CLUSTER} runs on, untouched")

    def _sum_up(self) -> None:
        self._view.section("What was done")
        rows = [("", "asked by", "outcome", "simulated", "real")]
        for operation, real in self._done:
            outcome = operation["status"] if operation["status"] == "Succeeded" else "refused: ComputeInUse"
            simulated = in_words(between(operation["createdDateTime"], operation["finishedDateTime"]))
            source = operation["requestedBy"]["source"]
            kind = f"{operation['kind']}, planned" if operation["planOnly"] else operation["kind"]
            rows.append((kind, source, outcome, simulated, f"{real:.1f} s"))
        self._view.table(rows)
        extension = f"{self._cluster_id}/providers/Microsoft.KubernetesConfiguration/extensions"
        made = len(self._stack.azure.requests(method="PUT", path=f"^{extension}/"))
        effects = (made, len(self._changes("PUT")), len(self._changes("DELETE")))
        _expect(effects == (1, 1, 1), f"not every effect happened exactly once: {effects}")
        calls = len(self._stack.azure.requests(kind="arm"))
        self._view.line(
            f"Azure saw {calls} calls: the extension installed once, the compute attached once and detached once"
        )

    def _follow(self, operation: Operation, status: str, began: float | None = None) -> Operation:
        """See an operation to its end; ``began`` is when it was asked for, unless that was now (real time)."""
        began = time.monotonic() if began is None else began
        self._view.line(f"operation {operation['id']}")
        with self._view.watching(self._stack.clock.now) as show:
            ended = self._stack.app.wait_until(operation["id"], _all_over, PATIENCE, show)
        _expect(ended["status"] == status, f"the {ended['kind']} ended as {ended['status']}: {ended['error']}")
        self._done.append((ended, time.monotonic() - began))
        return ended

    def _ask_for_detach(self) -> Operation:
        self._view.command(f'POST /api/detach  {{"workspaceId": "...", "computeName": "{COMPUTE}"}}')
        return self._stack.app.start("detach", {"workspaceId": worlds.WORKSPACE, "computeName": COMPUTE})

    def _cluster_state(self) -> str:
        found = self._stack.azure.resource(self._cluster_id)
        return str(found["body"]["properties"]["provisioningState"]) if found else "absent"

    def _first_operation(self) -> Operation | None:
        return next(iter(self._stack.app.operations(f"?clusterId={self._cluster_id}")), None)

    def _changes(self, method: str) -> list[dict[str, Any]]:
        return self._stack.azure.requests(method=method, path=f"^{self._compute_id}$")


def _all_over(operation: Operation) -> bool:
    last = operation["steps"][-1:]
    return bool(last) and operation["finishedDateTime"] is not None and last[0]["status"] == "Succeeded"


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise DemoError(otherwise)


def _eventually(find: Callable[[], T | None], what: str) -> T:
    deadline = time.monotonic() + PATIENCE
    while True:
        found = find()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            raise DemoError(f"waited {PATIENCE:.0f} s in vain for {what}")
        time.sleep(0.1)
