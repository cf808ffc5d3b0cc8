"""Codes of the extension's health check (ConfigMap arcml-healthcheck): what install, update or delete of it found.

Source: how-to-troubleshoot-kubernetes-extension. Codes below E45000 stop an installation; those from E45000 on are
diagnostic. The number E45004 means something else when a job fails with it (jobs.py).
"""

from __future__ import annotations

from dataclasses import replace

from domain.catalogue.entry import (
    AT_CLUSTER,
    EXTENSION,
    EXTENSION_MADE,
    HEALTH,
    PODS,
    TROUBLESHOOT_EXTENSION,
    Entry,
    Sample,
    Without,
    coded,
    is_set,
    worded,
)

REPORTS = "kubectl get configmap arcml-healthcheck --namespace azureml --output yaml"
_LOGS = "kubectl logs healthcheck --namespace azureml"
# The documented objects that an endpoint router of Azure ML v1 leaves in namespace default.
LEGACY_ROUTER = (
    "kubectl delete --namespace default --ignore-not-found serviceaccount/azureml-fe deployment/azureml-fe "
    "service/azureml-fe service/azureml-fe-int-http secret/azuremlfessl configmap/azuremlfeconfig "
    "clusterrole/azureml-fe-role clusterrolebinding/azureml-fe-binding"
)
_UPDATE = f"az k8s-extension update --name {{extension}} {AT_CLUSTER} --configuration-settings "


_KEPT = (
    "Start the attach again with onFailure=keep; when it fails again, read the reports and the log, which stay then."
)


def _entry(
    number: str,
    name: str,
    code: str,
    cause: str,
    remedy: str,
    command: str,
    without: str | None = None,
    set_already: tuple[str, ...] = (),
) -> Entry:
    return Entry(
        code=code,
        situations=(HEALTH, EXTENSION),
        cause=cause,
        remedy=remedy,
        command=command,
        without=None if without is None else Without(EXTENSION_MADE, without),
        on=(coded(number), worded(rf"\b{number}\b|\b{name}\b")),
        samples=(Sample(number, name),),
        documentation=TROUBLESHOOT_EXTENSION,
        set_already=set_already,
    )


def _despite(setting: str, of: Entry, variant: str, cause: str, remedy: str, command: str) -> Entry:
    """The same report where the operation has set the extension as the entry's remedy asks: what is left as a cause."""
    given, (sample,) = (is_set(setting),), of.samples
    return Entry(
        code=of.code,
        variant=variant,
        situations=of.situations,
        cause=cause,
        remedy=remedy,
        command=command,
        on=tuple(replace(match, given=given) for match in of.on),
        samples=(replace(sample, facts=given),),
        documentation=of.documentation,
    )


_BLOCKING = (
    _entry(
        "E40000",
        "UNKNOWN_ERROR",
        "HealthUnknownError",
        "The extension's health check met an error that it does not know.",
        "Read the reports and the log of the health check.",
        REPORTS,
        _KEPT,
    ),
    _entry(
        "E40001",
        "LOAD_BALANCER_NOT_SUPPORT",
        "LoadBalancerNotSupported",
        "Cluster {cluster} cannot provide a load balancer for the inference router.",
        "Set inferenceRouterServiceType to nodePort or clusterIP.",
        _UPDATE + "inferenceRouterServiceType=nodePort",
        set_already=("inferenceRouterServiceType=nodePort", "inferenceRouterServiceType=clusterIP"),
    ),
    _entry(
        "E40002",
        "INSUFFICIENT_NODE",
        "InsufficientNodes",
        "Too few healthy nodes: the nodeSelector matches none, or three router replicas (high availability) are asked "
        "of a cluster with fewer than three nodes.",
        "Correct the nodeSelector, add nodes, or set inferenceRouterHA=False.",
        _UPDATE + "inferenceRouterHA=False",
        set_already=("inferenceRouterHA=False",),
    ),
    _entry(
        "E40003",
        "INTERNAL_LOAD_BALANCER_NOT_SUPPORT",
        "InternalLoadBalancerNotSupported",
        "An internal load balancer is available on AKS only.",
        "Leave out internalLoadBalancerProvider, or set inferenceRouterServiceType to nodePort.",
        _UPDATE + "inferenceRouterServiceType=nodePort",
    ),
    _entry(
        "E40004",
        "AZUREML_FE_DEPLOYMENT_NOT_FOUND",
        "RouterMissing",
        "The deployment of the inference router (azureml-fe, azureml-fe-v2) is not in the cluster.",
        "Reinstall the extension, or update it with enableInference=True.",
        "kubectl get deployments --namespace azureml",
        "Start the attach again with enableInference=True.",
        set_already=("enableInference=True",),
    ),
    _entry(
        "E40005",
        "AZUREML_FE_SCALE_UP_TIMEOUT",
        "RouterScaleUpTimeout",
        "The inference router did not get its replicas in time.",
        "See why its pods do not start (capacity, nodeSelector, image pull).",
        PODS,
    ),
    _entry(
        "E40006",
        "AZUREML_FE_UPDATE_REPLICAS_FAILED",
        "RouterReplicasNotUpdated",
        "The number of replicas of the inference router could not be changed.",
        "Look at the events of the deployment azureml-fe-v2.",
        "kubectl describe deployment azureml-fe-v2 --namespace azureml",
    ),
    _entry(
        "E40007",
        "INVALID_SSL_SETTING",
        "TlsSettingInvalid",
        "Certificate and key of the inference router do not match or have the wrong format, or the CNAME does not fit.",
        "Give PEM without a pass phrase, the full chain from server to root, the matching key, and sslCname.",
        "openssl x509 -in cert.pem -noout -subject -dates",
    ),
    _entry(
        "E45001",
        "AGENT_UNHEALTHY",
        "ExtensionResourcesUnhealthy",
        "Resources of the extension are not healthy (Pod, Job, Deployment, DaemonSet or StatefulSet).",
        "The report names them: look at their events.",
        PODS,
        _KEPT,
    ),
    _entry(
        "E45002",
        "PROMETHEUS_CONFLICT",
        "PrometheusConflict",
        "Cluster {cluster} has a Prometheus operator already, and the extension brought its own.",
        "Set installPromOp=False, so that the extension uses the existing one.",
        _UPDATE + "installPromOp=False",
        set_already=("installPromOp=False",),
    ),
    _entry(
        "E45003",
        "BAD_NETWORK_CONNECTIVITY",
        "OutboundNetworkBlocked",
        "The cluster does not reach the services that the extension needs.",
        "Open the outbound hosts in firewall and proxy that the finding `outbound` of the operation lists.",
        REPORTS,
    ),
    _entry(
        "E45004",
        "AZUREML_FE_ROLE_CONFLICT",
        "LegacyRouterRoles",
        "Roles of an inference router of Azure ML v1 are still in the cluster.",
        "Delete the router's objects that v1 left in namespace default.",
        LEGACY_ROUTER,
    ),
    _entry(
        "E45005",
        "AZUREML_FE_DEPLOYMENT_CONFLICT",
        "LegacyRouterDeployment",
        "An inference router of Azure ML v1 is still deployed in the cluster.",
        "Delete the router's objects that v1 left in namespace default.",
        LEGACY_ROUTER,
    ),
    _entry(
        "E49999",
        "CHECKER_PANIC",
        "HealthCheckCrashed",
        "The extension's health check itself crashed.",
        "Read its log, then start the operation again.",
        _LOGS,
        _KEPT,
    ),
)
_BY_CODE = {entry.code: entry for entry in _BLOCKING}
ENTRIES = (
    *_BLOCKING,
    _despite(
        "inferenceRouterHA=False",
        _BY_CODE["InsufficientNodes"],
        "one-replica",
        "Too few healthy nodes, although one replica of the router is all that is asked for: the nodeSelector matches "
        "no node, or the nodes that it matches are not ready or are cordoned.",
        "Correct the nodeSelector, or get the nodes ready; then start the operation again.",
        "kubectl get nodes --show-labels",
    ),
    _despite(
        "enableInference=True",
        _BY_CODE["RouterMissing"],
        "inference-enabled",
        "The deployment of the inference router (azureml-fe, azureml-fe-v2) is not in the cluster, although the "
        "extension has inference enabled: somebody deleted it, or it could not be made.",
        "See in the events of the namespace why it is missing; then start the operation again.",
        "kubectl get events --namespace azureml --sort-by=.lastTimestamp",
    ),
    _despite(
        "installPromOp=False",
        _BY_CODE["PrometheusConflict"],
        "not-installed",
        "Cluster {cluster} has more than one Prometheus operator, and the extension is not to install another.",
        "See which of them come from earlier installations, and delete those.",
        "kubectl get deployments --all-namespaces --output wide",
    ),
)
GENERIC = Entry(
    code="HealthCheckUnknown",
    situations=(HEALTH,),
    cause="The extension's health check reports what this catalogue does not know: {said}",
    remedy="Read the reports in the ConfigMap arcml-healthcheck.",
    without=Without(EXTENSION_MADE, _KEPT),
    command=REPORTS,
    documentation=TROUBLESHOOT_EXTENSION,
)
