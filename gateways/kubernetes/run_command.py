"""Reading a cluster whose API cannot be reached: kubectl in a pod of it, through AKS run command.

Source: AKS documentation (access-private-cluster): both ``runcommand/action`` and ``commandResults/read`` are needed,
the pod has to be scheduled within a minute, and output ends at 512 kB.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from azure.core.exceptions import AzureError

from domain.arm_ids import ArmId
from domain.cluster.components import (
    HEALTH_CHECK,
    NAMESPACE,
    ROUTER,
    Seen,
)
from domain.cluster.objects import Found
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

_MOST_SECONDS = 75.0
_PAUSE, _LONGEST_PAUSE = 3.0, 10.0
# Of workloads nothing else is asked for: what an OnlineEndpoint specifies has keys in it, and Azure keeps the output.
_FIELDS = (".kind", ".metadata.name", ".metadata.labels", ".status.phase", ".status.state")
# The last line says that the output was not cut.
_END = "end of output"
_LINES = "{range .items[*]}" + '{"\\t"}'.join(f"{{{field}}}" for field in _FIELDS) + f'{{"\\n"}}{{end}}{{"{_END}"}}'
_COMPONENTS = "deployments,daemonsets,statefulsets,pods,services,configmaps"


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

    return seen_from(
        deployments=of(Deployment),
        daemon_sets=of(DaemonSet),
        stateful_sets=of(StatefulSet),
        pods=of(Pod),
        router=next(iter(of(Service, ROUTER)), None),
        health=next(iter(of(ConfigMap, HEALTH_CHECK)), None),
    )


def namespace(cluster: ArmId, name: str, *, entra: bool) -> Found | Unreachable | None:
    """A namespace, None when there is none, or why that is unknown."""
    found = _get(cluster, ["namespaces"], entra=entra)
    if isinstance(found, Unreachable):
        return found
    for item in found:
        if item["metadata"]["name"] == name:
            phase = str((item.get("status") or {}).get("phase") or "Active")
            return Found(name, {}, item["metadata"].get("annotations") or {}, phase)
    return None


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
    try:
        return [
            work_from(
                kind,
                {
                    "metadata": {"name": name, "labels": json.loads(labels or "{}")},
                    "status": {"phase": phase, "state": state},
                },
            )
            for kind, name, labels, phase, state in told
        ]
    except ValueError:
        return Unreachable("the output of a command in it is no list of objects")


def _get(cluster: ArmId, words: Sequence[str], *, entra: bool) -> list[dict[str, Any]] | Unreachable:
    said = _said(cluster, words, "json", entra=entra)
    if isinstance(said, Unreachable):
        return said
    items = _items(said)
    return Unreachable("the output of a command in it is no list of objects") if items is None else items


def _said(cluster: ArmId, words: Sequence[str], output: str, *, entra: bool) -> str | Unreachable:
    command = shlex.join(["kubectl", "get", *words, "--output", output])
    token = _token() if entra else ""
    if isinstance(token, Unreachable):
        return token
    body = {"command": command, "context": "", "clusterToken": token}
    try:
        answer = _finished(arm.post(f"{cluster}/runCommand", arm.CLUSTERS_API, body))
    except ArmError as error:
        if error.transient:
            raise
        return _refused(error)
    if answer is None:
        return Unreachable(f"no command ran in it within {_MOST_SECONDS:.0f} seconds")
    properties = answer.body.get("properties") or {}
    if properties.get("exitCode") != 0:
        said = str(properties.get("logs") or properties.get("reason") or "no reason given").strip()
        return Unreachable(f"a command in it failed: {said[:300]}")
    return str(properties.get("logs") or "")


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


def _finished(answer: ArmAnswer) -> ArmAnswer | None:
    """The result of a command, waited for; None when it does not come."""
    url, waited = answer.operation_url, 0.0
    while answer.status == 202 and url is not None and waited < _MOST_SECONDS:
        pause = min(answer.retry_after or _PAUSE, _LONGEST_PAUSE)
        clock.pause(pause)
        waited += pause
        answer = arm.get_url(url)
    return answer if answer.status == 200 else None


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
    except ValueError:
        return None
    items = document.get("items") if isinstance(document, Mapping) else None
    if not isinstance(items, list) or not all(isinstance(i, dict) and "metadata" in i for i in items):
        return None
    return items
