"""What can be seen of a cluster from here: by its API, by a command in a private one, or not at all."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

from domain.arm_ids import ArmId
from domain.cluster.components import Seen
from domain.cluster.legacy_objects import LEGACY_OBJECTS, LegacyObject, is_of_a_chart
from domain.cluster.objects import Found
from domain.preflight.facts import Legacy, Unread
from domain.workloads.cluster_objects import ClusterObject
from gateways import clock
from gateways.azure.arm import ArmError
from gateways.kubernetes import connection, run_command
from gateways.kubernetes.api import Api, KubernetesError, Unreachable

# A transient error is no reason to go without the cluster's answer: so many attempts, so many seconds apart.
_ATTEMPTS, _PAUSE = 3, 2.0

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """What runs there, or why that is unknown; ``late``: a command in the cluster was run, which takes its time."""

    found: list[ClusterObject] | Unreachable
    late: bool = False


def work_in(cluster: ArmId, namespace: str) -> Answer:
    """The workloads of a namespace, whoever owns them.

    A cluster that is gone, or whose API still fails after the attempts, cannot be asked. Raises ArmError when Azure's
    own answer would pass (an outage, throttling): nothing is known then, and nothing follows from it.
    """
    attempt = 1
    while True:
        try:
            return _work_in(cluster, namespace)
        except (KubernetesError, ArmError) as error:
            if attempt == _ATTEMPTS and error.transient and isinstance(error, ArmError):
                raise
            if attempt == _ATTEMPTS or not error.transient:
                who = "its API" if isinstance(error, KubernetesError) else "Azure"
                return Answer(Unreachable(f"{who} answered {error}"))
        attempt += 1
        clock.pause(_PAUSE)


def _work_in(cluster: ArmId, namespace: str) -> Answer:
    api = run_command.way_begun() or connection.connect(cluster)
    if isinstance(api, Unreachable):
        if not api.commands:
            return Answer(api)
        said = run_command.work_in(cluster, namespace, entra=api.entra)
        return Answer(api.and_also(said) if isinstance(said, Unreachable) else said, late=True)
    with closing(api):
        return Answer(api.work_in(namespace))


def components(cluster: ArmId) -> Seen | Unreachable:
    """Namespace azureml: through the API, else by a command in the cluster. Raises ArmError or KubernetesError."""
    api = run_command.way_begun() or connection.connect(cluster)
    if isinstance(api, Unreachable):
        if not api.commands:
            return api
        return _both(api, run_command.components(cluster, entra=api.entra))
    with closing(api):
        try:
            return api.components()
        except KubernetesError as error:
            if error.status != 403:
                raise
            return Unreachable(f"it does not let the app see namespace azureml ({error.message})")


def namespace(cluster: ArmId, name: str) -> Found | Unreachable | None:
    """A namespace, by the same ways; None when there is none. Raises ArmError or KubernetesError."""
    api = run_command.way_begun() or connection.connect(cluster)
    if isinstance(api, Unreachable):
        if not api.commands:
            return api
        return _both(api, run_command.namespace(cluster, name, entra=api.entra))
    with closing(api):
        return api.namespace(name)


def _both(first: Unreachable, second: T | Unreachable) -> T | Unreachable:
    if isinstance(second, Unreachable):
        return first.and_also(second)
    return second


def legacy(api: Api) -> Legacy | Unread:
    """The leftovers of Azure ML v1, and those of them that the app may not delete.

    Raises KubernetesError when the cluster's API has an outage.
    """
    try:
        found = tuple(legacy_objects(api))
        kept = tuple(each for each in found if not api.may("delete", each.group, each.plural, each.namespace))
    except KubernetesError as error:
        if error.status not in (401, 403):
            raise
        return Unread(error.message)
    return Legacy(found, kept)


def legacy_objects(api: Api) -> list[LegacyObject]:
    """The leftovers that the cluster has, without those that Helm installed. Raises KubernetesError."""
    there = [(each, api.legacy_object(each)) for each in LEGACY_OBJECTS]
    return [each for each, found in there if found is not None and not is_of_a_chart(found.annotations)]
