"""Attaching a cluster to a workspace, and the compute afterwards.

Sources: how-to-attach-kubernetes-to-workspace, how-to-troubleshoot-kubernetes-compute, the AKS v1 attach page, and the
issues named below.
"""

from __future__ import annotations

from domain.catalogue.azure import connection
from domain.catalogue.entry import (
    AT_CLUSTER,
    AT_WORKSPACE,
    ATTACH,
    ATTACH_GUIDE,
    COMPUTE_MADE,
    DEPLOY_GUIDE,
    ENDPOINT,
    EXTENSION_MADE,
    GUESS,
    JOB,
    REATTACH,
    SHOW_CLUSTER,
    SHOW_EXTENSION,
    TROUBLESHOOT_COMPUTE,
    WORKSPACE_ROLES,
    WRAPPER,
    Entry,
    Match,
    Sample,
    Without,
    coded,
    passed,
    worded,
)

_SHOW_COMPUTE = f"az ml compute show --name {{compute}} {AT_WORKSPACE}"
_DETACH = f"az ml compute detach --name {{compute}} {AT_WORKSPACE}"

# Facts that explain an internal server error otherwise.
_OTHER_CAUSES = ("cross_subscription", "system_assigned_workspace")
_ROLES_SEEN = passed(WORKSPACE_ROLES)
_ROLES_OF_WORKSPACE = (
    "az role assignment list --assignee {workspace_principal} --all --subscription {subscription} --output table"
)


def grant(role: str) -> str:
    """The command that gives the workspace's identity a role on the cluster."""
    return (
        "az role assignment create --assignee-object-id {workspace_principal} "
        f'--assignee-principal-type ServicePrincipal --role "{role}" --scope {{cluster_id}}'
    )


# The false names: what Azure ML says when a user-assigned workspace identity lacks a role.
ROLES = (
    Entry(
        code="WorkspaceIdentityLacksRole",
        variant="extension",
        ruled_out_by=(WORKSPACE_ROLES,),
        situations=(ATTACH,),
        cause="The user-assigned identity of workspace {workspace} lacks the role Kubernetes Extension Contributor on "
        "cluster {cluster}: it cannot see the extension, and Azure ML then says that it is not installed.",
        remedy="Assign the role, wait until it has spread (minutes), then start the attach again.",
        command=grant("Kubernetes Extension Contributor"),
        on=(worded(r"extension (is )?not installed"),),
        samples=(
            Sample("BadRequest", "extension not installed"),
            Sample("BadRequest", "AzureML extension is not installed on the cluster.", quoted=False),
        ),
        documentation=ATTACH_GUIDE,
    ),
    Entry(
        code="WorkspaceIdentityLacksRole",
        variant="cluster-admin",
        ruled_out_by=(WORKSPACE_ROLES,),
        vague=GUESS,
        situations=(ATTACH,),
        cause="The user-assigned identity of workspace {workspace} lacks the role Azure Kubernetes Service Cluster "
        "Admin on cluster {cluster}; Azure ML shows that as an internal server error.",
        remedy="Assign the role (its full name ends in 'Role'), wait until it has spread, then start the attach again.",
        command=grant("Azure Kubernetes Service Cluster Admin Role"),
        on=(
            Match(text=r"internal ?server", unless=(*_OTHER_CAUSES, "connected")),
            Match(codes=("InternalServerError",), unless=(*_OTHER_CAUSES, "connected")),
        ),
        samples=(
            Sample("InternalServerError", "internal server error"),
            Sample("InternalServerError", "Received an internal server error.", quoted=False),
        ),
        documentation=ATTACH_GUIDE,
    ),
    Entry(
        code="WorkspaceIdentityLacksRole",
        variant="arc",
        ruled_out_by=(WORKSPACE_ROLES,),
        vague=GUESS,
        situations=(ATTACH,),
        cause="The user-assigned identity of workspace {workspace} lacks a role for Arc cluster {cluster}: Reader or "
        "Kubernetes Extension Contributor on the cluster, or Azure Relay Owner on its relay; Azure ML shows that as an "
        "internal server error.",
        remedy="Assign what is missing, wait until it has spread (minutes), then start the attach again.",
        command=_ROLES_OF_WORKSPACE,
        on=(
            Match(text=r"internal ?server", given=("connected",), unless=_OTHER_CAUSES),
            Match(codes=("InternalServerError",), given=("connected",), unless=_OTHER_CAUSES),
        ),
        samples=(Sample("InternalServerError", "internal server error", facts=("connected",)),),
        documentation=ATTACH_GUIDE,
    ),
    Entry(
        code="WorkspaceIdentityLacksRole",
        variant="role-check",
        ruled_out_by=(WORKSPACE_ROLES,),
        situations=(ATTACH,),
        cause="The user-assigned identity of workspace {workspace} lacks a role on cluster {cluster}, or a role given "
        "minutes ago has not spread yet. It needs Reader, Kubernetes Extension Contributor and, on AKS, Azure "
        "Kubernetes Service Cluster Admin.",
        remedy="Assign what is missing, wait ten minutes, then start the attach again.",
        command="az role assignment list --assignee {workspace_principal} --scope {cluster_id} --include-inherited "
        "--output table",
        # AML-Kubernetes issue 279.
        on=(worded(r"role check failed"),),
        samples=(
            Sample("BadRequest", "AKS role check failed for user assigned identity. Please check the role assignment."),
        ),
        documentation=ATTACH_GUIDE,
    ),
    Entry(
        code="WorkspaceIdentityLacksRole",
        variant="compute-not-accessible",
        ruled_out_by=(WORKSPACE_ROLES,),
        situations=(ATTACH, ENDPOINT, JOB),
        cause="The identity of workspace {workspace} has no access to cluster {cluster}.",
        remedy="Give it Reader and Kubernetes Extension Contributor on the cluster, on AKS also Azure Kubernetes "
        "Service Cluster Admin Role, for an Arc cluster Azure Relay Owner on its relay; then try again.",
        command=_ROLES_OF_WORKSPACE,
        on=(coded("ComputeNotAccessible"), worded(r"kubernetes compute is not accessible")),
        samples=(Sample("ComputeNotAccessible", "The Kubernetes compute is not accessible."),),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
)

INTERNAL = (
    Entry(
        code="AttachAcrossSubscriptions",
        vague=GUESS,
        situations=(ATTACH,),
        cause="Cluster {cluster} is in another subscription than workspace {workspace}, which Azure ML does not "
        "support: the attach stays in Creating, often beyond an hour, and ends in an internal server error.",
        remedy="Use a cluster of the workspace's subscription, or connect this one to Azure Arc in that subscription "
        "and attach the connected cluster.",
        command="az connectedk8s connect --name {cluster} --resource-group {workspace_group} --subscription "
        "{subscription}",
        # azure-sdk-for-python issue 33480, AML-Kubernetes issue 155.
        on=(
            Match(text=r"internal ?server", given=("cross_subscription",)),
            Match(codes=("InternalServerError",), given=("cross_subscription",)),
        ),
        samples=(Sample("InternalServerError", "Internal Server Error", facts=("cross_subscription",)),),
        documentation=DEPLOY_GUIDE,
    ),
    Entry(
        code="AttachInternalError",
        vague=GUESS,
        situations=(ATTACH,),
        cause="Azure ML failed inside. Workspace {workspace} has a system-assigned identity, so that a missing role, "
        "the usual cause, is ruled out.",
        remedy="Detach the compute and attach again; if it fails again, open a support ticket with the correlation id.",
        without=Without(
            COMPUTE_MADE, "Start the attach again; if it fails again, open a support ticket with the correlation id."
        ),
        command=_DETACH,
        on=(
            Match(text=r"internal ?server", given=("system_assigned_workspace",), unless=("cross_subscription",)),
            Match(codes=("InternalServerError",), given=("system_assigned_workspace",), unless=("cross_subscription",)),
        ),
        samples=(Sample("InternalServerError", "Internal Server Error", facts=("system_assigned_workspace",)),),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="AttachInternalError",
        variant="roles-seen",
        vague=GUESS,
        situations=(ATTACH,),
        cause="Azure ML failed inside. The identity of workspace {workspace} has the roles that it needs on cluster "
        "{cluster}, so that a missing role, the usual cause, is ruled out.",
        remedy="Detach the compute and attach again; if it fails again, open a support ticket with the correlation id.",
        without=Without(
            COMPUTE_MADE, "Start the attach again; if it fails again, open a support ticket with the correlation id."
        ),
        command=_DETACH,
        # azure-sdk-for-python issue 33480.
        on=(
            Match(text=r"internal ?server", given=(_ROLES_SEEN,), unless=_OTHER_CAUSES),
            Match(codes=("InternalServerError",), given=(_ROLES_SEEN,), unless=_OTHER_CAUSES),
        ),
        samples=(Sample("InternalServerError", "Received an internal server error.", facts=(_ROLES_SEEN,)),),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="ExtensionNotSeen",
        situations=(ATTACH,),
        cause="Azure ML does not find the extension on cluster {cluster}, although it is installed and the identity of "
        "workspace {workspace} has the role to see it.",
        remedy="Wait some minutes, then start the attach again; if it fails again, open a support ticket with the "
        "correlation id.",
        command=SHOW_EXTENSION,
        on=(Match(text=r"extension (is )?not installed", given=(_ROLES_SEEN,)),),
        samples=(Sample("BadRequest", "extension not installed", facts=(_ROLES_SEEN,)),),
        documentation=ATTACH_GUIDE,
    ),
    Entry(
        code="ClusterAccessNotSeen",
        situations=(ATTACH, ENDPOINT, JOB),
        cause="Azure ML finds cluster {cluster} not accessible, although the identity of workspace {workspace} has the "
        "roles that it needs there.",
        remedy="See that the cluster runs and lets Azure ML through its network; wait ten minutes for roles given of "
        "late, then try again.",
        command=SHOW_CLUSTER,
        on=(
            Match(text=r"kubernetes compute is not accessible|role check failed", given=(_ROLES_SEEN,)),
            Match(codes=("ComputeNotAccessible",), given=(_ROLES_SEEN,)),
        ),
        samples=(Sample("ComputeNotAccessible", "The Kubernetes compute is not accessible.", facts=(_ROLES_SEEN,)),),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
)

COMPUTE = (
    Entry(
        code="ComputeInformationUnavailable",
        vague=WRAPPER,
        situations=(ATTACH, ENDPOINT, JOB),
        cause="Azure ML cannot get the compute's information from cluster {cluster}: the cluster or the extension does "
        "not answer.",
        remedy=f"See that cluster and extension are healthy. {REATTACH}",
        without=Without(COMPUTE_MADE, "See that the cluster is healthy, then start the attach again."),
        command=SHOW_EXTENSION,
        on=(coded("GenericComputeError"), worded(r"failed to get compute information")),
        samples=(Sample("GenericComputeError", "Failed to get compute information."),),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="ComputeMissing",
        situations=(ENDPOINT, JOB),
        cause="The endpoint stands on a compute that has been detached, or that never was in workspace {workspace}.",
        remedy="Attach the cluster again with the same compute name and namespace, or delete the endpoints that were "
        "left behind.",
        command=f"az ml compute list {AT_WORKSPACE} --output table",
        on=(coded("ComputeNotFound"), worded(r"cannot find kubernetes compute")),
        samples=(Sample("ComputeNotFound", "Cannot find Kubernetes compute."),),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="ComputeInformationInvalid",
        situations=(ATTACH, ENDPOINT, JOB),
        cause="What Azure ML holds about compute {compute} is not valid.",
        remedy=REATTACH,
        without=Without(COMPUTE_MADE, "Start the attach again, with the same name and namespace."),
        command=_DETACH,
        on=(coded("InvalidComputeInformation"), worded(r"compute information is invalid")),
        samples=(Sample("InvalidComputeInformation", "The compute information is invalid."),),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="ComputeConfigurationMissing",
        situations=(ATTACH, ENDPOINT, JOB),
        cause="Azure ML finds neither a relay nor an AKS configuration for compute {compute}: it does not know how to "
        "reach the cluster.",
        remedy=REATTACH,
        without=Without(COMPUTE_MADE, "Start the attach again, with the same name and namespace."),
        command=_DETACH,
        on=(coded("InvalidComputeNoKubernetesConfiguration"), worded(r"compute kubeconfig is invalid")),
        samples=(Sample("InvalidComputeNoKubernetesConfiguration", "The compute kubeconfig is invalid."),),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="ComputeNotReady",
        situations=(ATTACH, ENDPOINT, JOB),
        cause="Compute {compute} is used before its attach has ended, or although its attach has failed.",
        remedy="Wait until the compute is Succeeded; one that has Failed does not recover: detach and attach again.",
        without=Without(COMPUTE_MADE, "Start the attach again."),
        command=_SHOW_COMPUTE,
        on=(coded("ComputeResourceNotCreated"), worded(r"compute.* not in (a )?'?succeeded'? state")),
        samples=(Sample("ComputeResourceNotCreated", "The compute resource is not in Succeeded state.", quoted=False),),
    ),
    Entry(
        code="ComputeCannotBeUpdated",
        situations=(ATTACH,),
        cause="Azure ML does not change the configuration of an attached Kubernetes compute.",
        remedy="Detach the compute, then attach it with the new settings (its identity alone can be edited in studio).",
        command=_DETACH,
        # azureml-examples pull request 3030.
        on=(worded(r"compute.*(cannot be updated|update is not supported|does not support update)"),),
        samples=(Sample("BadRequest", "Kubernetes compute configuration cannot be updated.", quoted=False),),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="ComputeTypeRetired",
        situations=(ATTACH,),
        cause="The compute was asked for as AksCompute, the type of Azure ML v1, which can no longer be created.",
        remedy="Attach the cluster as a compute of type Kubernetes.",
        command="az ml compute attach --type Kubernetes --name {compute} --resource-id {cluster_id} " + AT_WORKSPACE,
        # azureml-examples issues 1474 and 1678.
        on=(worded(r"akscompute.*no longer supported"),),
        samples=(Sample("NotSupported", "AksCompute creation no longer supported", quoted=False),),
    ),
    Entry(
        code="ComputeNameInUse",
        variant="azure",
        situations=(ATTACH,),
        cause="Workspace {workspace} has a compute or a cluster of this name already; creating is not idempotent.",
        remedy="Choose another compute name, or detach the compute that has it first.",
        command=_SHOW_COMPUTE,
        on=(worded(r"(cluster|compute).*already exists"),),
        samples=(Sample("Conflict", "A cluster with the same name already exists.", 409, quoted=False),),
    ),
    Entry(
        code="RelayMissing",
        situations=(ATTACH,),
        cause="The extension on Arc cluster {cluster} was installed without a relay, the only way for Azure ML to "
        "reach that cluster.",
        remedy="Delete the extension and install it with relayserver.enabled=true and the relay's connection string, "
        "then attach again.",
        without=Without(EXTENSION_MADE, "Start the attach again: it installs the extension with a relay."),
        command=f"az k8s-extension delete --name {{extension}} {AT_CLUSTER}",
        # AML-Kubernetes issue 75.
        on=(worded(r"relay resource id or connection string"),),
        samples=(Sample("BadRequest", "Relay resource id or connection string are not provided"),),
    ),
    Entry(
        code="ExtensionIdentityNotOnNodes",
        situations=(ATTACH, ENDPOINT, JOB),
        cause="The extension's managed identity is not assigned to the node pools (scale sets) of cluster {cluster}, "
        "so that its pods get no token.",
        remedy="Reinstall the extension, then see that the scale sets of the node resource group list its identity.",
        without=Without(EXTENSION_MADE, "Start the attach again: it installs the extension once more."),
        command=f"az k8s-extension show --name {{extension}} {AT_CLUSTER} --query aksAssignedIdentity",
        # azure-sdk-for-python issue 33451.
        on=(
            coded("RefreshExtensionIdentityNotSet"),
            worded(r"managed identity of azureml extension is not assigned to the node pool"),
        ),
        samples=(
            Sample(
                "RefreshExtensionIdentityNotSet",
                "Managed identity of AzureML extension is not assigned to the node pool of the cluster.",
            ),
        ),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
)

GENERIC = Entry(
    code="AttachFailed",
    situations=(ATTACH,),
    cause="Azure ML did not attach the cluster: {said}",
    remedy="Detach the failed compute, remove the cause, then attach again.",
    without=Without(COMPUTE_MADE, "Remove the cause, then start the attach again."),
    command=_SHOW_COMPUTE,
    documentation=TROUBLESHOOT_COMPUTE,
)

ENTRIES = (*ROLES, *INTERNAL, *COMPUTE, *connection.ENTRIES)
