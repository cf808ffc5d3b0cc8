"""Jobs on a Kubernetes compute, and detach, which jobs and endpoints block.

Sources: how-to-troubleshoot-kubernetes-compute; a guide to AKS extensions for Azure ML (queued jobs, GPUs); a post on
detach errors of Azure ML v1 (what blocks a detach). The sources quote few of these messages in full.
"""

from __future__ import annotations

from dataclasses import replace

from domain.catalogue.entry import (
    AKS,
    AT_CLUSTER,
    AT_WORKSPACE,
    COMPUTE_IDENTITY,
    COMPUTE_ROLES,
    DETACH,
    ENDPOINT,
    GUESS,
    INSTANCE_TYPES_GUIDE,
    JOB,
    TROUBLESHOOT_COMPUTE,
    WORKSPACE_ROLES,
    Entry,
    Match,
    Sample,
    coded,
    is_set,
    passed,
    worded,
)

_SHOW_COMPUTE = f"az ml compute show --name {{compute}} {AT_WORKSPACE}"
_SHOW_JOB = f"az ml job show --name {{job}} {AT_WORKSPACE}"
_PODS = "kubectl get pods --namespace {namespace} --output wide"
_GRANT = (
    "az role assignment create --assignee-object-id {compute_principal} --assignee-principal-type ServicePrincipal "
    '--role "{role}" --scope {scope}'
)
_ROLES_SEEN = (passed(COMPUTE_ROLES),)
_SKIPS, _PLUGIN = "amloperator.skipResourceValidation=True", "installNvidiaDevicePlugin=True"
_STORAGE = r"azure ?blob.*authorization failed|AuthorizationPermissionMismatch"
_DATA = r"unable to mount(?!.*account key)|dataaccesserror"
_PULLS, _PULLING = ("ImagePullBackOff", "ErrImagePull"), r"image ?pull|pull(ing)? (the )?image"
_TOO_LARGE = r"invalid instance type|exceeded the node size"
_MEMORY = r"\bOOM ?Killed\b|\bout of memory\b|exceeded (its |the )?memory limit"
_KILLED = (coded("137"), worded(rf"\A(?!.*({_MEMORY})).*job failed\.? 137\b"))
_NO_GPU = r"insufficient nvidia\.com/gpu|gpu (is )?not (detected|found)"
BLOB_ROLE, PULL_ROLE = "Storage Blob Data Contributor", "AcrPull"

JOBS = (
    Entry(
        code="JobOutOfMemory",
        situations=(JOB,),
        cause="A container of the job needed more memory than its instance type allows, and was killed.",
        remedy="Use an instance type with more memory, or have the job use less; then submit it again.",
        command="kubectl get instancetypes --output yaml",
        # What Kubernetes calls it; the exit code alone (137) says only that something was killed.
        on=(worded(_MEMORY),),
        samples=(Sample(None, "Job failed. 137: container main was OOMKilled", quoted=False),),
        documentation=INSTANCE_TYPES_GUIDE,
    ),
    Entry(
        code="ProxyCatchesLoopback",
        situations=(JOB,),
        cause="The outbound proxy of cluster {cluster} also takes what pods say to themselves at 127.0.0.1. Without a "
        "proxy exit code 137 means that a container was killed, as for want of memory.",
        remedy="Have 127.0.0.1 and localhost skip the proxy, with all that skips it now: the command replaces the "
        "list. Without a proxy use an instance type with more memory. Then submit the job again.",
        command="az connectedk8s update --name {cluster} --resource-group {cluster_group} --subscription "
        "{cluster_subscription} --proxy-skip-range 127.0.0.1,localhost",
        on=tuple(replace(match, unless=("managed",)) for match in _KILLED),
        samples=(
            Sample(None, "Job failed. 137"),
            Sample(None, "Azure Machine Learning Kubernetes job failed. 137:PodPattern matched: {}"),
        ),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="ProxyCatchesLoopback",
        variant="aks",
        situations=(JOB,),
        cause="The HTTP proxy of cluster {cluster} also takes what pods say to themselves at 127.0.0.1. Without a "
        "proxy exit code 137 means that a container was killed, as for want of memory.",
        remedy="Add 127.0.0.1 and localhost to noProxy of the cluster's HTTP proxy. Without a proxy use an instance "
        "type with more memory. Then submit the job again.",
        command=f"az aks show {AKS} --query httpProxyConfig",
        on=tuple(replace(match, given=("managed",)) for match in _KILLED),
        samples=(Sample(None, "Job failed. 137", facts=("managed",)),),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="TrainingNotEnabled",
        situations=(JOB,),
        cause="The extension on cluster {cluster} is installed without enableTraining.",
        remedy="Update the extension with enableTraining=True, then submit the job again.",
        command=f"az k8s-extension update --name {{extension}} {AT_CLUSTER} --configuration-settings "
        f"enableTraining=True",
        set_already=("enableTraining=True",),
        on=(coded("E45004"), worded(r"\bE45004\b|training feature (is )?not enabled")),
        samples=(
            Sample(None, "Job failed. E45004"),
            Sample("E45004", "training feature not enabled"),
            Sample(
                None,
                'Azure Machine Learning Kubernetes job failed. E45004:"Training feature is not enabled, please enable '
                'it when install the extension."',
            ),
        ),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="TokenServiceUnreachable",
        situations=(JOB,),
        cause="The job cannot reach the workspace's token service: the workspace has a private link, and DNS or "
        "network of the cluster do not lead to it.",
        remedy="Link the private DNS zones to the cluster's network and peer it with the workspace's, then submit "
        "again.",
        command="az network private-endpoint list --resource-group {workspace_group} --subscription {subscription} "
        "--output table",
        on=(worded(r"job failed\.? 400\b|machine learning token service"),),
        samples=(
            Sample(None, "Job failed. 400"),
            Sample(
                None,
                'Azure Machine Learning Kubernetes job failed. 400:{"Msg":"Encountered an error when attempting to '
                'connect to the Azure Machine Learning token service","Code":400}',
            ),
        ),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="ComputeIdentityMissing",
        ruled_out_by=(COMPUTE_IDENTITY,),
        situations=(JOB,),
        cause="Compute {compute} has no identity, and the job names no other credential for the storage.",
        remedy="Attach the compute with an identity and give that the role Storage Blob Data Contributor on the "
        "workspace's storage.",
        command=_SHOW_COMPUTE,
        on=(worded(r"either an account key or sas token"),),
        samples=(
            Sample(None, "Give either an account key or SAS token"),
            Sample(None, "Unable to mount data store workspaceblobstore. Give either an account key or SAS token"),
        ),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="StorageRefused",
        ruled_out_by=(COMPUTE_ROLES,),
        situations=(JOB,),
        cause="The identity of compute {compute} lacks a blob data role on the storage account, or the account's "
        "firewall refuses the cluster.",
        remedy="Give the identity Storage Blob Data Reader (Contributor to write); let the cluster's network, the "
        "trusted Azure services and the workspace through the account's firewall.",
        command=_GRANT.replace("{role}", BLOB_ROLE).replace("{scope}", "{storage_id}"),
        on=(
            worded(_STORAGE),
            coded("AuthorizationPermissionMismatch"),
        ),
        samples=(
            Sample(None, "AzureBlob authorization failed"),
            Sample(
                None,
                "Unable to upload project files to working directory in AzureBlob because the authorization failed.",
            ),
        ),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="StorageRefused",
        variant="roles-seen",
        situations=(JOB,),
        cause="The storage account of workspace {workspace} refuses compute {compute}, whose identity has the role for "
        "it: the account's firewall refuses the cluster, or a role given minutes ago has not spread yet.",
        remedy="Let the cluster's network through the account's firewall. If the role is new, wait ten minutes; then "
        "retry the operation.",
        command="az storage account show --ids {storage_id} --query '{access: publicNetworkAccess, rules: "
        "networkRuleSet}'",
        on=tuple(
            replace(match, given=_ROLES_SEEN)
            for match in (
                worded(rf"{_STORAGE}|{_DATA}"),
                coded("AuthorizationPermissionMismatch", "DataAccessError"),
            )
        ),
        samples=(Sample(None, "AzureBlob authorization failed", facts=_ROLES_SEEN),),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="InstanceTypeTooLarge",
        set_already=(_SKIPS,),
        situations=(JOB,),
        cause="The instance type is larger than any node of cluster {cluster}.",
        remedy="Use a smaller instance type or larger nodes; for node pools that scale up from zero set "
        "amloperator.skipResourceValidation=true on the extension.",
        command="kubectl describe nodes",
        on=(worded(_TOO_LARGE),),
        samples=(Sample("9", "Invalid instance type … exceeded the node size"),),
        documentation=INSTANCE_TYPES_GUIDE,
    ),
    Entry(
        code="InstanceTypeTooLarge",
        variant="not-validated",
        situations=(JOB,),
        cause="The instance type is larger than any node of cluster {cluster}, those included that its pools could "
        "make.",
        remedy="Use a smaller instance type, or add a node pool of larger machines.",
        command="kubectl describe nodes",
        on=(Match(text=_TOO_LARGE, given=(is_set(_SKIPS),)),),
        samples=(Sample("9", "Invalid instance type … exceeded the node size", facts=(is_set(_SKIPS),)),),
        documentation=INSTANCE_TYPES_GUIDE,
    ),
    Entry(
        code="DataNotMounted",
        ruled_out_by=(COMPUTE_ROLES,),
        situations=(JOB,),
        cause="The identity of compute {compute} may not read the data: it lacks a blob data role on the storage "
        "account.",
        remedy="Give the identity Storage Blob Data Reader (Contributor to write), then submit the job again.",
        command=_GRANT.replace("{role}", BLOB_ROLE).replace("{scope}", "{storage_id}"),
        on=(coded("DataAccessError"), worded(_DATA)),
        samples=(Sample("DataAccessError", "Unable to mount data"),),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="DownloadModeUnsupported",
        situations=(JOB,),
        cause="The job takes its input data in download mode, which the extension does not support: its pods stay in "
        "Init.",
        remedy="Use mount mode for the job's inputs, then submit it again.",
        command=_PODS,
        on=(worded(r"no volume plugin matched"),),
        samples=(
            Sample(
                None,
                "Unable to attach or mount volumes: failed to get plugin from volumeSpec for volume "
                "x-blobfuse-y err=no volume plugin matched",
            ),
        ),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="ImageNotPulled",
        ruled_out_by=(COMPUTE_ROLES,),
        situations=(JOB,),
        cause="The identity of compute {compute} may not pull images from the workspace's registry, or the cluster "
        "does not reach it.",
        remedy="Give the identity AcrPull on the registry, then submit the job again.",
        command=_GRANT.replace("{role}", PULL_ROLE).replace("{scope}", "{registry_id}"),
        on=(coded(*_PULLS), worded(_PULLING)),
        samples=(Sample("ImagePullBackOff", "Back-off pulling image", quoted=False),),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="ImageNotPulled",
        variant="roles-seen",
        situations=(JOB,),
        cause="The image cannot be pulled, although the identity of compute {compute} may pull from the workspace's "
        "registry: the cluster does not reach the registry, the image does not exist, or a role given minutes ago has "
        "not spread yet.",
        remedy="See that the image exists and that the cluster's network reaches the registry. If the role is new, "
        "wait ten minutes; then retry the operation.",
        command="kubectl get events --namespace {namespace} --field-selector reason=Failed",
        on=(
            Match(codes=_PULLS, given=_ROLES_SEEN),
            Match(text=_PULLING, given=_ROLES_SEEN),
        ),
        samples=(Sample("ImagePullBackOff", "Back-off pulling image", quoted=False, facts=_ROLES_SEEN),),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="GroupNameEndsWithHyphen",
        vague=GUESS,
        situations=(JOB, ENDPOINT),
        cause="The name of workspace {workspace} or of its resource group ends with a hyphen; Azure ML then fails "
        "inside.",
        remedy="Use a workspace and a resource group whose names do not end with a hyphen: neither can be renamed.",
        command=f"az ml workspace show --name {{workspace}} {AT_WORKSPACE.split(' ', 2)[2]}",
        on=(
            Match(codes=("InternalServerError",), given=("name_ends_with_hyphen",)),
            Match(text=r"internal ?server", given=("name_ends_with_hyphen",)),
        ),
        samples=(Sample("InternalServerError", "InternalServerError", facts=("name_ends_with_hyphen",)),),
        documentation=TROUBLESHOOT_COMPUTE,
    ),
    Entry(
        code="GpuNotDetected",
        set_already=(_PLUGIN,),
        situations=(JOB,),
        cause="No node of cluster {cluster} offers a GPU: the NVIDIA device plug-in does not run on the GPU node pool, "
        "or there is no such pool.",
        remedy="See that the plug-in's daemon set runs on the GPU nodes; set installNvidiaDevicePlugin=True otherwise.",
        command="kubectl get daemonsets --all-namespaces --output wide",
        on=(worded(_NO_GPU),),
        samples=(Sample(None, "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.", quoted=False),),
    ),
    Entry(
        code="GpuNotDetected",
        variant="plug-in-installed",
        situations=(JOB,),
        cause="No node of cluster {cluster} offers a free GPU, although the extension installs the NVIDIA device "
        "plug-in: no GPU pool runs, its GPUs are taken, or the driver of its nodes is not ready.",
        remedy="See that a GPU pool runs and what its nodes offer (nvidia.com/gpu); add GPU nodes or wait for free "
        "ones.",
        command="kubectl describe nodes",
        on=(Match(text=_NO_GPU, given=(is_set(_PLUGIN),)),),
        samples=(
            Sample(
                None,
                "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
                quoted=False,
                facts=(is_set(_PLUGIN),),
            ),
        ),
    ),
    Entry(
        code="JobStuckQueued",
        situations=(JOB,),
        cause="The job waits for resources: the node pool has no room for the instance type, and the autoscaler cannot "
        "scale up.",
        remedy="Free capacity, use a smaller instance type, or let the node pool grow.",
        command=_PODS,
        on=(coded("Queued"),),
        samples=(Sample("Queued", "The job is stuck in state Queued.", quoted=False),),
    ),
)
JOB_FAILED = Entry(
    code="JobFailed",
    situations=(JOB,),
    cause="The job failed: {said}",
    remedy="Read the job's logs, remove the cause, then submit it again.",
    command=_SHOW_JOB,
    documentation=TROUBLESHOOT_COMPUTE,
)

DETACHING = (
    Entry(
        code="ComputeInUse",
        variant="azure",
        situations=(DETACH,),
        cause="Azure ML does not let go of compute {compute}: jobs or endpoints still use it.",
        remedy="Let the jobs end or cancel them, delete the endpoints, then start the detach again.",
        command=f"az ml job list {AT_WORKSPACE} --query "
        "\"[?status!='Completed' && status!='Failed' && status!='Canceled'].name\"",
        on=(
            worded(r"\b(active|running|pending|in-progress) (jobs?|deployments?|endpoints?|runs?|compute operations?)"),
            worded(r"compute (\S+ )?is (still )?in use"),
        ),
        samples=(Sample("Conflict", "There are active jobs or deployments on the compute.", quoted=False),),
    ),
    Entry(
        code="WorkspaceIdentityLacksRole",
        variant="detach",
        ruled_out_by=(WORKSPACE_ROLES,),
        situations=(DETACH,),
        cause="The identity of workspace {workspace} may not change cluster {cluster} and cannot remove what Azure ML "
        "has there.",
        remedy="Give it Reader, Kubernetes Extension Contributor and Azure Kubernetes Service Cluster Admin on the "
        "cluster, then start the detach again.",
        command="az role assignment list --assignee {workspace_principal} --scope {cluster_id} --include-inherited "
        "--output table",
        # A deny assignment is refused in these words too, and is no missing role of the workspace.
        on=(
            worded(r"role check failed|access (is )?denied(?!.*deny assignment)|insufficient (permissions|privileges)"),
        ),
        samples=(Sample("BadRequest", "Access denied: insufficient permissions on the cluster.", quoted=False),),
    ),
    Entry(
        code="AttachStillLeft",
        situations=(DETACH,),
        cause="Azure ML still attaches or removes compute {compute}: the earlier operation has not ended.",
        remedy="Wait until that has ended, then start the detach again.",
        command=_SHOW_COMPUTE,
        on=(worded(r"compute.*(being (created|updated|deleted)|operation.*in progress)"),),
        samples=(Sample("Conflict", "The compute is being deleted.", 409, quoted=False),),
        transient=True,
    ),
)
DETACH_FAILED = Entry(
    code="DetachFailed",
    situations=(DETACH,),
    cause="Azure ML did not detach the compute: {said}",
    remedy="Look at the compute in the workspace; start the detach again when the cause is gone.",
    command=_SHOW_COMPUTE,
    documentation=TROUBLESHOOT_COMPUTE,
)
ENTRIES = (*JOBS, *DETACHING)
