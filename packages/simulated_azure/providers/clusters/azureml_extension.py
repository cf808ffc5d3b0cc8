"""When an installation of Microsoft.AzureML.Kubernetes fails because of its settings.

The rules are those that the Azure CLI's partner module and the vendor's troubleshooting pages state; a caller of the
REST API has to keep them without the CLI's help.
"""

from __future__ import annotations

from typing import Any

from packages.simulated_azure.arm.errors import ArmError

EXTENSION_TYPE = "microsoft.azureml.kubernetes"
# microsoft/edge-ai notes that an installation without these is broken; the CLI generates them silently.
GENERATED_KEYS = ("domain", "location", "cluster_name")
ROUTER_TYPES = ("nodeport", "loadbalancer", "clusterip")


def refusal(resource: dict[str, Any]) -> ArmError | None:
    """Why the installation of an extension will fail, or None."""
    properties = resource["body"]["properties"]
    if properties["extensionType"].lower() != EXTENSION_TYPE:
        return None
    settings = properties["configurationSettings"]
    protected = resource["hidden"].get("protected", {})
    missing = [key for key in GENERATED_KEYS if not settings.get(key)]
    if missing:
        return _failed(f"required value(s) {', '.join(missing)} missing in the configuration settings")
    training, inference = _true(settings, "enableTraining"), _true(settings, "enableInference")
    if not training and not inference:
        return _failed("failed pre-install: at least one of enableTraining and enableInference must be True")
    if inference:
        if str(settings.get("inferenceRouterServiceType", "")).lower() not in ROUTER_TYPES:
            return _failed("failed pre-install: inferenceRouterServiceType must be nodePort, loadBalancer or clusterIP")
        secure = settings.get("scoringFe.sslSecret") or (
            protected.get("scoringFe.sslCert") and protected.get("scoringFe.sslKey")
        )
        if not secure and not _true(settings, "allowInsecureConnections"):
            return _failed("failed pre-install: pod healthcheck failed: E40007 INVALID_SSL_SETTING")
    return None


def trains(resource: dict[str, Any]) -> bool:
    """Whether an extension is the Azure ML one with training switched on."""
    properties = resource["body"]["properties"]
    return properties["extensionType"].lower() == EXTENSION_TYPE and _true(
        properties["configurationSettings"], "enableTraining"
    )


def _true(settings: dict[str, Any], key: str) -> bool:
    return str(settings.get(key, "")).lower() == "true"


def _failed(reason: str) -> ArmError:
    return ArmError(
        400,
        "ExtensionOperationFailed",
        "The extension operation failed with the following error:  Error: [ InnerError: [Helm installation failed : "
        f"{reason}: InnerError [{reason}]]] occurred while doing the operation : Installing the extension on the "
        "config",
    )
