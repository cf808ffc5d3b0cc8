"""What Moor itself finds wrong with roles and with Azure Arc clusters."""

from __future__ import annotations

from domain.catalogue.entry import AT_CLUSTER, ATTACH_GUIDE, MOOR, Entry

_ARC_GUIDE = "https://learn.microsoft.com/azure/azure-arc/kubernetes/diagnose-connection-issues"

ENTRIES = (
    Entry(
        code="WorkspaceIdentityLacksRole",
        variant="moor",
        situations=(MOOR,),
        cause="The user-assigned identity of workspace {workspace} (principal {principal}) lacks {missing}. Azure ML "
        "would fail the attach, and would call it something else.",
        remedy="Grant the roles, or start the attach again with grantRoles.",
        command="az role assignment create --assignee-object-id {principal} --assignee-principal-type ServicePrincipal "
        '--role "Kubernetes Extension Contributor" --scope {cluster_id}',
        documentation=ATTACH_GUIDE,
    ),
    Entry(
        code="ClusterNotConnected",
        situations=(MOOR,),
        cause="The Azure Arc cluster {cluster} is {status} (last seen: {since}): nothing reaches it.",
        remedy="Check that the agents in namespace azure-arc run and reach Azure, then start the attach again.",
        command="kubectl get pods --namespace azure-arc",
        documentation=_ARC_GUIDE,
    ),
    Entry(
        code="RelayFailed",
        situations=(MOOR,),
        cause="The relay of cluster {cluster} is in state {state}: {relay}.",
        remedy="Delete it if nothing else works with it, then start the attach again: Moor creates the relay again.",
        command="az resource show --ids {relay}",
    ),
    Entry(
        code="RelayNotOwn",
        situations=(MOOR,),
        cause="The extension of cluster {cluster} names a relay (relayserver.hybridConnectionResourceID) that is not "
        "the cluster's own: another subscription, resource group or name, or no relay at all. Moor reads no keys of it "
        "and grants no role on it.",
        remedy="Delete the extension if nothing relies on it, then start the attach again: Moor creates the relay of "
        "the cluster. Where the relay is meant, have the policy name it.",
        command=f"az k8s-extension list {AT_CLUSTER} --output table",
    ),
    Entry(
        code="RelayGone",
        situations=(MOOR,),
        cause="The relay of cluster {cluster}, or its rule azureml_rw, has been removed meanwhile: {relay}.",
        remedy="Start the attach again: Moor creates it again. An existing extension keeps the relay it was given.",
        command=f"az k8s-extension list {AT_CLUSTER} --output table",
    ),
)
