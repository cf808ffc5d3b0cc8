"""What Moor itself finds: an operation refused or ended without Azure having said so."""

from __future__ import annotations

from domain.catalogue.entry import AKS, AT_WORKSPACE, MOOR, Entry
from domain.catalogue.moor import access as own_access
from domain.catalogue.moor import decisions as own_decisions
from domain.catalogue.moor import extension as own_extension

_COMPUTE = f"az ml compute show --name {{compute}} {AT_WORKSPACE}"
_DETACH = f"az ml compute detach --name {{compute}} {AT_WORKSPACE}"
_JOURNAL = "curl --header 'Authorization: Bearer <token>' '<url>/api/operations/{operation}/journal'"

ENTRIES = (
    *own_access.ENTRIES,
    *own_decisions.ENTRIES,
    *own_extension.ENTRIES,
    Entry(
        code="WorkspaceNotFound",
        situations=(MOOR,),
        cause="Workspace {workspace_id} does not exist, or the app's identity may not see it.",
        remedy="Check the id of the workspace and the roles of the app's identity.",
        command="az resource show --ids {workspace_id}",
    ),
    Entry(
        code="ClusterNotFound",
        situations=(MOOR,),
        cause="Cluster {cluster_id} does not exist, or the app's identity may not see it.",
        remedy="Check the id of the cluster and the roles of the app's identity.",
        command="az resource show --ids {cluster_id}",
    ),
    Entry(
        code="OperationCanceled",
        situations=(MOOR,),
        cause="The operation was canceled: {canceled_by} asked for it{canceled_because}.",
        remedy="Nothing: what it made is reverted, or kept, as the request said. Retry continues it.",
        command=_JOURNAL,
    ),
    Entry(
        code="SmokeTestTimedOut",
        situations=(MOOR,),
        cause="The smoke test's job {job} is {status} after {waited}.",
        remedy="Look at the job's logs and its pods; try a job of your own on the compute.",
        command=f"az ml job show --name {{job}} {AT_WORKSPACE}",
        transient=True,
    ),
    Entry(
        code="SmokeTestEnded",
        situations=(MOOR,),
        cause="The smoke test's job {job} is {status}: somebody else ended it.",
        remedy="Retry the operation, or run a job of your own on the compute.",
        command=f"az ml job show --name {{job}} {AT_WORKSPACE}",
    ),
    Entry(
        code="ClusterStopped",
        situations=(MOOR,),
        cause="The cluster {cluster} is {power}: nothing can be installed on it.",
        remedy="Start the cluster, then start the attach again.",
        command=f"az aks start {AKS}",
    ),
    Entry(
        code="ClusterNotHealthy",
        situations=(MOOR,),
        cause="The last operation on cluster {cluster} ended as {state}.",
        remedy="Repair the cluster: remove the cause of that, and have the operation done again (on AKS an `az aks "
        "update` without options does). Then start the attach again.",
        command="az resource show --ids {cluster_id} --query 'properties.{state: provisioningState, why: "
        "status.provisioningError}'",
    ),
    Entry(
        code="ComputeNameInUse",
        situations=(MOOR,),
        cause="The workspace has a compute {compute} already: {existing}.",
        remedy="Choose another compute name, or detach that compute first.",
        command=_COMPUTE,
    ),
    Entry(
        code="ComputeNameInUse",
        variant="legacy",
        situations=(MOOR,),
        cause="The workspace has a compute {compute} of the legacy v1 type already: {existing}.",
        remedy="Choose another compute name, or detach the legacy compute first, with its deployments.",
        command=_COMPUTE,
    ),
    Entry(
        code="ComputeNameInUse",
        variant="settings",
        situations=(MOOR,),
        cause="The compute {compute} is attached to this cluster already, with other settings: {existing}.",
        remedy="Reattach it: a compute cannot be changed in place, so detach it, then attach it with the new settings.",
        command=_DETACH,
    ),
    Entry(
        code="PreflightFailed",
        situations=(MOOR,),
        cause="{cause}",
        remedy="Remove the cause, then start the operation again.",
        command="curl --header 'Authorization: Bearer <token>' '<url>/api/operations/{operation}'",
    ),
    Entry(
        code="SettingInvalid",
        situations=(MOOR,),
        cause="An app setting cannot be used: {said}.",
        remedy="Correct the setting of the function app, then start the operation again.",
        command="az functionapp config appsettings list --name {app} --resource-group {app_group}",
    ),
    Entry(
        code="AppIdentityRefused",
        situations=(MOOR,),
        cause="The app cannot sign in to Azure: {said}. It is not assigned to the app, or its secret is wrong; "
        "waiting cures neither.",
        remedy="Assign the identity to the function app, or correct AZURE_CLIENT_ID or the settings of the host's "
        "storage that name another one; then retry the operation.",
        command="az functionapp identity show --name {app} --resource-group {app_group}",
        documentation="https://learn.microsoft.com/azure/app-service/overview-managed-identity",
    ),
    Entry(
        code="ComputeFailed",
        situations=(MOOR,),
        cause="The compute {compute} exists already, in state {state}.",
        remedy="Detach it, then attach again: a failed compute does not recover.",
        command=_DETACH,
    ),
    Entry(
        code="NothingToReattach",
        situations=(MOOR,),
        cause="Workspace {workspace} has no compute {compute}: nothing to keep and nothing to change.",
        remedy="Attach the cluster with POST /api/attach.",
        command=_COMPUTE,
    ),
    Entry(
        code="ReattachRefused",
        situations=(MOOR,),
        cause="The compute cannot be attached again with these changes: {reasons}.",
        remedy="Correct the request. Nothing was changed.",
        command=_COMPUTE,
    ),
    Entry(
        code="NotAKubernetesCompute",
        situations=(MOOR,),
        cause="The compute is of type {compute_type}; Moor detaches computes of the types Kubernetes and AKS.",
        remedy="Use `az ml compute detach` or `az ml compute delete` for computes of other types.",
        command=_DETACH,
    ),
    Entry(
        code="ComputeInUse",
        situations=(MOOR,),
        cause="The compute is in use: {uses}.",
        remedy="Let the jobs end or cancel them, delete the endpoints, then start the detach again.",
        command=f"az ml job list {AT_WORKSPACE} --query "
        "\"[?status!='Completed' && status!='Failed' && status!='Canceled'].name\"",
    ),
    Entry(
        code="DetachStuck",
        situations=(MOOR,),
        cause="Azure ML took the detach and has not finished it: asked {since}, {waited} ago. Last seen: {detail}.",
        remedy="Wait: Moor looks every hour whether the compute is gone, and then ends the operation. If it stays, "
        "open a support request with the compute's id: nothing but Azure ML can finish it.",
        command="az rest --method get --url '{compute_id}?api-version=2025-12-01'",
        transient=True,
    ),
    Entry(
        code="ComputeUseUnknown",
        situations=(MOOR,),
        cause="Azure does not say what uses the compute ({said}); that counts as in use.",
        remedy="Start the detach again when the workspace lists its jobs and endpoints.",
        command=f"az ml job list {AT_WORKSPACE} --max-results 1",
    ),
    Entry(
        code="OperationConflict",
        situations=(MOOR,),
        cause="Operation {holder} ({holder_kind}) has this compute.",
        remedy="Wait for that operation to end, then start this one again.",
        command="curl --header 'Authorization: Bearer <token>' '<url>/api/operations/{holder}'",
        transient=True,
    ),
    Entry(
        code="DeadlineExceeded",
        situations=(MOOR,),
        cause="{step} was not done after {waited}. Last seen: {detail}",
        remedy="Look at the resource in Azure; start the operation again once it is as it should be.",
        command="az monitor activity-log list --resource-group {workspace_group} --subscription {subscription} "
        "--offset 1d --output table",
        transient=True,
    ),
    Entry(
        code="StepKeepsFailing",
        situations=(MOOR,),
        cause="The step {step} raised an error {errors} times in a row and was given up.",
        remedy="Look for this operation's id in the app's log: an outage of storage or identity shows there.",
        command="az monitor app-insights query --app {app} --resource-group {app_group} "
        "--analytics-query \"traces | where message has '{operation}'\"",
        transient=True,
    ),
    Entry(
        code="RecordTooLarge",
        situations=(MOOR,),
        cause="What the step {step} has to keep does not fit into the record of the operation: {said}",
        remedy="Read the journal for what was done. Retry with a smaller request, or report it: storage works.",
        command="az monitor app-insights query --app {app} --resource-group {app_group} "
        "--analytics-query \"traces | where message has '{operation}'\"",
    ),
    Entry(
        code="RunTerminated",
        situations=(MOOR,),
        cause="The engine instance of this operation was terminated in the engine",
        remedy="Read the journal for what was done; retry continues it.",
        command=_JOURNAL,
        transient=True,
    ),
    Entry(
        code="RunKeepsStopping",
        situations=(MOOR,),
        cause="The engine instance of this operation {what}",
        remedy="Read the journal for what was done; look at the app's log, then retry.",
        command=_JOURNAL,
        transient=True,
    ),
    Entry(
        code="RunLost",
        situations=(MOOR,),
        cause="The engine instance of this operation {what}",
        remedy="Do nothing: a new run resumes from the record.",
        command=_JOURNAL,
        transient=True,
    ),
)
