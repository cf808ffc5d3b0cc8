"""What scenarios share: names, waits with deadlines, questions to the request log, and an independent witness."""

from __future__ import annotations

import os
import re
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from local.app_client import PATIENCE, Answer
from local.stack import Stack
from local.world import ENGINEER, cluster_body

T = TypeVar("T")
# Actions that only read, such as listClusterUserCredential.
_LISTS = re.compile(r"/list[A-Z]\w*$")
Operation = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """What one test attaches to what."""

    workspace_id: str
    cluster_id: str
    compute_name: str

    @property
    def compute_id(self) -> str:
        return f"{self.workspace_id}/computes/{self.compute_name}"

    def attach_body(self, **more: Any) -> dict[str, Any]:
        """The smallest body of POST /attach, and what else the test wants in it."""
        body = {"workspaceId": self.workspace_id, "clusterId": self.cluster_id, "computeName": self.compute_name}
        return {**body, **more}

    def detach_body(self, **more: Any) -> dict[str, Any]:
        """The smallest body of POST /detach, and what else the test wants in it."""
        return {"workspaceId": self.workspace_id, "computeName": self.compute_name, **more}


def eventually(find: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T:
    """What ``find`` answers once it is neither None nor False; fails the test after ``seconds`` of real time."""
    deadline, pause = time.monotonic() + seconds, 0.05
    while True:
        found = find()
        if found is not None and found is not False:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} seconds for {what}")
        time.sleep(pause)
        pause = min(pause * 1.3, 0.3)


def attached(stack: Stack, place: Place) -> Operation:
    """Attach by HTTP and see it through."""
    operation = stack.app.start("attach", place.attach_body())
    return succeeded(stack, operation["id"])


def succeeded(stack: Stack, operation_id: str, seconds: float = PATIENCE) -> Operation:
    """The operation once its last step is over; fails the test unless it succeeded."""
    operation = ended(stack, operation_id, seconds)
    assert operation["status"] == "Succeeded", operation["error"]
    return operation


def ended(stack: Stack, operation_id: str, seconds: float = PATIENCE) -> Operation:
    """The operation once it is final and its last step, which gives claims back, is over."""
    return stack.app.wait_until(
        operation_id,
        lambda o: o["finishedDateTime"] is not None and o["steps"][-1]["status"] not in ("NotStarted", "Running"),
        seconds,
    )


def assert_journal_whole(operation: Operation, journal: Sequence[dict[str, Any]]) -> None:
    """Every entry is there, in order; each step that began ended once, the end is told once.

    Where the run went back to an earlier step, a step may have ended once more each time.
    """
    assert [entry["sequence"] for entry in journal] == list(range(1, len(journal) + 1))
    assert (journal[0]["step"], journal[0]["event"]) == ("operation", "accepted")
    times = [entry["time"] for entry in journal]
    assert times == sorted(times), journal
    events = [(entry["step"], entry["event"]) for entry in journal]
    for step in operation["steps"]:
        name, end = step["name"], step["status"].lower()
        if end == "notstarted":
            assert not [event for event in events if event[0] == name], name
            continue
        assert events.count((name, "started")) == 1, name
        assert 1 <= events.count((name, end)) <= 1 + sum(event == "back" for _, event in events), name
    assert events.count(("operation", operation["status"].lower())) == 1


def changes(stack: Stack, resource_id: str) -> list[tuple[str, int | None]]:
    """Method and status of every request that changed a resource (or something below it), in order."""
    requests = stack.azure.requests(kind="arm", path=f"^{re.escape(resource_id)}($|/)")
    return [(r["method"], r["status"]) for r in requests if r["method"] != "GET" and not _LISTS.search(r["path"])]


def extension_path(cluster_id: str) -> str:
    """ARM id of the extension as Moor names it."""
    return f"{cluster_id}/providers/Microsoft.KubernetesConfiguration/extensions/azureml"


def install_extension(stack: Stack, place: Place) -> None:
    """Have the extension on the cluster, behind everybody's back and at once."""
    properties = {
        "extensionType": "Microsoft.AzureML.Kubernetes",
        "configurationSettings": {"enableTraining": "True"},
    }
    stack.azure.seed({"extensions": [{"clusterId": place.cluster_id, "name": "azureml", "properties": properties}]})


def put_in_place(stack: Stack, place: Place) -> None:
    """Have extension and compute there as an attach leaves them, behind everybody's back and at once."""
    install_extension(stack, place)
    properties = {"resourceId": place.cluster_id, "properties": {"namespace": "default"}}
    compute = {"workspaceId": place.workspace_id, "name": place.compute_name, "properties": properties}
    stack.azure.seed({"computes": [compute]})


def long_operations(stack: Stack, resource_id: str) -> list[str]:
    """Kinds of the long-running operations that the simulated Azure has started on a resource, in order."""
    return [o["kind"] for o in operations_on(stack, resource_id)]


def operations_on(stack: Stack, resource_id: str) -> list[dict[str, Any]]:
    """The long-running operations that the simulated Azure has started on a resource, in order."""
    found = [o for o in stack.azure.operations() if o["resourceId"].lower() == resource_id.lower()]
    return sorted(found, key=lambda o: o["startedAt"])


def halt_before_detach(stack: Stack, place: Place, seen: Place) -> None:
    """Have detach_compute not get to see the compute until the faults are cleared; every step before it does.

    ``seen`` has been detached by the same request: the last read there before Azure was asked is detach_compute's.
    """
    asked = [request["method"] for request in stack.azure.requests(kind="arm", path=f"^{re.escape(seen.compute_id)}$")]
    reads = list(range(asked[: asked.index("DELETE")].count("GET"), 100_000))
    path = f"^{re.escape(place.compute_id)}\\?"
    stack.azure.add_fault(method="GET", path=path, nth=reads, status=503, headers={"Retry-After": "5"})


def hold(stack: Stack, kind: str, resource_id: str, **more: Any) -> None:
    """Have Azure's next operation of a kind on a resource last until ``finish``, however slow the machine is."""
    stack.azure.script_operation(kind=kind, resource=f"{re.escape(resource_id)}$", held=True, **more)


def finish(stack: Stack, resource_id: str) -> None:
    """Have Azure end what it does on a resource, once it has begun."""
    pattern = f"^{re.escape(resource_id)}$"
    eventually(lambda: stack.azure.finish_operations(pattern) > 0, f"Azure to change {resource_id}")


def deletes(stack: Stack, place: Place) -> list[str]:
    """What each DELETE of the compute asked to become of the cluster, in order."""
    requests = stack.azure.requests(kind="arm", method="DELETE", path=f"^{re.escape(place.compute_id)}$")
    return [str(r["query"].get("underlyingResourceAction")) for r in requests]


def step_of(operation: Operation, name: str) -> dict[str, Any]:
    """A step of an operation as the API shows it."""
    return next(step for step in operation["steps"] if step["name"] == name)


def at_step(stack: Stack, operation_id: str, name: str, *statuses: str, seconds: float = PATIENCE) -> Operation:
    """The operation once its step of that name has one of these statuses; fails the test when it ends before."""

    def there(operation: Operation) -> bool:
        step = next((s for s in operation["steps"] if s["name"] == name), {"status": "NotStarted"})
        assert operation["finishedDateTime"] is None or step["status"] in statuses, operation["error"]
        return step["status"] in statuses

    return stack.app.wait_until(operation_id, there, seconds)


def run_now(stack: Stack, function: str) -> None:
    """Run a timer's function now, as the portal does."""
    url = f"{stack.url}/admin/functions/{function}"
    answer = stack.app.call("POST", url, {"input": ""}, {"x-functions-key": stack.keys["master"]})
    assert answer.status == 202, answer


# The timers of the watch: live operations, claims, clusters.
WATCHES = ("watch_operations", "free_claims", "look_at_clusters")


def watch_until(stack: Stack, find: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Run the timers of the watch, which are off in this stack, until it has brought something about."""
    deadline = time.monotonic() + seconds
    while not find():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} seconds for {what}"
        for duty in WATCHES:
            run_now(stack, duty)
        turn = time.monotonic() + 1
        while not find() and time.monotonic() < turn:
            time.sleep(0.05)


def instances(stack: Stack, prefix: str) -> dict[str, dict[str, Any]]:
    """Engine instances whose id begins so, waiters of steps included, as the management API shows them."""
    answer = manage(stack, "GET", f"/instances?instanceIdPrefix={prefix}&showInput=false&top=1000")
    assert answer.status == 200, answer
    return {instance["instanceId"]: instance for instance in answer.body}


def manage(stack: Stack, method: str, path: str) -> Answer:
    """Call the management API of the Durable extension with its system key."""
    url = f"{stack.url}/runtime/webhooks/durabletask{path}"
    return stack.app.call(method, url, key=stack.keys["durabletask"])


def rows(stack: Stack, table: str) -> list[dict[str, Any]]:
    """Every row of a table of the app's, as its storage holds them."""
    with sdk_environment(stack):
        from azure.core.exceptions import ResourceNotFoundError
        from azure.data.tables import TableClient
        from azure.identity import ManagedIdentityCredential

        with (
            ManagedIdentityCredential() as credential,
            TableClient(stack.table_service_uri, table, credential=credential) as client,
        ):
            try:
                return [dict(row) for row in client.list_entities()]
            except ResourceNotFoundError:  # Nobody has written to it yet.
                return []


def claims_of(stack: Stack, *operation_ids: str) -> list[str]:
    """What operations hold or rely on: targets of claims and reservations."""
    return [row["target"] for row in rows(stack, "claims") if row["operation"] in operation_ids]


def make_cluster(stack: Stack, place: Place, **tags: str) -> None:
    """Ask ARM for the cluster, with tags whose names are given with underscores."""
    body = cluster_body({name.replace("_", "-"): value for name, value in tags.items()})
    made = stack.azure.arm("PUT", place.cluster_id, body, client_id=ENGINEER)
    assert made.status in (200, 201), made.body


@contextmanager
def sdk_environment(stack: Stack) -> Iterator[None]:
    """The settings by which the official clients in this process find the stack; undone afterwards.

    MLClient leaves the cloud's name in the environment, and some clients warn when they are imported.
    """
    before = dict(os.environ)
    os.environ.pop("AZUREML_CURRENT_CLOUD", None)
    os.environ.update(stack.settings_environment())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def ml_compute(stack: Stack, place: Place) -> Any:
    """The compute as azure-ai-ml's MLClient reads it. Raises azure.core.exceptions.ResourceNotFoundError."""
    with sdk_environment(stack):
        from azure.ai.ml import MLClient
        from azure.identity import DefaultAzureCredential

        _, _, subscription, _, group, _, _, _, workspace = place.workspace_id.split("/")
        with DefaultAzureCredential() as credential:
            client = MLClient(credential, subscription, group, workspace, enable_telemetry=False)
            assert client._base_url == stack.azure.base_url
            return client.compute.get(place.compute_name)
