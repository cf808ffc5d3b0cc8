"""Three operations, each at a change that Azure takes its time for, and what must have become of them in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from local.stack import Stack
from tests.scenarios.helpers import (
    Operation,
    Place,
    assert_journal_whole,
    at_step,
    claims_of,
    deletes,
    extension_path,
    finish,
    hold,
    install_extension,
    long_operations,
    ml_compute,
    operations_on,
    put_in_place,
    succeeded,
)

WAITS = ("extension_ready", "compute_ready", "compute_gone")


@dataclass(frozen=True)
class UnderWay:
    """An attach that installs the extension, one that attaches the compute, and a detach."""

    installing: Place
    attaching: Place
    detaching: Place
    ids: tuple[str, str, str]

    @property
    def changing(self) -> tuple[str, str, str]:
        """What is being changed in Azure."""
        return extension_path(self.installing.cluster_id), self.attaching.compute_id, self.detaching.compute_id


def start_all(stack: Stack, new_place: Callable[[], Place]) -> UnderWay:
    """Start the three; their changes in Azure last until ``finish_all``, so that a test has done its worst before."""
    installing, attaching, detaching = new_place(), new_place(), new_place()
    install_extension(stack, attaching)
    put_in_place(stack, detaching)
    for kind, resource_id in (
        ("extension.create", extension_path(installing.cluster_id)),
        ("compute.attach", attaching.compute_id),
        ("compute.detach", detaching.compute_id),
    ):
        hold(stack, kind, resource_id)
    bodies = (
        ("attach", installing.attach_body()),
        ("attach", attaching.attach_body()),
        ("detach", detaching.detach_body()),
    )
    first, second, third = (stack.app.start(kind, body)["id"] for kind, body in bodies)
    return UnderWay(installing, attaching, detaching, (first, second, third))


def wait_until_azure_is_at_work(stack: Stack, under_way: UnderWay) -> None:
    """Until each operation waits for its change."""
    for operation_id, step in zip(under_way.ids, WAITS, strict=True):
        at_step(stack, operation_id, step, "Waiting")
    for resource_id in under_way.changing:
        assert [o["status"] for o in operations_on(stack, resource_id)] == ["InProgress"]


def finish_all(stack: Stack, under_way: UnderWay) -> None:
    """Let Azure end the three changes."""
    for resource_id in under_way.changing:
        finish(stack, resource_id)


def assert_each_effect_once(stack: Stack, under_way: UnderWay) -> list[Operation]:
    """Azure ends; all three succeed, with one long-running operation for each change and nothing claimed any more."""
    finish_all(stack, under_way)
    operations = [succeeded(stack, operation_id) for operation_id in under_way.ids]
    for operation in operations:
        assert_journal_whole(operation, stack.app.journal(operation["id"]))
    installing, attaching, detaching = under_way.installing, under_way.attaching, under_way.detaching
    assert long_operations(stack, extension_path(installing.cluster_id)) == ["extension.create"]
    assert long_operations(stack, installing.compute_id) == ["compute.attach"]
    assert long_operations(stack, extension_path(attaching.cluster_id)) == []
    assert long_operations(stack, attaching.compute_id) == ["compute.attach"]
    assert long_operations(stack, detaching.compute_id) == ["compute.detach"]
    assert deletes(stack, detaching) == ["Detach"]
    created = [sorted(made["id"] for made in operation["created"]) for operation in operations]
    extension = extension_path(installing.cluster_id)
    assert created == [sorted([extension, installing.compute_id]), [attaching.compute_id], []]
    assert ml_compute(stack, installing).provisioning_state == "Succeeded"
    assert ml_compute(stack, attaching).provisioning_state == "Succeeded"
    assert stack.azure.resource(detaching.compute_id) is None
    assert claims_of(stack, *under_way.ids) == []
    return operations
