"""Several attaches at once on one cluster: one installation of the extension, and nobody in anybody's way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from local import world as worlds
from local.stack import Stack
from tests.scenarios.helpers import (
    Place,
    at_step,
    attached,
    changes,
    claims_of,
    ended,
    eventually,
    extension_path,
    finish,
    hold,
    long_operations,
    step_of,
    succeeded,
)

MANY = 5


def start_all(stack: Stack, places: list[Place]) -> list[str]:
    """Start an attach of each at the same moment."""
    with ThreadPoolExecutor(len(places)) as pool:
        return list(pool.map(lambda place: str(stack.app.start("attach", place.attach_body())["id"]), places))


def all_attached(stack: Stack, places: list[Place]) -> None:
    ids = start_all(stack, places)
    operations = [succeeded(stack, operation_id) for operation_id in ids]
    cluster = extension_path(places[0].cluster_id)
    assert long_operations(stack, cluster) == ["extension.create"]
    installers = [o for o in operations if cluster in {created["id"] for created in o["created"]}]
    assert len(installers) == 1
    for place, operation in zip(places, operations, strict=True):
        assert operation["result"]["computeId"] == place.compute_id
        assert changes(stack, place.compute_id) == [("PUT", 201)]
    eventually(lambda: not claims_of(stack, *ids), "claims and reservations given back")


def test_several_computes_on_one_cluster(stack: Stack, place: Place) -> None:
    all_attached(stack, [Place(place.workspace_id, place.cluster_id, f"many-{n}") for n in range(MANY)])


@pytest.mark.long
def test_one_cluster_in_several_workspaces(stack: Stack, place: Place) -> None:
    names = [f"several-{place.compute_name}-{n}" for n in range(MANY)]
    stack.azure.seed(worlds.additions(workspaces=tuple(names)))
    all_attached(stack, [Place(worlds.workspace_id(n), place.cluster_id, f"shared-{i}") for i, n in enumerate(names)])


@pytest.mark.long
def test_several_on_a_cluster_that_has_the_extension(stack: Stack, place: Place) -> None:
    attached(stack, place)
    places = [Place(place.workspace_id, place.cluster_id, f"more-{n}") for n in range(4)]
    operations = [succeeded(stack, operation_id) for operation_id in start_all(stack, places)]
    for operation, attach in zip(operations, places, strict=True):
        made = {created["id"] for created in operation["created"]}
        assert attach.compute_id in made
        assert extension_path(place.cluster_id) not in made
    assert long_operations(stack, extension_path(place.cluster_id)) == ["extension.create"]


@pytest.mark.long
def test_one_of_several_fails_and_the_others_keep_the_extension(stack: Stack, place: Place) -> None:
    places = [Place(place.workspace_id, place.cluster_id, f"some-{n}") for n in range(4)]
    stack.azure.script_operation(
        kind="compute.attach", resource="/some-0$", outcome="fail", code="QuotaExceeded", message="No."
    )
    ids = start_all(stack, places)
    ends = [ended(stack, operation_id)["status"] for operation_id in ids]
    assert ends == ["Failed", "Succeeded", "Succeeded", "Succeeded"]
    extension = stack.azure.resource(extension_path(place.cluster_id))
    assert extension is not None
    assert extension["body"]["properties"]["provisioningState"] == "Succeeded"
    for made in places[1:]:
        compute = stack.azure.resource(made.compute_id)
        assert compute is not None
        assert compute["body"]["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.long
def test_who_installed_it_fails_when_another_workspace_uses_it(stack: Stack, place: Place) -> None:
    """By a compute that somebody attached by hand: another operation of the app's would have waited."""
    hold(stack, "compute.attach", place.compute_id, outcome="fail", code="QuotaExceeded", message="No.")
    operation_id = str(stack.app.start("attach", place.attach_body())["id"])
    at_step(stack, operation_id, "compute_ready", "Waiting")
    name = f"other-{place.compute_name}"
    compute = {
        "workspaceId": worlds.workspace_id(name),
        "name": "other",
        "properties": {"resourceId": place.cluster_id},
    }
    stack.azure.seed({**worlds.additions(workspaces=(name,)), "computes": [compute]})

    finish(stack, place.compute_id)
    failed = ended(stack, operation_id)
    assert failed["error"]["step"] == "compute_ready"
    assert step_of(failed, "undo_extension")["status"] == "Skipped"
    assert "/computes/other uses it" in step_of(failed, "undo_extension")["detail"]
    assert stack.azure.resource(extension_path(place.cluster_id)) is not None
