"""What puts extensions on a cluster: Azure's resource provider, and the agents that work for it there.

Sources: how-to-troubleshoot-kubernetes-extension, the pages of AKS and of Azure Arc on cluster extensions, and the
issues named below.
"""

from __future__ import annotations

from domain.catalogue.entry import EXTENSION, Entry, Match, Sample, passed, worded

_AGAIN = "start the operation again."
_ADDONS = r"managedclusters/extensionaddons/"
_REGISTER = (
    "az provider register --namespace Microsoft.KubernetesConfiguration --wait --subscription {cluster_subscription}"
)
_AGENTS = r"(the )?([\w-]+ ){0,3}agents?\b"
_SILENT = (
    r"\b(unable to (get|receive)|(did|has|have) not (get|got|receive|received)|failed to (get|receive)|no) (a |any )?"
    rf"(response|status|heartbeat|report)( was| has been)?( received)? from {_AGENTS}"
    r"|\bagents? (is|are) (not (reachable|connected|responding|running)|offline|unresponsive|unreachable)"
    r"|\bagents? (did|has|have|does|do|could)(n't| not) (yet )?(answer|respond|report|connect|check|be(en)? reached)"
    rf"|\b(time[d-]* ?out|timed out) (while )?waiting (for|on) (a |any )?(response |status |answer )?(from )?{_AGENTS}"
    rf"|\b(unable to|cannot|could not) (reach|contact|connect to) {_AGENTS}"
)

ENTRIES = (
    Entry(
        code="ArcAgentsSilent",
        variant="aks",
        situations=(EXTENSION,),
        cause="The agents for extensions on cluster {cluster} (extension-agent and extension-operator, which AKS runs) "
        "did not answer in time: they are down, find no node, or cannot reach Azure through the cluster's firewall or "
        "proxy (outbound).",
        remedy="See that the pods extension-agent and extension-operator run, and that the cluster's outbound "
        f"connections reach the hosts that cluster extensions need; then {_AGAIN}",
        command="kubectl get pods --namespace kube-system --output wide",
        on=(Match(text=_SILENT, given=("managed",)),),
        samples=(
            Sample(
                "ExtensionOperationFailed",
                "Unable to get response from the Agent in time",
                quoted=False,
                facts=("managed",),
            ),
        ),
        documentation="https://learn.microsoft.com/azure/aks/outbound-rules-control-egress",
    ),
    Entry(
        code="ArcAgentsSilent",
        situations=(EXTENSION,),
        cause="The agents of Azure Arc on cluster {cluster} did not answer in time: they are down, or cannot reach "
        "Azure through the cluster's firewall or proxy (outbound).",
        remedy="See that the pods of namespace azure-arc run (config-agent, extension-manager, clusterconnect-agent), "
        f"and that the cluster's outbound connections reach the hosts that Azure Arc needs; then {_AGAIN}",
        command="kubectl get pods --namespace azure-arc --output wide",
        # ARO-Landing-Zone-Accelerator issue 95.
        on=(Match(text=_SILENT, unless=("managed",)),),
        samples=(Sample("ExtensionOperationFailed", "Unable to get response from the Agent in time", quoted=False),),
        documentation="https://learn.microsoft.com/azure/azure-arc/kubernetes/network-requirements",
    ),
    Entry(
        code="ProviderNotRegistered",
        variant="extension-addons",
        ruled_out_by=("providers",),
        situations=(EXTENSION,),
        cause="The resource provider Microsoft.KubernetesConfiguration is not registered in the cluster's "
        "subscription, or its application has lost its role: that application is who is refused here.",
        remedy=f"Register the provider (again), then {_AGAIN}",
        command=_REGISTER,
        # azure-cli issue 25654, azure-cli-extensions issue 5144, azure-docs issue 99762.
        on=(worded(_ADDONS),),
        samples=(
            Sample(
                "AuthorizationFailed",
                "The client 'a' with object id 'b' does not have authorization to perform action "
                "'Microsoft.ContainerService/managedclusters/extensionaddons/read' over scope '/subscriptions/s' or "
                "the scope is invalid.",
                403,
            ),
        ),
    ),
    Entry(
        code="ProviderRoleLost",
        situations=(EXTENSION,),
        cause="The application of the resource provider Microsoft.KubernetesConfiguration, which is registered, may "
        "not work on cluster {cluster}: it has lost its role, or a registration made minutes ago has not given it yet.",
        remedy=f"Register the provider once more, which gives its application the role again; then {_AGAIN}",
        command=_REGISTER,
        on=(Match(text=_ADDONS, given=(passed("providers"),)),),
        samples=(
            Sample(
                "AuthorizationFailed",
                "The client 'a' with object id 'b' does not have authorization to perform action "
                "'Microsoft.ContainerService/managedclusters/extensionaddons/read' over scope '/subscriptions/s' or "
                "the scope is invalid.",
                403,
                facts=(passed("providers"),),
            ),
        ),
    ),
    Entry(
        code="ExtensionOperatorOutOfMemory",
        situations=(EXTENSION,),
        cause="The extension operator of cluster {cluster} runs out of memory over the Helm revisions left pending.",
        remedy="Delete the secrets of the pending revisions (sh.helm.release.v1.<release>.v<n>), then " + _AGAIN,
        command="kubectl get secrets --namespace azureml --selector owner=helm --show-labels",
        on=(worded(r"extension-operator.*oomkilled|oomkilled.*extension-operator"),),
        samples=(Sample(None, "extension-operator OOMKilled"),),
    ),
)
