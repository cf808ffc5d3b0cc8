"""The extension as a request wants it: installed, adopted, changed or left alone; its secrets from Key Vault."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from local import app_roles
from local import world as worlds
from local.stack import Stack
from packages.simulated_azure.identity.metadata import KEY_VAULT_DNS
from tests.pem import CNAME, Pair, make_pair
from tests.scenarios.helpers import (
    Operation,
    Place,
    changes,
    claims_of,
    ended,
    extension_path,
    sdk_environment,
    step_of,
    succeeded,
)

INFERENCE = {"enableInference": True, "inferenceRouterServiceType": "LoadBalancer", "sslCname": CNAME}
VAULT = f"{worlds.GROUP}/providers/Microsoft.KeyVault/vaults/moor-vault"


def put_secrets(stack: Stack, values: dict[str, str]) -> dict[str, str]:
    """Put secrets into the vault; answers their ids by name."""
    secrets = [{"name": name, "value": value} for name, value in values.items()]
    reads = app_roles.secret_reader(VAULT, *values)
    stack.azure.seed({"vaults": [{"id": VAULT, "secrets": secrets}], "roleAssignments": reads})
    return {name: f"https://moor-vault.{KEY_VAULT_DNS}/secrets/{name}" for name in values}


def tls(stack: Stack, place: Place, pair: Pair) -> dict[str, str]:
    """The protected settings of a request, with the pair in the vault."""
    cert, key = f"cert-{place.compute_name}", f"key-{place.compute_name}"
    ids = put_secrets(stack, {cert: pair.certificate, key: pair.key})
    return {"sslCertPemFile": ids[cert], "sslKeyPemFile": ids[key]}


def attach(stack: Stack, place: Place, **extension: Any) -> Operation:
    """Attach with an extension, to its end whatever that is."""
    return ended(stack, stack.app.start("attach", place.attach_body(extension=extension))["id"])


def seed_extension(
    stack: Stack, place: Place, settings: dict[str, str], protected: dict[str, str] | None = None
) -> None:
    """An extension that somebody else installed."""
    properties = {
        "extensionType": "Microsoft.AzureML.Kubernetes",
        "configurationSettings": {
            "cluster_name": place.cluster_id,
            "domain": "westeurope.cloudapp.azure.com",
            "location": "westeurope",
            **settings,
        },
        "configurationProtectedSettings": protected or {},
    }
    stack.azure.seed({"extensions": [{"clusterId": place.cluster_id, "name": "azureml", "properties": properties}]})


def in_azure(stack: Stack, place: Place) -> tuple[dict[str, str], dict[str, str]]:
    """Plain and protected settings as Azure has them."""
    found = stack.azure.resource(extension_path(place.cluster_id))
    assert found is not None
    return found["body"]["properties"]["configurationSettings"], found["hidden"]["protected"]


def written(stack: Stack, *needles: str) -> list[Path]:
    """Files of the stack, but those of the simulated Azure itself, that hold one of the texts."""
    found = []
    for path in stack.state_dir.rglob("*"):
        if path.is_file() and (stack.state_dir / "azure") not in path.parents:
            content = path.read_bytes()
            found += [path for needle in needles if needle.encode() in content]
    return found


def test_inference_with_tls_from_the_vault(stack: Stack, place: Place) -> None:
    pair = make_pair()
    protected = tls(stack, place, pair)
    settings = {**INFERENCE, "enableTraining": True}
    operation = attach(stack, place, configurationSettings=settings, configurationProtectedSettings=protected)
    assert operation["status"] == "Succeeded", operation["error"]

    plain, secret = in_azure(stack, place)
    assert plain["enableTraining"] == plain["enableInference"] == "True"
    assert plain["clusterPurpose"] == "FastProd"
    assert not {"sslCertPemFile", "sslKeyPemFile"} & {*plain, *secret}
    assert base64.b64decode(secret["scoringFe.sslCert"]).decode() == pair.certificate
    assert base64.b64decode(secret["scoringFe.sslKey"]).decode() == pair.key

    with sdk_environment(stack):
        from azure.identity import ManagedIdentityCredential
        from azure.mgmt.kubernetesconfiguration.extensions import KubernetesConfigurationExtensionsMgmtClient

        url, (_, _, subscription, _, group, _, provider, kind, cluster) = (
            stack.azure.base_url,
            place.cluster_id.split("/"),
        )
        with (
            ManagedIdentityCredential() as credential,
            KubernetesConfigurationExtensionsMgmtClient(
                credential, subscription, base_url=url, credential_scopes=[f"{url}/.default"]
            ) as client,
        ):
            read = client.extensions.get(group, provider, kind, cluster, "azureml")
    assert read.configuration_settings == plain
    assert read.provisioning_state == "Succeeded"
    assert read.release_train == "stable"

    # The canary: neither the texts nor what is sent of them are anywhere but in Azure.
    canaries = [line for text in (pair.certificate, pair.key) for line in text.splitlines()[1:3]]
    canaries += [secret["scoringFe.sslKey"][60:120], secret["scoringFe.sslCert"][60:120]]
    assert written(stack, protected["sslKeyPemFile"]), "the search sees what is written"
    assert written(stack, *canaries) == []


@pytest.mark.parametrize("trouble", ["pass phrase", "do not match", "not for", "no key in PEM", "forbidden"])
def test_what_is_wrong_in_the_vault_is_told_before_anything_is_changed(
    stack: Stack, place: Place, trouble: str
) -> None:
    pair, other = make_pair(), make_pair()
    texts = {
        "pass phrase": (pair.certificate, pair.encrypted_key),
        "do not match": (pair.certificate, other.key),
        "not for": ((wrong := make_pair("other.contoso.example")).certificate, wrong.key),
        "no key in PEM": (pair.certificate, pair.certificate),
        "forbidden": (pair.certificate, pair.key),
    }[trouble]
    cert, key = f"cert-{place.compute_name}", f"key-{place.compute_name}"
    ids = put_secrets(stack, {cert: texts[0], key: texts[1]})
    protected = {"sslCertPemFile": ids[cert], "sslKeyPemFile": ids[key]}
    if trouble == "forbidden":
        locked = VAULT + "-locked"
        stack.azure.seed({"vaults": [{"id": locked, "secrets": [{"name": "x", "value": pair.key}]}]})
        protected["sslKeyPemFile"] = f"https://moor-vault-locked.{KEY_VAULT_DNS}/secrets/x"
    operation = attach(stack, place, configurationSettings=INFERENCE, configurationProtectedSettings=protected)
    assert operation["status"] == "Failed"
    code = "VaultForbidden" if trouble == "forbidden" else "TlsMaterialUnusable"
    assert operation["error"]["code"] == code
    assert operation["error"]["step"] == "preflight"
    said = "not authorized" if trouble == "forbidden" else trouble
    assert said in operation["error"]["message"]
    assert "PRIVATE KEY" not in str(operation)
    assert changes(stack, place.cluster_id) == []
    assert claims_of(stack, operation["id"]) == []


@pytest.mark.long
def test_require_never_changes_the_cluster(stack: Stack, place: Place) -> None:
    operation = attach(stack, place, manage="require")
    assert operation["status"] == "Failed"
    assert "lacks the extension" in str(operation["findings"])
    seed_extension(stack, place, {"enableTraining": "False", "enableInference": "True"})
    operation = attach(stack, place, manage="require")
    assert operation["status"] == "Failed"
    assert "enableTraining is False, wanted True" in str(operation["findings"])
    seed_extension(stack, place, {"enableTraining": "true"})
    operation = attach(stack, place, manage="require")
    assert operation["status"] == "Succeeded", operation["error"]
    assert changes(stack, place.cluster_id) == []


@pytest.mark.long
def test_ensure_adopts_what_satisfies_and_refuses_what_differs(stack: Stack, place: Place) -> None:
    seed_extension(stack, place, {"enableTraining": "True", "nodeSelector.agentpool": "system"})
    settings = {"enableTraining": True, "nodeSelector.agentpool": "gpu", "installVolcano": True}
    operation = attach(stack, place, configurationSettings=settings)
    assert operation["status"] == "Failed"
    assert "nodeSelector.agentpool is system, wanted gpu" in str(operation["findings"])
    assert "installVolcano is" not in str(operation["findings"]), "its default is what is wanted"
    settings["nodeSelector.agentpool"] = "system"
    operation = attach(stack, place, configurationSettings=settings)
    assert operation["status"] == "Succeeded", operation["error"]
    assert changes(stack, place.cluster_id) == []
    assert [c["type"] for c in operation["created"]] == ["Microsoft.MachineLearningServices/workspaces/computes"]


def test_update_changes_what_differs_and_keeps_protected_settings(stack: Stack, place: Place) -> None:
    kept = {"someone.elses": "secret"}
    seed_extension(stack, place, {"enableTraining": "True", "enableInference": "False", "custom": "mine"}, kept)
    settings = {**INFERENCE, "enableTraining": True, "allowInsecureConnections": True}
    del settings["sslCname"]
    operation = attach(stack, place, manage="update", configurationSettings=settings)
    assert operation["status"] == "Succeeded", operation["error"]
    plain, protected = in_azure(stack, place)
    assert protected == kept
    assert plain["enableInference"] == "True"
    assert plain["custom"] == "mine"
    assert changes(stack, place.cluster_id) == [("PATCH", 202)]
    assert extension_path(place.cluster_id) not in [c["id"] for c in operation["created"]]
    assert "enableInference" in step_of(operation, "install_extension")["detail"]

    again = attach(stack, place, manage="update", configurationSettings=settings)
    assert again["status"] == "Succeeded"
    assert changes(stack, place.cluster_id) == [("PATCH", 202)], "nothing is left to change"


@pytest.mark.long
def test_a_new_certificate_does_not_lose_what_was_sent_before(stack: Stack, place: Place) -> None:
    first, second = make_pair(), make_pair()
    extra = put_secrets(stack, {"extra": "an extra secret"})["extra"]
    protected = {**tls(stack, place, first), "serviceBusConnectionString": extra}
    operation = attach(stack, place, configurationSettings=INFERENCE, configurationProtectedSettings=protected)
    assert operation["status"] == "Succeeded", operation["error"]
    assert in_azure(stack, place)[1]["servicebus.connectionString"] == "an extra secret"

    renewed = tls(stack, place, second)
    operation = attach(
        stack, place, manage="update", configurationSettings=INFERENCE, configurationProtectedSettings=renewed
    )
    assert operation["status"] == "Succeeded", operation["error"]
    secrets = in_azure(stack, place)[1]
    assert base64.b64decode(secrets["scoringFe.sslKey"]).decode() == second.key
    assert base64.b64decode(secrets["scoringFe.sslCert"]).decode() == second.certificate
    assert secrets["servicebus.connectionString"] == "an extra secret"
    findings = {f["check"]: f for f in operation["findings"]}
    assert findings["protectedSettings"]["outcome"] == "unknown"
    assert findings["certificateReplaced"]["outcome"] == "warning"
    assert changes(stack, place.cluster_id) == [("PUT", 201), ("PATCH", 202)]


@pytest.mark.parametrize(
    "said",
    [
        "cannot re-use a name that is still in use",
        "an earlier operation for the same extension is still in progress",
        "unable to create new content in namespace azureml because it is being terminated",
    ],
)
@pytest.mark.long
def test_what_passes_by_itself_is_waited_out(stack: Stack, place: Place, said: str) -> None:
    stack.azure.script_operation(
        kind="extension.create",
        resource=extension_path(place.cluster_id),
        outcome="fail",
        code="ExtensionOperationFailed",
        message=f"Error: [ InnerError: [Helm installation failed : {said}]]",
    )
    started = stack.app.start("attach", place.attach_body())
    operation = succeeded(stack, started["id"])
    assert [c["id"] for c in operation["created"]].count(extension_path(place.cluster_id)) == 1
    assert len(changes(stack, extension_path(place.cluster_id))) == 2


@pytest.mark.long
def test_a_refusal_at_the_door_that_passes_is_waited_out(stack: Stack, place: Place) -> None:
    text = "Another operation on this extension is still in progress: an earlier operation for the same extension"
    error = {"error": {"code": "ExtensionOperationFailed", "message": f"{text} is still in progress"}}
    path = f"{extension_path(place.cluster_id)}"
    stack.azure.add_fault(method="PUT", path=path, status=400, body=error, nth=[1, 2])
    operation = succeeded(stack, stack.app.start("attach", place.attach_body())["id"])
    assert changes(stack, path) == [("PUT", 400), ("PUT", 400), ("PUT", 201)]
    assert operation["error"] is None


@pytest.mark.long
def test_a_pinned_version_and_a_name(stack: Stack, place: Place) -> None:
    operation = attach(stack, place, name="azureml-eu", version="1.1.80", releaseTrain="preview")
    assert operation["status"] == "Succeeded", operation["error"]
    found = stack.azure.resource(extension_path(place.cluster_id).replace("/azureml", "/azureml-eu"))
    assert found is not None
    properties = found["body"]["properties"]
    assert properties["version"] == properties["currentVersion"] == "1.1.80"
    assert properties["autoUpgradeMinorVersion"] is False
    assert properties["releaseTrain"] == "preview"
    assert properties["scope"] == {"cluster": {"releaseNamespace": "azureml"}}


def test_r17_r18_what_the_health_check_found_is_told_and_the_remedy_fits_what_is_left(
    stack: Stack, place: Place
) -> None:
    reports = [{"code": "E40001", "name": "X"}, {"code": "E49990", "message": "the moon is wrong"}]
    stack.azure.kubernetes(place.cluster_id).change(health={"reports-pre-install": json.dumps(reports)})
    stack.azure.script_operation(
        kind="extension.create",
        resource=extension_path(place.cluster_id),
        outcome="fail",
        code="ExtensionOperationFailed",
        message="The operation failed.",
        innererror={"code": "X", "message": "failed pre-install: pod healthcheck failed"},
        statuses=[{"code": "InstallationFailed", "level": None, "message": "pre-install hooks failed"}],
    )
    operation = ended(stack, stack.app.start("attach", place.attach_body())["id"])
    error = operation["error"]
    assert error["code"] == "LoadBalancerNotSupported"
    assert "(E40001)" in error["message"]
    assert "the moon is wrong (E49990)" in error["message"]
    assert "pod healthcheck failed" in error["azure"]["message"]
    # The undo has removed the extension: nobody is sent to change it.
    assert stack.azure.resource(extension_path(place.cluster_id)) is None
    assert error["command"].startswith("az k8s-extension list ")
