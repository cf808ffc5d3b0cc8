"""Azure ML and the cluster's API server: what keeps the one from the other.

Sources: how-to-troubleshoot-kubernetes-compute, how-to-troubleshoot-online-endpoints (InferencingClientCallFailed,
KubernetesUnaccessible).
"""

from __future__ import annotations

from domain.catalogue.entry import (
    AKS,
    ATTACH,
    COMPUTE_MADE,
    DETACH,
    ENDPOINT,
    EXTENSION,
    EXTENSION_MADE,
    JOB,
    PODS,
    REATTACH,
    SHOW_CLUSTER,
    TROUBLESHOOT_COMPUTE,
    TROUBLESHOOT_ENDPOINTS,
    WRAPPER,
    Entry,
    Match,
    Sample,
    Without,
    coded,
    passed,
    worded,
)

# Checks that have seen right what keeps Azure ML's calls out.
_REACHABLE = ("clusterPower", "authorizedIpRanges")
_RUNS = ("clusterPower",)
_SEEN_RUNNING = tuple(passed(check) for check in _RUNS)
_NOT_REACHABLE = r"kubernetes cluster is not reachable"
_SEEN_REACHABLE = tuple(passed(check) for check in _REACHABLE)
_STOPPED = r"not running|stopped|deallocated"
_OTHERWISE = rf"(?!.*({_STOPPED}))"


def _no_connection(given: tuple[str, ...] = ()) -> tuple[Match, ...]:
    """Words for a connection that failed, and not because the cluster is stopped."""
    return (
        Match(codes=("GenericClusterError",), text=rf"^{_OTHERWISE}", given=given),
        Match(text=rf"failed to connect to kubernetes cluster: {_OTHERWISE}", given=given),
    )


ENTRIES = (
    Entry(
        code="ClusterStopped",
        variant="azure",
        situations=(ATTACH, DETACH, EXTENSION, ENDPOINT, JOB),
        cause="Cluster {cluster} is stopped: nothing can be done on it, and Azure ML cannot connect to it.",
        remedy="Start the cluster, then try again.",
        command=f"az aks start {AKS}",
        on=(
            Match(codes=("GenericClusterError",), text=_STOPPED),
            # Azure Resource Manager of AKS refuses with words like these; the code is OperationNotAllowed, or none.
            worded(r"\bcluster\b[^.]{0,80}\b(is|in)\b[^.]{0,40}\b(stopped|deallocated)\b"),
        ),
        samples=(
            Sample("GenericClusterError", "Failed to connect to Kubernetes cluster: the cluster is not running."),
            Sample(
                "OperationNotAllowed",
                "Managed cluster is in stopped state, no operations except for start are allowed.",
                409,
                quoted=False,
            ),
        ),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="ClusterConnectionFailed",
        vague=WRAPPER,
        ruled_out_by=_REACHABLE,
        situations=(ATTACH, ENDPOINT, JOB),
        cause="Azure ML cannot connect to the API server of cluster {cluster}: the cluster is stopped, its authorised "
        "IP ranges leave out Azure ML, or the network blocks it.",
        remedy="Start the cluster if it is stopped; if it has authorised IP ranges, add those of Azure Machine "
        "Learning for both paired regions.",
        command="az resource show --ids {cluster_id} --query 'properties.{power: powerState.code, ranges: "
        "apiServerAccessProfile.authorizedIPRanges, connected: connectivityStatus}'",
        on=_no_connection(),
        samples=(
            Sample("GenericClusterError", "Failed to connect to Kubernetes cluster: i/o timeout"),
            Sample("GenericClusterError", "Failed to connect to Kubernetes cluster: <message>"),
        ),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="ClusterConnectionFailed",
        variant="network",
        vague=WRAPPER,
        situations=(ATTACH, ENDPOINT, JOB),
        cause="Azure ML cannot connect to the API server of cluster {cluster}, which ran when this "
        "operation looked and has no authorised IP ranges that keep Azure ML out: the network between them blocks it.",
        remedy="See what stands in front of the API server (private endpoint, firewall, name system), then try again.",
        command="az resource show --ids {cluster_id} --query 'properties.{power: powerState.code, private: "
        "apiServerAccessProfile.enablePrivateCluster, fqdn: fqdn}'",
        on=_no_connection(_SEEN_REACHABLE),
        samples=(
            Sample(
                "GenericClusterError",
                "Failed to connect to Kubernetes cluster: i/o timeout",
                facts=_SEEN_REACHABLE,
            ),
        ),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="ClusterNotReachable",
        ruled_out_by=_RUNS,
        situations=(ATTACH, ENDPOINT, JOB),
        cause="The API server of cluster {cluster} cannot be reached: the cluster does not run, an Arc cluster is not "
        "connected, or the network blocks it.",
        remedy="See that the cluster runs (Arc: is Connected) and that its API server can be reached, then try again.",
        command=SHOW_CLUSTER,
        on=(coded("ClusterNotReachable"), worded(_NOT_REACHABLE)),
        samples=(Sample("ClusterNotReachable", "The Kubernetes cluster is not reachable."),),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="ClusterNotReachable",
        variant="network",
        situations=(ATTACH, ENDPOINT, JOB),
        cause="The API server of cluster {cluster}, which ran when this operation looked, cannot be reached: the "
        "network between it and Azure ML blocks it, or its authorised IP ranges do.",
        remedy="See what stands in front of the API server (private endpoint, firewall, name system, authorised IP "
        "ranges), then try again.",
        command="az resource show --ids {cluster_id} --query properties.apiServerAccessProfile",
        on=(
            Match(codes=("ClusterNotReachable",), given=_SEEN_RUNNING),
            Match(text=_NOT_REACHABLE, given=_SEEN_RUNNING),
        ),
        samples=(Sample("ClusterNotReachable", "The Kubernetes cluster is not reachable.", facts=_SEEN_RUNNING),),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="ClusterNotFound",
        variant="azure",
        situations=(ATTACH, ENDPOINT, JOB),
        cause="Cluster {cluster} does not exist any more.",
        remedy="Detach the compute; attach a cluster that exists.",
        without=Without(COMPUTE_MADE, "Attach a cluster that exists."),
        command=SHOW_CLUSTER,
        on=(coded("ClusterNotFound"), worded(r"cannot f(ou|i)nd kubernetes cluster")),
        samples=(Sample("ClusterNotFound", "Cannot found Kubernetes cluster."),),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="ExtensionServiceMissing",
        situations=(ATTACH, ENDPOINT, JOB),
        cause="The extension's service on cluster {cluster} has no pods behind it (azureml-ingress-nginx-controller), "
        "or the extension is not there.",
        remedy="See that the extension is Succeeded and that its pods run; if not, reinstall it, then try again.",
        without=Without(EXTENSION_MADE, "Start the attach again: it installs the extension once more."),
        command=PODS,
        on=(coded("ClusterServiceNotFound"), worded(r"azureml extension service not found")),
        samples=(Sample("ClusterServiceNotFound", "AzureML extension service not found in cluster."),),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="ClusterRefusedToken",
        situations=(ATTACH, ENDPOINT, JOB),
        cause="Cluster {cluster} did not accept Azure ML's token: it has expired and is being renewed (clusters that "
        "grant Trusted Access).",
        remedy="Try again in a few minutes.",
        command="az aks trustedaccess rolebinding list --cluster-name {cluster} --resource-group {cluster_group} "
        "--subscription {cluster_subscription}",
        on=(coded("ClusterUnauthorized"), worded(r"request to kubernetes cluster unauthorized")),
        samples=(Sample("ClusterUnauthorized", "Request to Kubernetes cluster unauthorized."),),
        transient=True,
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="KubernetesVersionUnsupported",
        situations=(ATTACH,),
        cause="Cluster {cluster} runs a version of Kubernetes that AKS no longer supports; Azure ML attaches supported "
        "ones only.",
        remedy="Upgrade the cluster to a version that Azure lists, then start the attach again.",
        command="az aks get-upgrades --name {cluster} --resource-group {cluster_group} --subscription "
        "{cluster_subscription} --output table",
        on=(worded(r"(unsupported|not supported).*version|version.*(unsupported|not supported)"),),
        samples=(
            Sample(
                "BadRequest",
                "The Kubernetes version 1.15.11 is not supported. Supported versions: 1.33.1, 1.34.0.",
                quoted=False,
            ),
        ),
    ),
    Entry(
        code="RelayNotConnectable",
        situations=(ATTACH, ENDPOINT, JOB),
        cause="Azure ML's calls do not get through to the extension on cluster {cluster}: relayserver (Arc) or gateway "
        "is down.",
        remedy=f"See that the pods relayserver and gateway run. {REATTACH}",
        without=Without(COMPUTE_MADE, "See that the cluster is healthy, then start the attach again."),
        command="kubectl get deployments relayserver gateway --namespace azureml --ignore-not-found",
        on=(coded("InferencingClientCallFailed"), worded(r"extension is not connectable")),
        samples=(Sample("InferencingClientCallFailed", "The k8s-extension is not connectable.", quoted=False),),
        documentation=TROUBLESHOOT_ENDPOINTS,
    ),
    Entry(
        code="ClusterCertificateRotated",
        situations=(ATTACH, ENDPOINT, JOB),
        cause="The certificates of cluster {cluster} were rotated; Azure ML still holds the old ones and renews them "
        "within about five hours.",
        remedy="Wait five hours, then try again; endpoints are to be deployed again.",
        command=f"az aks show {AKS} --query provisioningState",
        on=(coded("KubernetesUnaccessible"), worded(r"authenticationexception.*invalidcertificate")),
        samples=(
            Sample("KubernetesUnaccessible", "Kubernetes error: AuthenticationException. Reason: InvalidCertificate"),
        ),
        transient=True,
        documentation=TROUBLESHOOT_ENDPOINTS,
    ),
)
