"""The act about a detach that takes its time: a person is asked, a job is waited for, and the host dies meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from local import world as worlds
from local.app_client import PATIENCE
from local.demo.views import View
from local.stack import Stack

Operation = dict[str, Any]
Follow = Callable[[Operation, str, float], Operation]


def play_detach(view: View, stack: Stack, compute: str, job: str, follow: Follow) -> Operation:
    """Detach a compute on which a job runs, as patiently as a person would; the operation as it ended.

    Raises AssertionError, TimeoutError or AppError when Moor acts otherwise.
    """
    began = time.monotonic()
    view.section("7  Asked to wait for the job, and for a person's yes, Moor asks")
    view.command('POST /api/detach  {..., "workloads": {"policy": "wait", "deadline": "PT8H"}, "approval": "required"}')
    body = {"workspaceId": worlds.WORKSPACE, "computeName": compute, "approval": "required"}
    operation = stack.app.start("detach", {**body, "workloads": {"policy": "wait", "deadline": "PT8H"}})
    with view.waiting("Moor looks at what uses the compute"):
        asking = stack.app.wait_until(operation["id"], _asks, PATIENCE)
    view.line(asking["progress"]["detail"])

    view.section("8  The host is killed while the question stands, and started again")
    stack.kill_host()
    view.line("killed: kill -9")
    with view.waiting("the host starts again"):
        stack.start_host()
        stack.app.wait_until(operation["id"], _asks, PATIENCE)
    view.line("the question stands as before; nothing was lost")

    view.section("9  Grace, who did not ask, says yes; the job ends, and Moor detaches the compute")
    view.command(
        f'POST /api/operations/{operation["id"]}/approve  {{"questionId": "...", "reason": "the team agreed"}}'
    )
    answer = stack.approver.answer(operation["id"], "approve", "the team agreed")
    if answer.status != 202:
        raise AssertionError(f"the approval was not taken: {answer.status} {answer.body}")
    by = next(e for e in stack.app.journal(operation["id"]) if e["event"] == "decided")["data"]
    view.line(f"the journal names her: {by['name']}, {by['principal']}")
    with view.waiting("Moor continues"):
        drains = stack.app.wait_until(operation["id"], _drains, PATIENCE)
    view.line(f"approved; now it waits: {drains['progress']['detail']}")
    stack.azure.set_job_status(f"{worlds.WORKSPACE}/jobs/{job}", "Completed")
    view.line(f"job {job} is completed")
    return follow(operation, "Succeeded", began)


def _asks(operation: Operation) -> bool:
    return bool(operation["status"] == "NeedsApproval")


def _drains(operation: Operation) -> bool:
    progress = operation["progress"]
    return progress["currentStep"] == "drain" and bool(progress["counts"].get("jobs"))
