"""However often and from wherever it is asked: one operation on a compute, and one change of a cluster's extension."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from local.processes import REPOSITORY
from local.stack import Options, Stack, running_stack
from tests.scenarios.conftest import place_in
from tests.scenarios.helpers import (
    Operation,
    Place,
    assert_journal_whole,
    at_step,
    changes,
    claims_of,
    ended,
    extension_path,
    finish,
    hold,
    install_extension,
    instances,
    long_operations,
    put_in_place,
    step_of,
    succeeded,
)

PROCESSES, TIMES = 2, 25


def test_fifty_at_once_from_two_processes(tmp_path_factory: pytest.TempPathFactory) -> None:
    """With a clock so slow that the watch timer does not take a busy machine for a stuck operation."""
    with running_stack(Options(factor=60), state_dir=tmp_path_factory.mktemp("fifty")) as stack:
        place = place_in(stack)
        install_extension(stack, place)
        answers = post_from_processes(stack, "/attach", place.attach_body())
        assert len(answers) == PROCESSES * TIMES
        (operation_id,) = {operation_id for _, operation_id in answers}
        assert sorted(status for status, _ in answers) == [200] * (PROCESSES * TIMES - 1) + [202]

        operation = succeeded(stack, operation_id)
        assert_journal_whole(operation, stack.app.journal(operation_id))
        assert operations_on(stack, place) == [operation_id]
        assert runs_of(stack, operation_id) == [f"{operation_id}-1"]
        assert changes(stack, place.compute_id) == [("PUT", 201)]
        assert changes(stack, place.cluster_id) == []
        assert stack.azure.resource(place.compute_id) is not None


def test_asked_again_and_otherwise_while_it_runs(stack: Stack, place: Place) -> None:
    hold(stack, "extension.create", extension_path(place.cluster_id))
    first = stack.app.call("POST", "/attach", place.attach_body(reason="the first"))
    assert first.status == 202
    operation_id = first.body["id"]
    at_step(stack, operation_id, "extension_ready", "Waiting")

    shouted = {"workspaceId": place.workspace_id.upper(), "clusterId": place.cluster_id.strip("/").upper()}
    for body in (place.attach_body(), {**place.attach_body(reason="the second"), **shouted}):
        again = stack.app.call("POST", "/attach", body)
        assert (again.status, again.body["id"]) == (200, operation_id)
        assert again.headers["operation-location"] == first.headers["operation-location"]
        assert again.body["request"]["reason"] == "the first"

    others = (("/attach", place.attach_body(namespace="other")), ("/detach", place.detach_body()))
    for path, body in others:
        refused = stack.app.call("POST", path, body)
        assert refused.status == 409
        error = refused.body["error"]
        assert error["code"] == "OperationConflict"
        assert error["operationId"] == operation_id
        assert error["operationLocation"] == first.headers["operation-location"]
        assert refused.headers["operation-location"] == first.headers["operation-location"]

    finish(stack, extension_path(place.cluster_id))
    succeeded(stack, operation_id)
    assert operations_on(stack, place) == [operation_id]
    assert changes(stack, place.compute_id) == [("PUT", 201)]


@pytest.mark.long
def test_an_attach_waits_for_no_detach(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    hold(stack, "compute.detach", place.compute_id)
    detach = stack.app.start("detach", place.detach_body())
    refused = stack.app.call("POST", "/attach", place.attach_body())
    assert (refused.status, refused.body["error"]["operationId"]) == (409, detach["id"])
    finish(stack, place.compute_id)
    succeeded(stack, detach["id"])
    succeeded(stack, stack.app.start("attach", place.attach_body())["id"])


def test_the_callers_own_id(stack: Stack, new_place: Callable[[], Place]) -> None:
    place, other = new_place(), new_place()
    put_in_place(stack, place)
    own = f"ticket-{place.compute_name}"
    headers = {"Operation-Id": own}
    first = stack.app.call("POST", "/detach", place.detach_body(), headers)
    assert (first.status, first.body["id"]) == (202, own)
    assert first.headers["operation-location"].endswith(f"/api/operations/{own}")
    same = stack.app.call("POST", "/detach", place.detach_body(), headers)
    assert (same.status, same.body["id"]) == (200, own)
    refused = stack.app.call("POST", "/detach", other.detach_body(), headers)
    assert (refused.status, refused.body["error"]["code"]) == (409, "OperationIdInUse")
    assert refused.body["error"]["operationId"] == own

    succeeded(stack, own)
    finished = stack.app.call("POST", "/detach", place.detach_body(), headers)
    assert (finished.status, finished.body["status"]) == (200, "Succeeded")
    assert "retry-after" not in finished.headers
    assert runs_of(stack, own) == [f"{own}-1"]
    assert changes(stack, place.compute_id) == [("DELETE", 202)]
    assert changes(stack, other.compute_id) == []


@pytest.mark.long
def test_two_computes_on_one_cluster(stack: Stack, new_place: Callable[[], Place]) -> None:
    """One installs the extension; the other waits until it is there and adopts it."""
    place, elsewhere = new_place(), new_place()
    second = Place(elsewhere.workspace_id, place.cluster_id, elsewhere.compute_name)
    third = Place(place.workspace_id, place.cluster_id, f"more-{place.compute_name}"[:16])
    ids = [stack.app.start("attach", p.attach_body())["id"] for p in (place, second, third)]
    operations = [succeeded(stack, operation_id) for operation_id in ids]
    for operation in operations:
        assert_journal_whole(operation, stack.app.journal(operation["id"]))

    extension = extension_path(place.cluster_id)
    assert changes(stack, extension) == [("PUT", 201)]
    makers = [o for o in operations if extension in [made["id"] for made in o["created"]]]
    assert len(makers) == 1
    for operation in operations:
        if operation is not makers[0]:
            step = step_of(operation, "install_extension")
            assert step["attempts"] > 1
            assert step["detail"] == "the extension exists already"
            assert len(operation["created"]) == 1
    for p in (place, second, third):
        assert changes(stack, p.compute_id) == [("PUT", 201)]
        assert stack.azure.resource(p.compute_id) is not None
    assert claims_of(stack, *ids) == []


@pytest.mark.long
def test_the_next_one_may_go_when_one_has_failed(stack: Stack, new_place: Callable[[], Place]) -> None:
    """Who waits for another operation's extension is not held up by its failure, and installs it then."""
    place, elsewhere = new_place(), new_place()
    second = Place(elsewhere.workspace_id, place.cluster_id, elsewhere.compute_name)
    extension = extension_path(place.cluster_id)
    hold(stack, "extension.create", extension, outcome="fail", message="no nodes left")
    ids = [stack.app.start("attach", p.attach_body())["id"] for p in (place, second)]
    # Neither begins with an extension that has failed already: both wait for the one that Azure installs.
    for operation_id in ids:
        at_step(stack, operation_id, "preflight", "Succeeded")
    finish(stack, extension)
    operations = [ended(stack, operation_id) for operation_id in ids]
    (failed,) = (o for o in operations if o["status"] == "Failed")
    (worked,) = (o for o in operations if o["status"] == "Succeeded")
    assert failed["error"]["step"] == "extension_ready"
    assert "no nodes left" in failed["error"]["azure"]["message"]
    assert [(made["id"], made["undone"]) for made in failed["created"]] == [(extension, True)]
    assert extension in [made["id"] for made in worked["created"]]
    assert long_operations(stack, extension) == ["extension.create", "extension.delete", "extension.create"]
    assert claims_of(stack, *ids) == []


def post_from_processes(stack: Stack, path: str, body: dict[str, Any]) -> list[tuple[int, str]]:
    command = [sys.executable, "-m", "tests.scenarios.post_many"]
    asked = {"url": stack.url, "token": stack.app.token, "path": path, "body": body, "times": TIMES}
    with ExitStack() as exits:
        pipes = []
        for _ in range(PROCESSES):
            process = exits.enter_context(
                subprocess.Popen(
                    command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
                )
            )
            exits.callback(process.kill)
            assert process.stdin is not None
            assert process.stdout is not None
            pipes.append((process.stdin, process.stdout))
        for into, _ in pipes:
            into.write(json.dumps(asked) + "\n")
        for _, out in pipes:
            assert out.readline() == "ready\n"
        for into, _ in pipes:
            into.write("go\n")
        answers = [answer for _, out in pipes for answer in json.loads(out.readline())]
        return [(status, operation_id) for status, operation_id in answers]


def operations_on(stack: Stack, place: Place) -> list[str]:
    found: list[Operation] = stack.app.operations(f"?workspaceId={place.workspace_id}&computeName={place.compute_name}")
    return [operation["id"] for operation in found]


def runs_of(stack: Stack, operation_id: str) -> list[str]:
    """Engine instances of an operation without the waiters of its steps."""
    return [instance for instance in instances(stack, operation_id) if ":" not in instance]
