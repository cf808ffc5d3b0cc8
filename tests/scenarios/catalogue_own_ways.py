"""How an operation meets what Moor itself finds in the way: the state before, the request, what happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from domain.access.relay import CONNECTION_ID_SETTING, relay_of
from domain.arm_ids import parse_arm_id
from local import app_roles
from local import world as worlds
from local.stack import Stack
from packages.simulated_azure.identity.metadata import KEY_VAULT_DNS
from tests.scenarios.helpers import Place, extension_path, hold, install_extension, put_in_place

Act = Callable[[Stack, Place], object]
_VAULT = f"{worlds.GROUP}/providers/Microsoft.KeyVault/vaults/met-vault"
_URL = f"https://met-vault.{KEY_VAULT_DNS}/secrets"
RESOURCES = {"cpu": "1", "memory": "1Gi"}
_TYPE = {"name": "small", "resources": {"requests": RESOURCES, "limits": RESOURCES}}


def _nothing(stack: Stack, place: Place) -> None:
    """The cluster as it is made."""


@dataclass(frozen=True)
class OwnWay:
    """``then`` is done once the operation waits at the step ``at``."""

    key: str
    before: Act = _nothing
    more: dict[str, Any] = field(default_factory=dict)
    kind: str = "attach"
    connected: bool = False
    at: str | None = None
    then: Act = _nothing

    @property
    def place(self) -> Place:
        number = next(n for n, way in enumerate(OWN_WAYS) if way.key == self.key)
        name = f"own-{number}"
        cluster = worlds.connected_cluster_id(name) if self.connected else worlds.cluster_id(name)
        return Place(worlds.workspace_id(name), cluster, name)

    def prepare(self, stack: Stack) -> None:
        """Put the place there, and what the way wants before."""
        body = worlds.cluster_body()
        if self.connected:
            properties = {"agentPublicKeyCertificate": "", "distribution": "k3s"}
            body = {"location": worlds.LOCATION, "identity": {"type": "SystemAssigned"}, "properties": properties}
        place = self.place
        workspace = {"id": place.workspace_id, "location": worlds.LOCATION}
        stack.azure.seed({"workspaces": [workspace], "clusters": [{"id": place.cluster_id, **body}]})
        self.before(stack, place)

    @property
    def body(self) -> dict[str, Any]:
        if self.kind != "attach":
            return self.place.detach_body(**self.more)
        return self.place.attach_body(**{"onFailure": "keep", **self.more})


def _cluster(**properties: Any) -> Act:
    return lambda stack, place: stack.azure.change(place.cluster_id, {"properties": properties})


def _compute(**properties: Any) -> Act:
    def act(stack: Stack, place: Place) -> None:
        put_in_place(stack, place)
        stack.azure.change(place.compute_id, {"properties": properties})

    return act


def _failed_extension(stack: Stack, place: Place) -> None:
    install_extension(stack, place)
    error = {"code": "ExtensionOperationFailed", "message": "timed out waiting for the condition"}
    properties = {"provisioningState": "Failed", "errorInfo": error}
    stack.azure.change(extension_path(place.cluster_id), {"properties": properties})


def _secrets(stack: Stack, place: Place) -> None:
    reads = app_roles.secret_reader(_VAULT, "off", "odd", "none")
    secrets = [{"name": "off", "value": "x", "enabled": False}, {"name": "odd", "value": "x"}]
    stack.azure.seed({"vaults": [{"id": _VAULT, "secrets": secrets}], "roleAssignments": reads})
    stack.azure.add_fault(kind="keyvault", method="GET", path="/secrets/odd", status=400, every=True)


def _setting(url: str) -> dict[str, Any]:
    return {"extension": {"configurationProtectedSettings": {"serviceBusConnectionString": url}}}


def _other_types(stack: Stack, place: Place) -> None:
    install_extension(stack, place)
    other = {"cpu": "3", "memory": "3Gi"}
    spec = {"resources": {"requests": other, "limits": other}}
    stack.azure.kubernetes(place.cluster_id).put("InstanceType", "small", spec=spec)


def _refusing(status: int) -> Act:
    def act(stack: Stack, place: Place) -> None:
        install_extension(stack, place)
        path = f"^{place.cluster_id}/api/v1/namespaces$"
        body = {"kind": "Status", "code": status, "reason": "No", "message": "not this one"}
        stack.azure.add_fault(kind="kubernetes", method="POST", path=path, status=status, body=body, every=True)

    return act


def _terminating(stack: Stack, place: Place) -> None:
    install_extension(stack, place)
    stack.azure.kubernetes(place.cluster_id).put("Namespace", "going", status={"phase": "Terminating"})


def _silent_agents(stack: Stack, place: Place) -> None:
    """Not Moor's own finding: Azure's words, of a cluster of Azure Arc."""
    said = {"code": "ExtensionOperationFailed", "message": "Unable to get response from the Agent in time"}
    where = f"^{place.cluster_id}($|/)"
    stack.azure.script_operation(kind="extension.create", resource=where, every=True, outcome="fail", **said)


def _long_job(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    stack.azure.script_operation(kind="job.run", resource=f"^{place.workspace_id}/", durationSeconds=10**6)


def _cancel_jobs(stack: Stack, place: Place) -> None:
    for job in stack.azure.resources("Microsoft.MachineLearningServices/workspaces/jobs"):
        if job["id"].startswith(f"{place.workspace_id}/"):
            stack.azure.set_job_status(job["id"], "Canceled")


def _no_jobs_to_see(stack: Stack, place: Place) -> None:
    put_in_place(stack, place)
    stack.azure.add_fault(kind="arm", method="GET", path=f"^{place.workspace_id}/jobs", status=403, every=True)


def _slow_extension(stack: Stack, place: Place) -> None:
    hold(stack, "extension.create", extension_path(place.cluster_id))


def _broken(stack: Stack, place: Place) -> None:
    install_extension(stack, place)
    stack.azure.kubernetes(place.cluster_id).break_component("aml-operator")


def _relay_goes(stack: Stack, place: Place) -> None:
    stack.azure.add_fault(kind="arm", method="POST", path=f"{place.compute_name}/.*/listKeys", status=404, every=True)


def _strange_relay(stack: Stack, place: Place) -> None:
    """An extension that names a relay of another resource group: whoever wrote its settings wants its keys read."""
    own = relay_of(parse_arm_id(place.cluster_id)).connection
    group = parse_arm_id(place.cluster_id).resource_group
    named = {CONNECTION_ID_SETTING: own.replace(f"/resourceGroups/{group}/", "/resourceGroups/theirs/")}
    properties = {"extensionType": "Microsoft.AzureML.Kubernetes", "configurationSettings": named}
    stack.azure.seed({"extensions": [{"clusterId": place.cluster_id, "name": "azureml", "properties": properties}]})


def _after_v1(stack: Stack, place: Place) -> None:
    """What v1 has left: a certificate, and an object; and a detach that leaves time for a change."""
    put_in_place(stack, place)
    cluster = stack.azure.kubernetes(place.cluster_id)
    cluster.put("Secret", "azuremlfessl", "default", data={"cert.pem": "YQ==", "key.pem": "Yg=="}, type="Opaque")
    hold(stack, "compute.detach", place.compute_id)


def _without_certificate(stack: Stack, place: Place) -> None:
    _after_v1(stack, place)
    stack.azure.kubernetes(place.cluster_id).remove("/api/v1/namespaces/default/secrets/azuremlfessl")


def _out_of_reach(stack: Stack, place: Place) -> None:
    stack.azure.kubernetes(place.cluster_id).change(unreachable=True)


def _somebody_elses(stack: Stack, place: Place) -> None:
    stack.azure.kubernetes(place.cluster_id).put("Secret", "moor-azuremlfessl", "azureml", data={}, type="Opaque")


def _no_room(stack: Stack, place: Place) -> None:
    """A workspace whose identity has no role yet, in a subscription that takes no more role assignments."""
    identity = {"type": "UserAssigned", "userAssignedIdentities": {worlds.identity_id(place.compute_name): {}}}
    stack.azure.seed({"workspaces": [{"id": place.workspace_id, "location": worlds.LOCATION, "identity": identity}]})
    said = {"code": "RoleAssignmentLimitExceeded", "message": "No more role assignments can be created (code: 1)."}
    path = f"^{place.cluster_id}/providers/Microsoft.Authorization/roleAssignments/"
    stack.azure.add_fault(kind="arm", method="PUT", path=path, status=400, body={"error": said}, every=True)


def _failing_relay(stack: Stack, place: Place) -> None:
    relay = relay_of(parse_arm_id(place.cluster_id)).namespace
    said = {"outcome": "fail", "code": "Conflict", "message": "not now"}
    stack.azure.script_operation(kind="relay.create", resource=f"^{relay}$", every=True, **said)


OWN_WAYS = (
    OwnWay("ClusterNotConnected", _cluster(connectivityStatus="Offline"), connected=True),
    OwnWay("ClusterStopped", _cluster(powerState={"code": "Stopped"})),
    OwnWay("ClusterNotHealthy", _cluster(provisioningState="Failed")),
    OwnWay("ComputeNameInUse", _compute(resourceId=worlds.cluster_id("another"))),
    OwnWay("ComputeNameInUse-legacy", _compute(computeType="AKS")),
    OwnWay("ComputeNameInUse-settings", _compute(properties={"namespace": "other"})),
    OwnWay("ComputeFailed", _compute(provisioningState="Failed")),
    OwnWay("ExtensionMissing", more={"extension": {"manage": "require"}}),
    OwnWay(
        "ExtensionDiffers", install_extension,
        {"extension": {"configurationSettings": {"enableTraining": True, "installVolcano": False}}},
    ),
    OwnWay("ExtensionLeftFailed", _failed_extension),
    OwnWay("SecretNotFound", _secrets, _setting(f"{_URL}/none")),
    OwnWay("SecretDisabled", _secrets, _setting(f"{_URL}/off")),
    OwnWay("SecretRefused", _secrets, _setting(f"{_URL}/odd")),
    OwnWay("ForeignVault", more=_setting("https://kv-met.vault.azure.net/secrets/secret")),
    OwnWay("InstanceTypeDiffers", _other_types, {"instanceTypes": [_TYPE]}),
    OwnWay("InstanceTypeMissing", install_extension, {"defaultInstanceType": "nowhere"}),
    OwnWay("KubernetesForbidden", _refusing(403), {"namespace": "team", "createNamespace": True}),
    OwnWay("KubernetesRefused", _refusing(422), {"namespace": "team", "createNamespace": True}),
    OwnWay(
        "KubernetesNotWritable", _slow_extension, {"namespace": "team", "createNamespace": True}, at="extension_ready",
        then=_out_of_reach,
    ),
    OwnWay(
        "TlsSecretNotKept", _after_v1, {"cleanupLegacy": True}, "reattach", at="compute_gone", then=_somebody_elses
    ),
    OwnWay(
        "LegacyObjectsLeft", _without_certificate, {"cleanupLegacy": True}, "reattach", at="compute_gone",
        then=_out_of_reach,
    ),
    OwnWay("DeadlineExceeded", _terminating, {"namespace": "going"}),
    OwnWay("ComponentsUnhealthy", _broken),
    OwnWay("ComputeUseUnknown", _no_jobs_to_see, kind="detach"),
    OwnWay("SmokeTestTimedOut", _long_job, {"smokeTest": "training"}),
    OwnWay(
        "SmokeTestEnded", _long_job, {"smokeTest": "training"}, at="smoke_test_done", then=_cancel_jobs
    ),
    OwnWay("RelayFailed", _failing_relay, connected=True),
    OwnWay("RelayNotOwn", _strange_relay, connected=True),
    OwnWay("ArcAgentsSilent", _silent_agents, connected=True),
    OwnWay("RelayGone", _relay_goes, connected=True),
    OwnWay("RoleAssignmentLimit", _no_room, {"grantRoles": True}),
)  # fmt: skip

# What Moor raises and no operation can be brought to meet here, each with the reason.
OWN_UNMET = {
    "ExtensionSettingsRefused": "preflight tells the same first; it is for what changes between the two steps",
    "RunLost": "for an engine that has lost its instance; tests/operations/test_watch.py",
    "RunKeepsStopping": "for an engine that stops five times over; tests/operations/test_watch.py",
    "RecordTooLarge": "for a record over the limit of a row; tests/activities/runtime/test_step.py",
    "StepKeepsFailing": "for a bug that raises in every attempt; tests/orchestrators/test_run.py",
}
