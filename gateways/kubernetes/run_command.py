"""Reading a cluster whose API cannot be reached: kubectl in a pod of it, through AKS run command.

A command is begun and polled, and nobody waits for it: who asks for a result that is not there gets StillRunning, and
asks again for the same. What was begun stands in the record of the step (``of_step``).

Source: AKS documentation (access-private-cluster): both ``runcommand/action`` and ``commandResults/read`` are needed,
the pod has to be scheduled within a minute, and output ends at 512 kB.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, TypeVar

from azure.core.exceptions import AzureError

from domain.arm_ids import ArmId
from domain.cluster.commands import Command
from domain.cluster.components import (
    HEALTH_CHECK,
    NAMESPACE,
    ROUTER,
    Seen,
)
from domain.cluster.objects import Found
from domain.operation.azure_errors import passes
from domain.workloads.cluster_objects import (
    AML_JOB,
    ONLINE_ENDPOINT,
    POD,
    ClusterObject,
)
from gateways import clock
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer, ArmError
from gateways.azure.identity import command_credential
from gateways.kubernetes.api import Unreachable
from gateways.kubernetes.connection import SERVER_APPLICATION
from gateways.kubernetes.kinds import work_resource
from gateways.kubernetes.objects import seen_from, work_from

T = TypeVar("T")
# A command that does not end is given up after so long, and what one has seen before that is old.
_MOST = timedelta(minutes=10)
# Seconds between two polls. Each is an attempt of the step, which reads again what it goes by besides.
_PAUSE, _LONGEST_PAUSE = 10.0, 30.0
# Seconds that a refusal which passes is waited for at most before the next attempt.
_LONGEST_REFUSED = 120.0
# In the place of a result's URL: the command has ended without telling anything, and is to be run again.
_TO_BE_RUN = "again"
# What kubectl and AKS say of a cluster that is short of breath. A refused connection is none: nobody answers there.
_OUTPUT_PASSES = re.compile(
    r"TLS handshake timeout|\((?:ServiceUnavailable|TooManyRequests|ServerTimeout|Timeout)\)"
    r"|currently unable to handle the request|leader changed|etcdserver: request timed out|KubernetesPerformanceError",
    re.IGNORECASE,
)
_EXIT_CODES = {
    126: "the command could not be executed",
    127: "the command was not found",
    137: "killed, as for want of memory",
    143: "stopped from outside",
}
_MOST_SAID = 300
# Of workloads nothing else is asked for: what an OnlineEndpoint specifies has keys in it, and Azure keeps the output.
_FIELDS = (".kind", ".metadata.name", ".metadata.labels", ".status.phase", ".status.state")
# The last line says that the output was not cut.
_END = "end of output"
_LINES = "{range .items[*]}" + '{"\\t"}'.join(f"{{{field}}}" for field in _FIELDS) + f'{{"\\n"}}{{end}}{{"{_END}"}}'
_COMPONENTS = "deployments,daemonsets,statefulsets,pods,services,configmaps"


class StillRunning(Exception):
    """A command in the cluster has no result yet that tells anything: ask again after so many seconds, and why."""

    def __init__(self, after: float, why: str = "a command in the cluster has not ended yet") -> None:
        super().__init__(why)
        self.after = after


class Begun:
    """The commands that a step has begun, by what they ask."""

    def __init__(self, commands: Iterable[Command] = ()) -> None:
        self._commands = {each.asks: each for each in commands}

    @property
    def commands(self) -> tuple[Command, ...]:
        """All of them, the first begun first."""
        return tuple(self._commands.values())

    def find(self, asks: str) -> Command | None:
        """The one that asks this."""
        return self._commands.get(asks)

    def keep(self, command: Command) -> None:
        """Put a command in the place of the one that asks the same."""
        self._commands[command.asks] = command

    def forget(self, asks: str) -> None:
        """Drop a command."""
        self._commands.pop(asks, None)

    def clear(self) -> None:
        """Drop all of them."""
        self._commands.clear()


_begun: ContextVar[Begun | None] = ContextVar("begun", default=None)


@contextmanager
def of_step(begun: Begun) -> Iterator[None]:
    """Have the commands that a step had begun be polled, and those that it begins be kept there."""
    token = _begun.set(begun)
    try:
        yield
    finally:
        _begun.reset(token)


def way_begun() -> Unreachable | None:
    """Why a command was begun, when the step at work has begun one: its cluster need not be tried again meanwhile."""
    begun = _begun.get()
    if begun is None or not begun.commands:
        return None
    return Unreachable("its API did not answer", commands=True, entra=begun.commands[0].entra)


def components(cluster: ArmId, *, entra: bool) -> Seen | Unreachable:
    """Namespace azureml, or why it cannot be read. ``entra``: users sign in to the cluster with Entra ID."""
    from lightkube.resources.apps_v1 import DaemonSet, Deployment, StatefulSet
    from lightkube.resources.core_v1 import ConfigMap, Pod, Service

    found = _get(cluster, [_COMPONENTS, "--namespace", NAMESPACE], entra=entra)
    if isinstance(found, Unreachable):
        return found

    def of(kind: Any, name: str | None = None) -> list[Any]:
        return [
            kind.from_dict(item)
            for item in found
            if item.get("kind") == kind.__name__ and name in (None, item["metadata"]["name"])
        ]

    return _understood(
        lambda: seen_from(
            deployments=of(Deployment),
            daemon_sets=of(DaemonSet),
            stateful_sets=of(StatefulSet),
            pods=of(Pod),
            router=next(iter(of(Service, ROUTER)), None),
            health=next(iter(of(ConfigMap, HEALTH_CHECK)), None),
        )
    )


def namespace(cluster: ArmId, name: str, *, entra: bool) -> Found | Unreachable | None:
    """A namespace, None when there is none, or why that is unknown."""
    found = _get(cluster, ["namespaces"], entra=entra)
    if isinstance(found, Unreachable):
        return found
    items = found

    def named() -> Found | None:
        for item in items:
            if item["metadata"]["name"] == name:
                phase = str((item.get("status") or {}).get("phase") or "Active")
                return Found(name, {}, dict(item["metadata"].get("annotations") or {}), phase)
        return None

    return _understood(named)


def work_in(cluster: ArmId, namespace: str, *, entra: bool) -> list[ClusterObject] | Unreachable:
    """The AmlJob and OnlineEndpoint objects and the pods of a namespace, or why they cannot be read."""
    kinds = {POD: "pods", **{kind: work_resource(kind) for kind in (AML_JOB, ONLINE_ENDPOINT)}}
    while True:
        words = [",".join(kinds.values()), "--namespace", namespace]
        said = _said(cluster, words, f"jsonpath={_LINES}", entra=entra)
        if not isinstance(said, Unreachable):
            return _work(said)
        # The cluster does not know the kind: the extension was never installed for it.
        unknown = [kind for kind, name in kinds.items() if f'resource type "{name.partition(".")[0]}"' in said.reason]
        if not unknown:
            return said
        del kinds[unknown[0]]


def _work(said: str) -> list[ClusterObject] | Unreachable:
    lines = said.rstrip().splitlines()
    if not lines or lines.pop() != _END:
        return Unreachable("the output of a command in it was cut")
    # A line without fields is a warning of kubectl's.
    told = [line.split("\t") for line in lines if "\t" in line]
    return _understood(
        lambda: [
            work_from(
                kind,
                {
                    "metadata": {"name": name, "labels": json.loads(labels or "{}")},
                    "status": {"phase": phase, "state": state},
                },
            )
            for kind, name, labels, phase, state in told
        ]
    )


def _understood(read: Callable[[], T]) -> T | Unreachable:
    """What ``read`` makes of an output; objects in a shape that no cluster of Kubernetes has are unknown."""
    import msgspec

    try:
        return read()
    except (msgspec.MsgspecError, RecursionError, TypeError, AttributeError, KeyError, ValueError):
        return Unreachable("the output of a command in it is no list of objects")


def _get(cluster: ArmId, words: Sequence[str], *, entra: bool) -> list[dict[str, Any]] | Unreachable:
    said = _said(cluster, words, "json", entra=entra)
    if isinstance(said, Unreachable):
        return said
    items = _items(said)
    return Unreachable("the output of a command in it is no list of objects") if items is None else items


def _said(cluster: ArmId, words: Sequence[str], output: str, *, entra: bool) -> str | Unreachable:
    command = shlex.join(["kubectl", "get", *words, "--output", output])
    try:
        answer = _result(cluster, command, entra=entra)
    except ArmError as error:
        if error.transient:
            raise
        if passes(error.status, error.code, error.message, error.inner):
            # Somebody is at work on the cluster: until that is over, what runs in it is unknown and not absent.
            pause = min(max(error.retry_after or 0.0, _PAUSE), _LONGEST_REFUSED)
            why = f"no command can be run in the cluster yet ({error.code}: {error.message[:_MOST_SAID]})"
            raise StillRunning(pause, why) from None
        return _refused(error)
    if isinstance(answer, Unreachable):
        return answer
    properties = answer.body.get("properties") or {}
    if properties.get("exitCode") == 0:
        return str(properties.get("logs") or "")
    said = _end_of(properties)
    if _OUTPUT_PASSES.search(said) or passes(200, "", said):
        _run_once_more(command, entra=entra, said=said)
    return Unreachable(f"a command in it failed: {said[:_MOST_SAID]}")


def _end_of(properties: Mapping[str, Any]) -> str:
    """What a command that did not succeed says, or else the exit code that its pod ended with."""
    said = str(properties.get("logs") or properties.get("reason") or "").strip()
    code = properties.get("exitCode")
    if said or not isinstance(code, int):
        return said or "no reason given"
    why = _EXIT_CODES.get(code)
    return f"it ended with exit code {code}{f' ({why})' if why else ''} and said nothing"


def _run_once_more(asks: str, *, entra: bool, said: str) -> None:
    """Have a command whose failure passes be run again at the next attempt: StillRunning, unless it is given up."""
    begun, now = _begun.get() or Begun(), clock.now()
    known = begun.find(asks)
    since = known.begun if known is not None else now
    if now - since > _MOST:
        begun.forget(asks)
        return
    begun.keep(Command(asks, since, entra, _TO_BE_RUN))
    raise StillRunning(_LONGEST_PAUSE, f"a command in the cluster is run once more: {said[:_MOST_SAID]}")


def _token() -> str | Unreachable:
    """A token to go along with a command: not the app's own, which whoever reads pods in the cluster could take."""
    looking = command_credential()
    if looking is None:
        return Unreachable(
            "a command in it needs an identity that may only look, and MOOR_COMMAND_CLIENT_ID names none",
            remedy="Give the app such an identity; docs/roles.md says how.",
        )
    try:
        return looking.get_token(f"{SERVER_APPLICATION}/.default").token
    except AzureError as error:
        return Unreachable(f"the identity for commands in it gets no token ({type(error).__name__})")


def _result(cluster: ArmId, asks: str, *, entra: bool) -> ArmAnswer | Unreachable:
    """The result of a command, which is begun unless it was. Raises StillRunning while there is none, and ArmError."""
    begun = _begun.get() or Begun()
    known, now = begun.find(asks), clock.now()
    since = now if known is None else known.begun
    if known is not None and known.url == _TO_BE_RUN:
        known = None  # Its time counts from its first beginning.
    answer = _begin(cluster, asks, entra=entra) if known is None else _polled(begun, known)
    if known is not None and now - since > _MOST:
        begun.forget(asks)
        if isinstance(answer, ArmAnswer) and answer.status != 200:
            return Unreachable(f"no command ended in it within {_MOST.total_seconds() / 60:.0f} minutes")
        answer, since = _begin(cluster, asks, entra=entra), now
    if isinstance(answer, Unreachable) or answer.status == 200:
        return answer
    if answer.status != 202 or answer.operation_url is None:
        return Unreachable("a command in it has no result that could be asked for")
    begun.keep(Command(asks, since, entra, answer.operation_url))
    raise StillRunning(min(max(answer.retry_after or 0.0, _PAUSE), _LONGEST_PAUSE))


def _polled(begun: Begun, known: Command) -> ArmAnswer:
    """How a command is; one whose result is lost is run again. Raises StillRunning for that, and ArmError."""
    try:
        return arm.get_url(known.url)
    except ArmError as error:
        if not error.lost:
            raise
        _run_once_more(known.asks, entra=known.entra, said=f"its result is lost ({error.code})")
        raise


def _begin(cluster: ArmId, asks: str, *, entra: bool) -> ArmAnswer | Unreachable:
    token = _token() if entra else ""
    if isinstance(token, Unreachable):
        return token
    body = {"command": asks, "context": "", "clusterToken": token}
    return arm.post(cluster.path.below("runCommand"), arm.CLUSTERS_API, body)


def _refused(error: ArmError) -> Unreachable:
    if error.status == 403:
        return Unreachable(
            f"the app may not run commands in it ({error.message})",
            remedy="Give the app's identity Azure Kubernetes Service Cluster Admin Role and Reader on the cluster.",
        )
    return Unreachable(f"no command can be run in it ({error.code}: {error.message})")


def _items(logs: str) -> list[dict[str, Any]] | None:
    try:
        document = json.loads(logs)
    except (ValueError, RecursionError):  # The latter: a text that nests without measure.
        return None
    items = document.get("items") if isinstance(document, Mapping) else None
    if not isinstance(items, list) or not all(
        isinstance(i, dict) and isinstance(i.get("metadata"), dict) for i in items
    ):
        return None
    return items
