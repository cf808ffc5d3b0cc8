"""The settings of the extension that are documented: names, values, defaults, and the spellings that are wrong.

Sources: the vendor's how-to-deploy-kubernetes-extension.md, reference-kubernetes.md and troubleshooting pages;
azure-cli-extensions, ``partner_extensions/AzureMLKubernetes.py`` (names in quotes there); Azure/AML-Kubernetes.
Keys are case-sensitive: a key in another letter case is not recognised by the extension.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from domain.access.relay import CONNECTION_ID_SETTING, CONNECTION_NAME_SETTING

SWITCH, CHOICE, TEXT = "switch", "choice", "text"
BOTH, TRAINING, INFERENCE = "both", "training", "inference"
NODE_SELECTOR = "nodeSelector."


@dataclass(frozen=True)
class Key:
    """A documented setting: ``kind`` of value, ``default`` of the extension, and the mode that it has an effect in."""

    name: str
    kind: str
    mode: str
    meaning: str
    default: str | None = None
    choices: tuple[str, ...] = ()


_DOCUMENTED = (
    Key("enableTraining", SWITCH, BOTH, "training jobs and batch scoring", "False"),
    Key("enableInference", SWITCH, BOTH, "online endpoints", "False"),
    Key("allowInsecureConnections", SWITCH, INFERENCE, "endpoints over HTTP, for development", "False"),
    Key(
        "inferenceRouterServiceType",
        CHOICE,
        INFERENCE,
        "how the router azureml-fe is reached; required for inference",
        choices=("loadBalancer", "nodePort", "clusterIP"),
    ),
    Key(
        "internalLoadBalancerProvider",
        CHOICE,
        INFERENCE,
        "an internal load balancer for the router; AKS only",
        choices=("azure",),
    ),
    Key("sslSecret", TEXT, INFERENCE, "Kubernetes secret in namespace azureml with cert.pem and key.pem"),
    Key("sslCname", TEXT, INFERENCE, "name in the certificate; required with TLS"),
    Key("inferenceRouterHA", SWITCH, INFERENCE, "three replicas of the router; needs three nodes", "True"),
    Key("installNvidiaDevicePlugin", SWITCH, BOTH, "install the NVIDIA device plug-in", "False"),
    Key("installPromOp", SWITCH, BOTH, "install the Prometheus operator; False reuses the cluster's", "True"),
    Key("installVolcano", SWITCH, TRAINING, "install the Volcano scheduler; False reuses the cluster's", "True"),
    Key("installDcgmExporter", SWITCH, BOTH, "install the exporter of GPU metrics", "False"),
    Key("clusterPurpose", CHOICE, BOTH, "sizing of the components", choices=("FastProd", "DevTest")),
    Key("volcanoScheduler.enable", SWITCH, TRAINING, "use the cluster's own Volcano scheduler"),
    Key("volcanoScheduler.schedulerConfigMap", TEXT, TRAINING, "ConfigMap with the scheduler's configuration"),
    Key("amloperator.skipResourceValidation", SWITCH, TRAINING, "for node pools that scale from zero"),
    Key("amloperator.custom_ip_interface", TEXT, BOTH, "network interface of the workloads"),
    Key("amloperator.custom_ip_interface_enabled", SWITCH, BOTH, "use amloperator.custom_ip_interface"),
    Key("enable_https", SWITCH, BOTH, "HTTPS between components"),
    Key("nginxIngress.enabled", SWITCH, BOTH, "the ingress of the components; generated"),
    Key("nginxIngress.controller", TEXT, BOTH, "controller of that ingress"),
    Key("nginxIngress.controllerConfig.worker-processes", TEXT, BOTH, "its worker processes"),
    Key("nginxIngress.resources.controller.limits.memory", TEXT, BOTH, "its memory limit"),
    Key("scoringFe.enableUpgrade", SWITCH, INFERENCE, "migrate an azureml-fe of version 1"),
    Key("isAKSMigration", SWITCH, INFERENCE, "endpoints of an azureml-fe of version 1 move over"),
    Key("openshift", SWITCH, BOTH, "the cluster is OpenShift; set from its distribution"),
    Key("cluster_name", TEXT, BOTH, "id of the cluster; generated"),
    Key("clusterId", TEXT, BOTH, "the same; generated"),
    Key("prometheus.prometheusSpec.externalLabels.cluster_name", TEXT, BOTH, "the same on metrics; generated"),
    Key("cluster_name_friendly", TEXT, BOTH, "name of the cluster; generated"),
    Key("location", TEXT, BOTH, "region of the cluster; generated"),
    Key("jobSchedulerLocation", TEXT, BOTH, "the same; generated"),
    Key("domain", TEXT, BOTH, "domain of that region; generated"),
    Key("servicebus.enabled", SWITCH, BOTH, "generated: false"),
    Key("relayserver.enabled", SWITCH, BOTH, "generated: false on AKS, true on Arc"),
)
KEYS = {key.name: key for key in _DOCUMENTED}
_PATTERNS = (
    (re.compile(r"nodeSelector\..+"), BOTH),
    (re.compile(r"(toleration|workLoadToleration)\[[0-9]+\]\.(key|operator|value|effect)"), BOTH),
)

# Protected settings as they are asked for, and what they are called on the wire.
CERTIFICATE, PRIVATE_KEY = "sslCertPemFile", "sslKeyPemFile"
PROTECTED = {
    CERTIFICATE: "scoringFe.sslCert",
    PRIVATE_KEY: "scoringFe.sslKey",
    "relayServerConnectionString": "relayserver.relayConnectionString",
    "serviceBusConnectionString": "servicebus.connectionString",
}
_SECRET = {name.lower(): asked for asked, wire in PROTECTED.items() for name in (asked, wire)}

# What Moor alone says: which cluster, region and relay the extension is of. A request that named another would have the
# extension work for it.
GENERATED = frozenset(
    {
        *("cluster_name", "clusterId", "prometheus.prometheusSpec.externalLabels.cluster_name"),
        *("cluster_name_friendly", "location", "jobSchedulerLocation", "domain"),
        *(CONNECTION_ID_SETTING, CONNECTION_NAME_SETTING, "servicebus.resourceID"),
    }
)
GENERATED_BELOW = "servicebus.topicSubMapping."
_GENERATED = frozenset(tuple(name.strip(".").lower().split(".")) for name in (*GENERATED, GENERATED_BELOW))
# How the chart's tools read a name: parts of a path, and several names in one (``a=x,b``).
_BETWEEN_NAMES, _BETWEEN_PARTS = re.compile(r"[,={}]"), re.compile(r"[^-\w]+")

# What is written here is not what the extension (or this product) reads, and what to write.
WRONG = {
    "privateEndpointNodeport": "inferenceRouterServiceType=nodePort",
    "privateEndpointILB": "internalLoadBalancerProvider=azure",
    "inferenceLoadBalancerHA": "inferenceRouterHA",
    "RelayConnectionString": "relayServerConnectionString",
    "InferenceRouterHA": "inferenceRouterHA",
    "sslCertKeyFile": "sslKeyPemFile",
    "scoringFe.sslSecret": "sslSecret",
    "scoringFe.serviceType.nodePort": "inferenceRouterServiceType=nodePort",
    "scoringFe.serviceType.internalLoadBalancer": "internalLoadBalancerProvider=azure",
    "scoringFe.namespace": "isAKSMigration",
    "nodeSelector": "nodeSelector.<label>",
    "nodeSelector.": "nodeSelector.<label>",
}
_WRONG = {name.lower(): right for name, right in WRONG.items()}
_RIGHT = {name.lower(): name for name in (*KEYS, *PROTECTED)}
_LOOKS_SECRET = re.compile(
    r"-----BEGIN |SharedAccessKey=|AccountKey=|SharedAccessSignature=|[?&]sig=|LS0tLS1CRUdJTi", re.IGNORECASE
)


def label_of(name: str) -> str:
    """The label that a setting ``nodeSelector.<label>`` is of, its dots escaped for Helm or not."""
    return name[len(NODE_SELECTOR) :].replace("\\.", ".")


def for_helm(name: str) -> str:
    """A setting's name as Helm reads it: dots in the name of a label are escaped, else Helm splits there.

    Source: https://helm.sh/docs/intro/using_helm, "The Format and Limitations of --set".
    """
    if not name.startswith(NODE_SELECTOR):
        return name
    return NODE_SELECTOR + label_of(name).replace(".", "\\.")


def is_documented(name: str) -> bool:
    """Whether the extension is documented to read a (plain) setting of that name."""
    return name in KEYS or any(pattern.fullmatch(name) for pattern, _ in _PATTERNS)


def is_generated(name: str) -> bool:
    """Whether Moor alone says what a setting is, in whatever letter case and spelling.

    What stands above or below such a setting counts as well: ``relayserver`` alone replaces all that is in it.
    """
    return any(_touches_generated(each) for each in _BETWEEN_NAMES.split(name.lower()))


def _touches_generated(name: str) -> bool:
    parts = tuple(part for part in _BETWEEN_PARTS.split(name) if part)
    return bool(parts) and any(parts[: len(each)] == each[: len(parts)] for each in _GENERATED)


def right_spelling(name: str) -> str | None:
    """What to write in place of a known wrong spelling or an old name; None when there is nothing against the name."""
    if name in KEYS or name in PROTECTED:
        return None
    lower = name.lower()
    if lower in _RIGHT:
        return _RIGHT[lower]
    if lower in _WRONG:
        return _WRONG[lower]
    for prefix in (NODE_SELECTOR, "toleration[", "workLoadToleration["):
        if lower.startswith(prefix.lower()) and not name.startswith(prefix):
            return prefix + name[len(prefix) :]
    return None


def secret_name(name: str) -> str | None:
    """The protected setting that a key stands for, in whatever spelling; None for a plain one."""
    return _SECRET.get(name.lower())


def looks_secret(value: str) -> bool:
    """Whether a value is visibly a key, a certificate (also in base64) or a connection string."""
    return bool(_LOOKS_SECRET.search(value))


def mode_of(name: str) -> str:
    """The mode in which a documented setting has an effect."""
    return KEYS[name].mode if name in KEYS else BOTH
