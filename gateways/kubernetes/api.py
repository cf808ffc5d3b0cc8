"""What the Kubernetes API of a managed cluster answers, through lightkube. Imported when it is first used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain.cluster.components import (
    HEALTH_CHECK,
    NAMESPACE,
    ROUTER,
    Seen,
)
from domain.cluster.legacy_objects import LegacyObject
from domain.cluster.objects import Found
from domain.redaction import scrub
from domain.workloads.cluster_objects import (
    AML_JOB,
    ONLINE_ENDPOINT,
    POD,
    ClusterObject,
)
from gateways.kubernetes import kinds
from gateways.kubernetes.objects import seen_from, work_from

if TYPE_CHECKING:
    from lightkube import Client

_TRANSIENT_STATUSES = frozenset({0, 408, 429, 500, 502, 503, 504})
# The reason of a call that went over a bound (gateways/kubernetes/transport.py).
OVER_BOUND = "OverBound"


@dataclass(frozen=True)
class Unreachable:
    """Why the API of a cluster cannot be used from here, without the secrets that the cluster may have named.

    ``commands``: there is no way to it, but a command in the cluster may help; ``entra``: users sign in with Entra ID.
    """

    reason: str
    remedy: str | None = None
    commands: bool = False
    entra: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", scrub(self.reason))

    def and_also(self, other: Unreachable) -> Unreachable:
        """Both reasons: the API was tried first, then a command."""
        return Unreachable(f"{self.reason}, and {other.reason}", remedy=other.remedy or self.remedy)


@dataclass(eq=False)
class KubernetesError(Exception):
    """The API refused a request, or did not answer (``status`` 0: the work may have been done nevertheless)."""

    status: int
    reason: str
    message: str

    def __post_init__(self) -> None:
        self.reason, self.message = scrub(self.reason), scrub(self.message)

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed later without anybody doing anything."""
        return self.status in _TRANSIENT_STATUSES

    def __str__(self) -> str:
        return f"{self.status} {self.reason}: {self.message}"


class Api:
    """A cluster that answers; close it after use. Everything raises KubernetesError."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def close(self) -> None:
        """End its connections."""
        self._client.close()

    def components(self) -> Seen:
        """Namespace azureml: workloads, pods, router and health check."""
        from lightkube.resources.apps_v1 import DaemonSet, Deployment, StatefulSet
        from lightkube.resources.core_v1 import ConfigMap, Pod, Service

        with _explained():
            return seen_from(
                deployments=list(self._client.list(Deployment, namespace=NAMESPACE)),
                daemon_sets=list(self._client.list(DaemonSet, namespace=NAMESPACE)),
                stateful_sets=list(self._client.list(StatefulSet, namespace=NAMESPACE)),
                pods=list(self._client.list(Pod, namespace=NAMESPACE)),
                router=self._find(Service, ROUTER, NAMESPACE),
                health=self._find(ConfigMap, HEALTH_CHECK, NAMESPACE),
            )

    def namespace(self, name: str) -> Found | None:
        """A namespace; None when there is none."""
        from lightkube.resources.core_v1 import Namespace

        with _explained():
            found = self._find(Namespace, name)
        if found is None:
            return None
        phase = found.status.phase if found.status is not None else None
        return Found(name, {}, dict(found.metadata.annotations or {}), phase or "Active")

    def create_namespace(self, name: str, labels: Mapping[str, str], annotations: Mapping[str, str]) -> None:
        """Make a namespace; KubernetesError 409 when it exists."""
        from lightkube.models.meta_v1 import ObjectMeta
        from lightkube.resources.core_v1 import Namespace

        metadata = ObjectMeta(name=name, labels=dict(labels), annotations=dict(annotations))
        with _explained():
            self._client.create(Namespace(metadata=metadata))

    def instance_types(self) -> dict[str, Found] | None:
        """Instance types by name; None while the cluster does not know what an instance type is."""
        try:
            with _explained():
                return {
                    str(each["metadata"]["name"]): Found(
                        name=str(each["metadata"]["name"]),
                        spec=_spec_of(each),
                        annotations=dict(each["metadata"].get("annotations") or {}),
                        version=each["metadata"].get("resourceVersion"),
                    )
                    for each in (item.to_dict() for item in self._client.list(kinds.instance_type()))
                }
        except KubernetesError as error:
            if error.status == 404:
                return None
            raise

    def put_instance_type(
        self,
        name: str,
        spec: Mapping[str, Any],
        labels: Mapping[str, str],
        annotations: Mapping[str, str],
        version: str | None = None,
    ) -> None:
        """Make an instance type, or replace the one of that ``version``; KubernetesError 409 when it is another."""
        metadata: dict[str, Any] = {"name": name, "labels": dict(labels), "annotations": dict(annotations)}
        if version is not None:
            metadata["resourceVersion"] = version
        wanted = kinds.instance_type()(metadata=metadata, spec=dict(spec))
        with _explained():
            if version is None:
                self._client.create(wanted)
            else:
                self._client.replace(wanted)

    def legacy_object(self, wanted: LegacyObject) -> Found | None:
        """A leftover of Azure ML v1; None when there is none. Nothing of what it holds is kept."""
        with _explained():
            found = self._find(kinds.kind_of(wanted), wanted.name, wanted.namespace)
        return None if found is None else Found(wanted.name, {}, dict(found.metadata.annotations or {}))

    def delete_legacy_object(self, gone: LegacyObject) -> None:
        """Delete a leftover of Azure ML v1; one that is gone is no error."""
        self._delete(kinds.kind_of(gone), gone.name, gone.namespace)

    def work_in(self, namespace: str) -> list[ClusterObject]:
        """The AmlJob and OnlineEndpoint objects and the pods of a namespace: name, labels and phase, nothing else."""
        from lightkube.resources.core_v1 import Pod

        with _explained():
            pods = [work_from(POD, pod.to_dict()) for pod in self._client.list(Pod, namespace=namespace)]
        return [*self._custom_work(AML_JOB, namespace), *self._custom_work(ONLINE_ENDPOINT, namespace), *pods]

    def _custom_work(self, kind: str, namespace: str) -> list[ClusterObject]:
        try:
            with _explained():
                found = list(self._client.list(kinds.work_kind(kind), namespace=namespace))
        except KubernetesError as error:
            if error.status == 404:  # The cluster does not know the kind: the extension was never installed for it.
                return []
            raise
        return [work_from(kind, each.to_dict()) for each in found]

    def delete_instance_type(self, name: str) -> None:
        """Delete an instance type; one that is gone is no error."""
        self._delete(kinds.instance_type(), name)

    def delete_namespace(self, name: str) -> None:
        """Begin to delete a namespace and all that is in it; one that is gone is no error."""
        from lightkube.resources.core_v1 import Namespace

        self._delete(Namespace, name)

    def has_pods(self, namespace: str) -> bool:
        """Whether anything runs in a namespace."""
        from lightkube.resources.core_v1 import Pod

        with _explained():
            return any(True for _ in self._client.list(Pod, namespace=namespace))

    def _delete(self, kind: Any, name: str, namespace: str | None = None) -> None:
        try:
            with _explained():
                if namespace is None:
                    self._client.delete(kind, name)
                else:
                    self._client.delete(kind, name, namespace=namespace)
        except KubernetesError as error:
            if error.status != 404:
                raise

    def may(self, verb: str, group: str, resource: str, namespace: str | None = None) -> bool:
        """Whether the app may do that to a kind of object, of one namespace or of the whole cluster."""
        from lightkube.models.authorization_v1 import ResourceAttributes, SelfSubjectAccessReviewSpec
        from lightkube.resources.authorization_v1 import SelfSubjectAccessReview

        attributes = ResourceAttributes(verb=verb, group=group, resource=resource, namespace=namespace)
        with _explained():
            answer = self._client.create(
                SelfSubjectAccessReview(spec=SelfSubjectAccessReviewSpec(resourceAttributes=attributes))
            )
        return answer.status is not None and answer.status.allowed

    def find(self, kind: Any, name: str, namespace: str) -> Any:
        """An object of a namespace; None when there is none."""
        with _explained():
            return self._find(kind, name, namespace)

    def put(self, wanted: Any, *, new: bool) -> None:
        """Make an object, or replace the one of its version."""
        with _explained():
            (self._client.create if new else self._client.replace)(wanted)

    def _find(self, kind: Any, name: str, namespace: str | None = None) -> Any:
        import httpx2

        try:
            return self._client.get(kind, name, **({"namespace": namespace} if namespace else {}))
        except httpx2.HTTPStatusError as error:
            if error.response.status_code == 404:
                return None
            raise


@contextmanager
def _explained() -> Iterator[None]:
    import httpx2
    import msgspec

    try:
        yield
    except httpx2.HTTPStatusError as error:
        said = _status_object(error.response)
        reason, message = str(said.get("reason") or "Unknown"), str(said.get("message") or "no reason given")
        raise KubernetesError(error.response.status_code, reason, message) from None
    except httpx2.HTTPError as error:
        raise KubernetesError(0, type(error).__name__, str(error) or "no answer") from None
    except (msgspec.MsgspecError, RecursionError, TypeError, AttributeError, KeyError):
        # Objects in a shape that no cluster of Kubernetes has: what it holds is unknown.
        raise KubernetesError(0, "UnexpectedAnswer", "the answer is not what the API promises") from None


def _spec_of(instance_type: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an instance type says. Raises TypeError or AttributeError where it is in the shape of none."""
    spec: Mapping[str, Any] = instance_type.get("spec") or {}
    resources = spec.get("resources") or {}
    for part in (spec.get("nodeSelector"), resources.get("requests"), resources.get("limits")):
        if part is not None and not isinstance(part, Mapping):
            raise TypeError("an instance type in another shape")
    return spec


def _status_object(response: Any) -> Mapping[str, Any]:
    try:
        said = response.json()
    except (ValueError, RecursionError):  # The latter: a text that nests without measure.
        return {}
    return said if isinstance(said, dict) else {}
