"""Settings of the Microsoft.AzureML.Kubernetes cluster extension.

What ``az k8s-extension create`` generates silently, a REST caller has to send itself: azure-cli-extensions,
``partner_extensions/AzureMLKubernetes.py``, and the product team's ARM sample in Azure/AML-Kubernetes.
"""

from __future__ import annotations

from collections.abc import Mapping

from domain.arm_ids import ArmId

EXTENSION_TYPE = "Microsoft.AzureML.Kubernetes"
EXTENSION_NAME = "azureml"
RELEASE_NAMESPACE = "azureml"
RELEASE_TRAIN = "stable"


def training_settings(cluster: ArmId, location: str) -> dict[str, str]:
    """The smallest valid settings for training on a managed cluster, the generated ones included."""
    return {
        "enableTraining": "True",
        "enableInference": "False",
        "cluster_name": str(cluster),
        "clusterId": str(cluster),
        "prometheus.prometheusSpec.externalLabels.cluster_name": str(cluster),
        "cluster_name_friendly": cluster.name,
        "location": location,
        "jobSchedulerLocation": location,
        "domain": f"{location}.cloudapp.azure.com",
        "servicebus.enabled": "false",
        "relayserver.enabled": "false",
        "nginxIngress.enabled": "true",
    }


def is_on(settings: Mapping[str, str], key: str) -> bool:
    """Whether a switch is on, read as the extension's own CLI reads it: only ``true``, in any letter case."""
    return str(settings.get(key, "")).lower() == "true"


def difference_from_training(settings: Mapping[str, str]) -> list[str]:
    """What keeps an extension that is there from serving training; empty when nothing does."""
    if is_on(settings, "enableTraining"):
        return []
    return [f"enableTraining is {settings.get('enableTraining', 'not set')}, wanted True"]
