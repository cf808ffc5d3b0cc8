"""The Kubernetes API of a managed cluster, through lightkube. Imported when it is first used.

The kubeconfig is read again each time and kept nowhere; nothing of it is run (an ``exec`` entry only says that the
cluster takes Entra tokens), and only its server, authority and static token are used.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from domain.arm_ids import CONNECTED_CLUSTER, ArmId
from domain.cluster.components import (
    HEALTH_CHECK,
    NAMESPACE,
    ROUTER,
    Seen,
)
from domain.cluster.legacy_objects import LegacyObject
from domain.workloads.cluster_objects import (
    AML_JOB,
    ONLINE_ENDPOINT,
    POD,
    ClusterObject,
)
from gateways import clock
from gateways.azure import arm
from gateways.azure.arm import ArmError
from gateways.azure.identity import credential
from gateways.kubernetes import kinds
from gateways.kubernetes.objects import seen_from, work_from

if TYPE_CHECKING:
    from lightkube import Client

# The application that AKS clusters with Entra ID sign in to (articles/aks/kubelogin-authentication). What a kubeconfig
# names instead is not believed: the app's token would go to whoever it names.
SERVER_APPLICATION = "6dae42f8-4368-4678-94ff-3960e28e3630"
_CONNECT_SECONDS, _READ_SECONDS = 5.0, 20.0
_PROBE_PAUSE = 1.0
_TRANSIENT_STATUSES = frozenset({0, 408, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Unreachable:
    """Why the API of a cluster cannot be used from here.

    ``commands``: there is no way to it, but a command in the cluster may help; ``entra``: users sign in with Entra ID.
    """

    reason: str
    remedy: str | None = None
    commands: bool = False
    entra: bool = False

    def and_also(self, other: Unreachable) -> Unreachable:
        """Both reasons: the API was tried first, then a command."""
        return Unreachable(f"{self.reason}, and {other.reason}", remedy=other.remedy or self.remedy)


@dataclass(eq=False)
class KubernetesError(Exception):
    """The API refused a request, or did not answer (``status`` 0: the work may have been done nevertheless)."""

    status: int
    reason: str
    message: str

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed later without anybody doing anything."""
        return self.status in _TRANSIENT_STATUSES

    def __str__(self) -> str:
        return f"{self.status} {self.reason}: {self.message}"


@dataclass(frozen=True)
class Found:
    """A namespace (``spec`` is empty, ``phase`` Active or Terminating) or an instance type that exists."""

    name: str
    spec: Mapping[str, Any]
    annotations: Mapping[str, str]
    phase: str | None = None
    version: str | None = None


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
                        spec=each.get("spec") or {},
                        annotations=each["metadata"].get("annotations") or {},
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


def connect(cluster: ArmId) -> Api | Unreachable:
    """The API of a cluster, seen to answer and to let the app look at namespaces; or why it cannot be used from here.

    Goes in as the app, with an Entra token where the cluster takes one; where that is not let in, with the credential
    of the cluster's administrator, when the app may have it and local accounts are not disabled.

    Raises ArmError when Azure Resource Manager has an outage, KubernetesError when the cluster's API has one.
    """
    if cluster.resource_type == CONNECTED_CLUSTER:
        return Unreachable("an Azure Arc cluster is reached through a proxy on somebody's machine only")
    first = _with_credential(cluster, "listClusterUserCredential", {"format": "exec"})
    if isinstance(first, Api) or first.commands:
        return first
    second = _with_credential(cluster, "listClusterAdminCredential", {})
    return second if isinstance(second, Api) or second.commands else first


def _with_credential(cluster: ArmId, action: str, query: Mapping[str, str]) -> Api | Unreachable:
    try:
        answer = arm.post(f"{cluster}/{action}", arm.CLUSTERS_API, query=query)
    except ArmError as error:
        if error.transient:
            raise
        return Unreachable(
            f"the app gets no kubeconfig of it ({error.code}: {error.message})",
            remedy="Give the app's identity the role Azure Kubernetes Service Cluster User Role on the cluster.",
        )
    config, entra = _config(answer.body)
    if config is None:
        return Unreachable("its kubeconfig holds no way to sign in that the app has")
    api = Api(_client(config))
    try:
        _probe(api)
    except KubernetesError as error:
        api.close()
        if error.transient and error.status:
            raise
        if error.status in (401, 403):
            return Unreachable(
                f"it does not let the app in ({error.message})",
                remedy="Give the app's identity a role in the cluster; docs/roles.md lists them.",
            )
        return Unreachable(f"its API does not answer ({error.reason})", commands=True, entra=entra)
    return api


def _probe(api: Api) -> None:
    """See that the API answers; a connection that is cut once proves nothing."""
    try:
        api.namespace("default")
    except KubernetesError as error:
        if error.status:
            raise
        clock.pause(_PROBE_PAUSE)
        api.namespace("default")


def _config(body: Mapping[str, Any]) -> tuple[dict[str, Any] | None, bool]:
    """What is needed of a kubeconfig, None when it will not do; and whether its user signs in with Entra ID."""
    try:
        document = yaml.safe_load(base64.b64decode(body["kubeconfigs"][0]["value"]))
        cluster = document["clusters"][0]["cluster"]
        user = document["users"][0]["user"] or {}
        kept = {"server": cluster["server"], "certificate-authority-data": cluster["certificate-authority-data"]}
    except (KeyError, IndexError, TypeError, ValueError, yaml.YAMLError):
        return None, False
    entra = _takes_entra(user)
    token = user.get("token") or (entra_token() if entra else None)
    if token is None or not str(kept["server"]).startswith("https://"):
        return None, entra
    config = {
        "current-context": "moor",
        "clusters": [{"name": "moor", "cluster": kept}],
        "users": [{"name": "moor", "user": {"token": token}}],
        "contexts": [{"name": "moor", "context": {"cluster": "moor", "user": "moor"}}],
    }
    return config, entra


def _client(config: Mapping[str, Any]) -> Client:
    import httpx2
    from lightkube import Client, KubeConfig

    kinds.prepare_decoding()
    timeout = httpx2.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS)
    return Client(config=KubeConfig.from_dict(dict(config)), timeout=timeout, trust_env=False)


def _takes_entra(user: Mapping[str, Any]) -> bool:
    """Whether a kubeconfig's user signs in with Entra ID: by a plug-in, in the new or the old form."""
    return "exec" in user or "auth-provider" in user


def entra_token() -> str:
    """A token of the app for the API of clusters. Raises azure.core.exceptions.AzureError."""
    return credential().get_token(f"{SERVER_APPLICATION}/.default").token


@contextmanager
def _explained() -> Iterator[None]:
    import httpx2

    try:
        yield
    except httpx2.HTTPStatusError as error:
        said = _status_object(error.response)
        reason, message = str(said.get("reason") or "Unknown"), str(said.get("message") or "no reason given")
        raise KubernetesError(error.response.status_code, reason, message) from error
    except httpx2.HTTPError as error:
        raise KubernetesError(0, type(error).__name__, str(error) or "no answer") from error


def _status_object(response: Any) -> Mapping[str, Any]:
    try:
        said = response.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
