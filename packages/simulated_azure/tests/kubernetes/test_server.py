"""The Kubernetes API of clusters, witnessed by lightkube, which knows nothing of the simulation."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import yaml
from lightkube import ApiError, Client, KubeConfig
from lightkube.generic_resource import create_global_resource
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apiextensions_v1 import CustomResourceDefinition
from lightkube.resources.apps_v1 import Deployment, StatefulSet
from lightkube.resources.core_v1 import ConfigMap, Namespace, Pod, Secret, Service

from packages.simulated_azure.control.client import SimulatedAzure
from packages.simulated_azure.tests.world import (
    CLUSTER,
    EXTENSION,
    EXTENSION_SETTINGS,
    OWNER_OBJECT,
    READER,
    READER_OBJECT,
    extension_body,
    finished,
    seeded_extension,
    until,
)

SERVER_APPLICATION = "6dae42f8-4368-4678-94ff-3960e28e3630"
InstanceType: Any = create_global_resource("amlarc.azureml.com", "v1alpha1", "InstanceType", "instancetypes")
INFERENCE = {
    "enableInference": "True",
    "inferenceRouterServiceType": "LoadBalancer",
    "allowInsecureConnections": "True",
}
SPEC = {"resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "2Gi"}}}


def kubeconfig(azure: SimulatedAzure, action: str = "listClusterUserCredential", query: str = "") -> dict[str, Any]:
    answer = azure.arm("POST", f"{CLUSTER}/{action}{query}")
    assert answer.status == 200, answer.body
    loaded: dict[str, Any] = yaml.safe_load(base64.b64decode(answer.body["kubeconfigs"][0]["value"]))
    return loaded


_open: list[Client] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _open:
        _open.pop().close()


def client(azure: SimulatedAzure, config: dict[str, Any], token: str | None = None) -> Client:
    if token is not None:
        config["users"][0]["user"] = {"token": token}
    proxy = azure.about["httpsProxy"]
    made = Client(config=KubeConfig.from_dict(config), trust_env=False, timeout=httpx2.Timeout(10), proxy=proxy)
    _open.append(made)
    return made


def entra_client(azure: SimulatedAzure, client_id: str = "", resource: str = SERVER_APPLICATION) -> Client:
    return client(azure, kubeconfig(azure, query="?format=exec"), azure.token(resource, client_id))


def status_of(error: pytest.ExceptionInfo[ApiError]) -> tuple[int | None, str | None]:
    return error.value.status.code, error.value.status.reason


@pytest.fixture
def api(azure: SimulatedAzure) -> Client:
    return client(azure, kubeconfig(azure))


def test_namespaces(api: Client) -> None:
    assert {n.metadata.name for n in api.list(Namespace) if n.metadata} == {
        "default",
        "kube-node-lease",
        "kube-public",
        "kube-system",
    }
    made = api.create(Namespace(metadata=ObjectMeta(name="team", annotations={"a": "b"})))
    assert made.status is not None
    assert made.status.phase == "Active"
    with pytest.raises(ApiError) as twice:
        api.create(Namespace(metadata=ObjectMeta(name="team")))
    assert status_of(twice) == (409, "AlreadyExists")
    with pytest.raises(ApiError) as wrong:
        api.create(Namespace(metadata=ObjectMeta(name="Not_A_Name")))
    assert status_of(wrong) == (422, "Invalid")
    api.create(Secret(metadata=ObjectMeta(name="s", namespace="team"), stringData={"k": "v"}))
    api.delete(Namespace, "team")
    until(lambda: all(n.metadata and n.metadata.name != "team" for n in api.list(Namespace)))
    with pytest.raises(ApiError) as gone:
        api.get(Namespace, "team")
    assert status_of(gone) == (404, "NotFound")
    with pytest.raises(ApiError) as homeless:
        api.create(Secret(metadata=ObjectMeta(name="s", namespace="team")))
    assert status_of(homeless) == (404, "NotFound")


def test_a_namespace_that_is_going_takes_nothing_new(azure: SimulatedAzure, api: Client) -> None:
    azure.settings(durations={"kubernetes.namespaceDelete": 1e6})
    api.create(Namespace(metadata=ObjectMeta(name="team")))
    api.delete(Namespace, "team")
    going = api.get(Namespace, "team")
    assert going.status is not None
    assert going.status.phase == "Terminating"
    with pytest.raises(ApiError, match="because it is being terminated"):
        api.create(ConfigMap(metadata=ObjectMeta(name="c", namespace="team")))


def test_components_come_with_the_extension_and_definitions_later(azure: SimulatedAzure, api: Client) -> None:
    azure.settings(durations={"kubernetes.components": 1e6, "kubernetes.definitions": 1e6})
    with pytest.raises(ApiError) as early:
        list(api.list(InstanceType))
    assert status_of(early) == (404, "NotFound")
    finished(azure, azure.arm("PUT", EXTENSION, extension_body()))
    there = {d.metadata.name: d for d in api.list(Deployment, namespace="azureml") if d.metadata}
    assert {"gateway", "aml-operator", "volcano-scheduler", "azureml-kube-state-metrics"} <= there.keys()
    assert not {"azureml-fe-v2", "relayserver"} & there.keys()
    assert all(d.status is not None and not d.status.availableReplicas for d in there.values())
    with pytest.raises(ApiError):
        api.get(CustomResourceDefinition, "instancetypes.amlarc.azureml.com")


def test_an_extension_that_is_up(azure: SimulatedAzure, api: Client) -> None:
    azure.seed({"extensions": [seeded_extension(configurationSettings={**EXTENSION_SETTINGS, **INFERENCE})]})
    router = api.get(Deployment, "azureml-fe-v2", namespace="azureml")
    assert router.status is not None
    assert router.status.availableReplicas == 3
    assert api.get(StatefulSet, "prometheus-prom-prometheus", namespace="azureml").status.readyReplicas == 1  # type: ignore[union-attr]
    service = api.get(Service, "azureml-fe", namespace="azureml")
    assert service.status is not None
    assert service.status.loadBalancer is not None
    assert service.status.loadBalancer.ingress
    azure.kubernetes(CLUSTER).change(loadBalancer=False, health={"reports-test": "E45003"})
    azure.kubernetes(CLUSTER).break_component("gateway")
    waits = {
        c.state.waiting.reason
        for pod in api.list(Pod, namespace="azureml")
        for c in (pod.status.containerStatuses or [] if pod.status else [])
        if c.state and c.state.waiting
    }
    assert waits == {"CrashLoopBackOff"}
    assert api.get(ConfigMap, "arcml-healthcheck", namespace="azureml").data == {"reports-test": "E45003"}
    assert not api.get(Service, "azureml-fe", namespace="azureml").status.loadBalancer.ingress  # type: ignore[union-attr]


def test_what_a_deleted_extension_leaves_behind(azure: SimulatedAzure, api: Client) -> None:
    azure.seed({"extensions": [seeded_extension()]})
    api.create(InstanceType(metadata={"name": "small"}, spec=SPEC))
    finished(azure, azure.arm("DELETE", EXTENSION))
    assert list(api.list(Deployment, namespace="azureml")) == []
    assert api.get(Namespace, "azureml").status.phase == "Active"  # type: ignore[union-attr]
    assert [i.metadata.name for i in api.list(InstanceType) if i.metadata] == ["small"]


def test_instance_types(azure: SimulatedAzure, api: Client) -> None:
    azure.seed({"extensions": [seeded_extension()]})
    made = api.create(InstanceType(metadata={"name": "small"}, spec=SPEC))
    with pytest.raises(ApiError) as incomplete:
        api.create(InstanceType(metadata={"name": "bad"}, spec={"resources": {"limits": {"cpu": "1"}}}))
    assert status_of(incomplete) == (422, "Invalid")
    made["spec"]["nodeSelector"] = {"pool": "a"}
    changed = api.replace(made)
    assert changed["spec"]["nodeSelector"] == {"pool": "a"}
    with pytest.raises(ApiError) as stale:
        api.replace(made)
    assert status_of(stale) == (409, "Conflict")
    assert api.patch(InstanceType, "small", {"spec": {"nodeSelector": None}})["spec"] == SPEC


def test_who_gets_in(azure: SimulatedAzure) -> None:
    assert "token" in kubeconfig(azure)["users"][0]["user"]
    with pytest.raises(ApiError) as wrong:
        list(client(azure, kubeconfig(azure), "guessed").list(Namespace))
    assert status_of(wrong) == (401, "Unauthorized")
    azure.change(CLUSTER, {"properties": {"aadProfile": {"managed": True, "enableAzureRBAC": True}}})
    assert kubeconfig(azure, query="?format=exec")["users"][0]["user"]["exec"]["command"] == "kubelogin"
    assert "auth-provider" in kubeconfig(azure)["users"][0]["user"]
    assert list(client(azure, kubeconfig(azure, "listClusterAdminCredential")).list(Namespace))
    with pytest.raises(ApiError) as other_audience:
        list(entra_client(azure, resource="https://vault.azure.net").list(Namespace))
    assert status_of(other_audience) == (401, "Unauthorized")
    with pytest.raises(ApiError) as no_role:
        list(entra_client(azure).list(Namespace))
    assert status_of(no_role) == (403, "Forbidden")
    assert "User does not have access to the resource in Azure" in str(no_role.value)


@pytest.mark.parametrize(
    ("role", "reads", "instance_types", "makes_namespaces"),
    [
        ("Azure Kubernetes Service RBAC Reader", True, False, False),
        ("Azure Kubernetes Service RBAC Admin", True, True, False),
        ("Azure Kubernetes Service RBAC Cluster Admin", True, True, True),
    ],
)
def test_azure_roles_in_the_cluster(
    azure: SimulatedAzure, role: str, reads: bool, instance_types: bool, makes_namespaces: bool
) -> None:
    azure.change(CLUSTER, {"properties": {"aadProfile": {"managed": True, "enableAzureRBAC": True}}})
    azure.seed({"extensions": [seeded_extension()]})
    azure.seed({"roleAssignments": [{"role": role, "scope": CLUSTER, "principalId": READER_OBJECT}]})
    api = entra_client(azure, READER)

    def works(call: Any) -> bool:
        try:
            call()
        except ApiError as error:
            return error.status.code != 403
        return True

    assert works(lambda: list(api.list(Pod, namespace="azureml"))) is reads
    assert works(lambda: list(api.list(InstanceType))) is instance_types
    assert works(lambda: api.create(Namespace(metadata=ObjectMeta(name="team")))) is makes_namespaces
    # Secrets are for those who may write what is in the cluster.
    assert works(lambda: list(api.list(Secret, namespace="azureml"))) is instance_types


def test_grants_of_kubernetes_itself(azure: SimulatedAzure) -> None:
    azure.change(CLUSTER, {"properties": {"aadProfile": {"managed": True}}})
    api = entra_client(azure)
    with pytest.raises(ApiError):
        list(api.list(Namespace))
    azure.kubernetes(CLUSTER).change(grants={OWNER_OBJECT: "view"})
    assert list(api.list(Namespace))
    with pytest.raises(ApiError):
        api.create(Namespace(metadata=ObjectMeta(name="team")))
    azure.kubernetes(CLUSTER).change(grants={OWNER_OBJECT: "cluster-admin"})
    api.create(Namespace(metadata=ObjectMeta(name="team")))


def test_disabled_local_accounts_end_static_tokens(azure: SimulatedAzure) -> None:
    azure.change(CLUSTER, {"properties": {"aadProfile": {"managed": True}}})
    admin = client(azure, kubeconfig(azure, "listClusterAdminCredential"))
    assert list(admin.list(Namespace))
    azure.change(CLUSTER, {"properties": {"disableLocalAccounts": True}})
    refused = azure.arm("POST", f"{CLUSTER}/listClusterAdminCredential")
    assert refused.status == 400
    with pytest.raises(ApiError):
        list(admin.list(Namespace))


@pytest.mark.parametrize(
    "properties",
    [
        {"apiServerAccessProfile": {"enablePrivateCluster": True}},
        {"apiServerAccessProfile": {"authorizedIPRanges": ["198.51.100.0/24"]}},
        {"powerState": {"code": "Stopped"}},
    ],
)
def test_clusters_that_cannot_be_reached(azure: SimulatedAzure, properties: dict[str, Any]) -> None:
    api = client(azure, kubeconfig(azure))
    azure.change(CLUSTER, {"properties": properties})
    with pytest.raises(httpx2.TransportError):
        api.get(Namespace, "default")
    azure.change(CLUSTER, {"properties": {"apiServerAccessProfile": {"authorizedIPRanges": ["203.0.113.0/24"]}}})
    azure.change(CLUSTER, {"properties": {"powerState": {"code": "Running"}}})
    if "enablePrivateCluster" not in str(properties):
        api.get(Namespace, "default")


def run(azure: SimulatedAzure, command: str, **more: Any) -> dict[str, Any]:
    started = azure.arm("POST", f"{CLUSTER}/runCommand", {"command": command, **more})
    assert (started.status, started.body) == (202, None)

    def probe() -> dict[str, Any] | None:
        answer = azure.arm("GET", started.headers["Location"])
        assert answer.status in (200, 202)
        return answer.body if answer.status == 200 else None

    result: dict[str, Any] = until(probe)["properties"]
    return result


def test_a_cluster_that_answers_nobody_fails_its_commands(azure: SimulatedAzure) -> None:
    azure.kubernetes(CLUSTER).change(unreachable=True)
    result = run(azure, "kubectl get namespaces -o json")
    assert (result["exitCode"], "was refused" in result["logs"]) == (1, True)
    azure.kubernetes(CLUSTER).change(unreachable=False)
    assert run(azure, "kubectl get namespaces -o json")["exitCode"] == 0


def test_r2_no_command_runs_while_the_service_is_at_work_on_the_cluster(azure: SimulatedAzure) -> None:
    azure.change(CLUSTER, {"properties": {"provisioningState": "Updating"}})
    refused = azure.arm("POST", f"{CLUSTER}/runCommand", {"command": "kubectl get ns -o json"})
    assert (refused.status, refused.body["error"]["code"]) == (409, "OperationNotAllowed")
    assert "Another operation (Updating) is in progress" in refused.body["error"]["message"]
    azure.change(CLUSTER, {"properties": {"provisioningState": "Succeeded"}})
    assert run(azure, "kubectl get namespaces -o json")["exitCode"] == 0


def test_commands_in_a_private_cluster(azure: SimulatedAzure) -> None:
    azure.change(CLUSTER, {"properties": {"apiServerAccessProfile": {"enablePrivateCluster": True}}})
    azure.seed({"extensions": [seeded_extension()]})
    listed = run(azure, "kubectl get deployments,pods -n azureml -o json")
    assert listed["exitCode"] == 0
    assert {item["kind"] for item in json.loads(listed["logs"])["items"]} == {"Deployment", "Pod"}
    one = run(azure, "kubectl get ns default --output=json")
    assert json.loads(one["logs"])["metadata"]["name"] == "default"
    missing = run(azure, "kubectl get namespace team -o json")
    assert missing["exitCode"] == 1
    assert missing["logs"].startswith('Error from server (NotFound): namespaces "team" not found')
    assert run(azure, "kubectl get ns team -o json --ignore-not-found")["exitCode"] == 0
    assert run(azure, "kubectl delete ns default")["exitCode"] == 1


def test_commands_print_fields_and_know_which_kinds_there_are(azure: SimulatedAzure) -> None:
    azure.kubernetes(CLUSTER).put("Pod", "p-1", "default", labels={"b": "2", "a": "1"}, status={"phase": "Running"})
    fields = '{range .items[*]}{.kind}{"\\t"}{.metadata.labels}{"\\t"}{.status.phase}{.status.no}{"\\n"}{end}{"."}'
    printed = run(azure, f"kubectl get pods -n default -o 'jsonpath={fields}'")
    assert (printed["exitCode"], printed["logs"]) == (0, 'Pod\t{"a":"1","b":"2"}\tRunning\n.')
    unknown = run(azure, "kubectl get pods,amljobs.amlarc.azureml.com -n default -o json")
    assert unknown["exitCode"] == 1
    assert unknown["logs"] == 'error: the server doesn\'t have a resource type "amljobs"\n'
    assert run(azure, "kubectl get pods -o 'jsonpath={.items[?(@.x)]}'")["exitCode"] == 1


def test_commands_need_both_rights_and_can_be_disabled(azure: SimulatedAzure) -> None:
    body = {"command": "kubectl get ns -o json"}
    assert azure.arm("POST", f"{CLUSTER}/runCommand", body, client_id=READER).status == 403
    role = "Azure Kubernetes Service Cluster Admin Role"
    azure.seed(
        {"principals": [{"name": "x", "objectId": "x0", "clientId": "x1", "roles": [{"role": role, "scope": CLUSTER}]}]}
    )
    started = azure.arm("POST", f"{CLUSTER}/runCommand", body, client_id="x1")
    assert started.status == 202
    assert (
        "commandResults/read" in azure.arm("GET", started.headers["Location"], client_id="x1").body["error"]["message"]
    )
    azure.seed(
        {
            "principals": [
                {"name": "x", "objectId": "x0", "clientId": "x1", "roles": [{"role": "Reader", "scope": CLUSTER}]}
            ]
        }
    )
    assert azure.arm("GET", started.headers["Location"], client_id="x1").status in (200, 202)
    azure.change(CLUSTER, {"properties": {"aadProfile": {"managed": True}}})
    assert azure.arm("POST", f"{CLUSTER}/runCommand", body).status == 400
    azure.change(CLUSTER, {"properties": {"apiServerAccessProfile": {"disableRunCommand": True}}})
    assert "disabled" in azure.arm("POST", f"{CLUSTER}/runCommand", body).body["error"]["message"]


def test_requests_are_logged_without_what_they_carry(azure: SimulatedAzure, api: Client) -> None:
    list(api.list(Namespace))
    (entry,) = azure.requests(kind="kubernetes")
    assert (entry["method"], entry["status"]) == ("GET", 200)
    assert entry["path"] == f"{CLUSTER}/api/v1/namespaces"
    assert "token" not in json.dumps(entry)
