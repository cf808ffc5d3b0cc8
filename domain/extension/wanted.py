"""The cluster extension Microsoft.AzureML.Kubernetes: what is asked for, and the rules its settings obey.

``az k8s-extension create`` checks settings, corrects them and generates more; a caller of the REST API has to do all of
that: azure-cli-extensions, ``partner_extensions/AzureMLKubernetes.py``, and the product team's ARM sample in
Azure/AML-Kubernetes. ``keys`` knows the settings, ``rules`` what is refused without looking at a cluster, ``cluster``
and ``checks`` what depends on the cluster, ``wire`` what is sent, ``changes`` how an existing extension differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.extension.keys import NODE_SELECTOR, for_helm, label_of

EXTENSION_TYPE = "Microsoft.AzureML.Kubernetes"
EXTENSION_NAME = "azureml"
RELEASE_NAMESPACE = "azureml"
RELEASE_TRAIN = "stable"
ENSURE, UPDATE, REQUIRE = "ensure", "update", "require"
DEFAULT_SETTINGS = {"enableTraining": "True"}


@dataclass(frozen=True)
class Wanted:
    """The extension that a request asks for. ``protected`` holds ids of Key Vault secrets, never secrets.

    ``purpose`` is the request's clusterPurpose, None when it was left out.
    """

    settings: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_SETTINGS))
    protected: Mapping[str, str] = field(default_factory=dict)
    manage: str = ENSURE
    name: str = EXTENSION_NAME
    release_train: str = RELEASE_TRAIN
    version: str | None = None
    purpose: str | None = None

    @property
    def training(self) -> bool:
        """Whether training is asked for."""
        return is_on(self.settings, "enableTraining")

    @property
    def inference(self) -> bool:
        """Whether inference is asked for."""
        return is_on(self.settings, "enableInference")

    @property
    def node_selector(self) -> dict[str, str]:
        """The labels that nodes of the extension carry."""
        return {label_of(name): value for name, value in self.settings.items() if name.startswith(NODE_SELECTOR)}


def wanted_extension(request: Mapping[str, Any]) -> Wanted:
    """What an accepted attach request asks for; without ``extension`` training, installed when it is missing."""
    asked = request.get("extension") or {}
    settings = asked.get("configurationSettings")
    return Wanted(
        settings=dict(DEFAULT_SETTINGS)
        if settings is None
        else {for_helm(k): wire_text(v) for k, v in settings.items()},
        protected=dict(asked.get("configurationProtectedSettings") or {}),
        manage=asked.get("manage", ENSURE),
        name=asked.get("name", EXTENSION_NAME),
        release_train=asked.get("releaseTrain", RELEASE_TRAIN),
        version=asked.get("version"),
        purpose=request.get("clusterPurpose"),
    )


def wire_text(value: str | bool | int | float) -> str:
    """A setting's value as Azure takes it: text, switches as ``True`` and ``False``."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def is_on(settings: Mapping[str, str], key: str) -> bool:
    """Whether a switch is on, read as the extension's own CLI reads it: only ``true``, in any letter case."""
    return str(settings.get(key, "")).lower() == "true"
