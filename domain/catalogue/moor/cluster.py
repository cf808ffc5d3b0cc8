"""What Moor finds wrong inside a cluster: its API, the components, namespaces and instance types."""

from __future__ import annotations

from domain.catalogue.entry import INSTANCE_TYPES_GUIDE, MOOR, PODS, TROUBLESHOOT_EXTENSION, Entry
from domain.cluster.legacy_objects import kubectl

ENTRIES = (
    Entry(
        code="ComponentsUnhealthy",
        situations=(MOOR,),
        cause="The extension is installed, but after {waited} its components are not ready: {trouble}.",
        remedy="See why these pods do not run (image pull, capacity, nodeSelector, network), then attach again.",
        command=PODS,
        documentation=TROUBLESHOOT_EXTENSION,
        transient=True,
    ),
    Entry(
        code="NamespaceMissing",
        situations=(MOOR,),
        cause="The cluster {cluster} has no namespace {namespace}; an attach does not make it, and jobs would fail.",
        remedy="Make the namespace, or ask with createNamespace; then attach again.",
        command="kubectl create namespace {namespace}",
    ),
    Entry(
        code="KubernetesNotWritable",
        situations=(MOOR,),
        cause="The API of cluster {cluster} cannot be written from here ({said}), and what was asked for needs that.",
        remedy="Run the command from a machine that reaches the cluster, then attach without asking for it.",
        command="kubectl create namespace {namespace}",
    ),
    Entry(
        code="LegacyObjectsLeft",
        situations=(MOOR,),
        cause="What Azure Machine Learning v1 left in cluster {cluster} was to be removed, and its API does not answer "
        "from here any more: {said}.",
        remedy="Run the command from a machine that reaches the cluster, then attach without asking for it.",
        command=kubectl("delete"),
        documentation=TROUBLESHOOT_EXTENSION,
    ),
    Entry(
        code="KubernetesForbidden",
        situations=(MOOR,),
        cause="The app's identity may not do that in cluster {cluster}: {said}",
        remedy="Give the app's identity a role in the cluster; docs/roles.md lists them.",
        command="kubectl auth can-i --list",
    ),
    Entry(
        code="KubernetesRefused",
        situations=(MOOR,),
        cause="The API of cluster {cluster} refused the request: {said}",
        remedy="Remove the cause, then attach again.",
        command="kubectl get events --all-namespaces --sort-by=.lastTimestamp",
    ),
    Entry(
        code="InstanceTypeDiffers",
        situations=(MOOR,),
        cause="The cluster has an instance type {instance_type} already, made by somebody else: {difference}.",
        remedy="Choose another name, or ask for it as it is.",
        command="kubectl get instancetype {instance_type} --output yaml",
        documentation=INSTANCE_TYPES_GUIDE,
    ),
    Entry(
        code="InstanceTypeMissing",
        situations=(MOOR,),
        cause="The default instance type {instance_type} is neither in the cluster nor among those asked for.",
        remedy="Ask for it under instanceTypes, or name one that exists.",
        command="kubectl get instancetypes",
        documentation=INSTANCE_TYPES_GUIDE,
    ),
)
