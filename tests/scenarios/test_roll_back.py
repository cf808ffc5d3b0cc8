"""A release is taken back while operations are under way: they wait, say so, and go on when it is deployed again."""

from __future__ import annotations

from typing import Any

import pytest

from local.stack import Options, Stack, running_stack
from tests.scenarios.conftest import BY_HAND, FACTOR, place_in
from tests.scenarios.helpers import (
    Place,
    assert_journal_whole,
    at_step,
    eventually,
    put_in_place,
    run_now,
    succeeded,
)
from tests.scenarios.test_upgrade import deploy, deployment, present_version

NEWER = "77.0"
LONG = 3000


@pytest.mark.long
def test_what_a_newer_release_began_waits_for_it_and_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    app = deployment(tmp_path_factory.mktemp("app"))
    deploy(app, version=NEWER)
    options = Options(factor=FACTOR, app=app, settings=BY_HAND)
    with running_stack(options, state_dir=tmp_path_factory.mktemp("rolled-back")) as stack:
        waiting = place_in(stack)
        left = begun(stack, waiting)
        stack.stop_host()
        deploy(app, version=present_version())
        stack.start_host()

        # What is begun now is begun by the older release, and nothing stands in its way.
        place = place_in(stack)
        put_in_place(stack, place)
        succeeded(stack, stack.app.start("detach", place.detach_body())["id"])

        told = eventually(lambda: look(stack, left), "the waiting to be told")
        assert told == (
            f"It waits for a newer release to be deployed again: one of orchestration version {NEWER} began it, "
            f"and the app that is deployed has {present_version()}."
        )
        # The compute is still that operation's.
        refused = stack.app.call("POST", "/attach", waiting.attach_body())
        assert (refused.status, refused.body["error"]["operationId"]) == (409, left)
        # Looks later it is still that one run, and told once.
        for _ in range(3):
            run_now(stack, "watch_operations")
        assert waiting_told(stack, left) == [told]
        assert [e["event"] for e in stack.app.journal(left) if e["event"] in ("resumed", "failed")] == []

        stack.stop_host()
        deploy(app, version=NEWER)
        stack.start_host()
        operation = succeeded(stack, left, 120)
        assert operation["progress"]["detail"] is None
        assert_journal_whole(operation, stack.app.journal(left))
        assert waiting_told(stack, left) == [told]


def begun(stack: Stack, place: Place) -> str:
    """A detach that waits for Azure, whose run and wait the newer release has begun."""
    put_in_place(stack, place)
    stack.azure.script_operation(kind="compute.detach", resource=f"{place.compute_id}$", durationSeconds=LONG)
    operation_id = str(stack.app.start("detach", place.detach_body())["id"])
    at_step(stack, operation_id, "compute_gone", "Waiting")
    return operation_id


def look(stack: Stack, operation_id: str) -> str | None:
    """What the operation says it waits for after the watch has looked, once that is another release."""
    run_now(stack, "watch_operations")
    detail = stack.app.operation(operation_id)["progress"]["detail"] or ""
    return detail if "release" in detail else None


def waiting_told(stack: Stack, operation_id: str) -> list[Any]:
    """What the journal says the operation as a whole waited for."""
    entries = [e for e in stack.app.journal(operation_id) if (e["step"], e["event"]) == ("operation", "waiting")]
    return [entry["message"] for entry in entries]
