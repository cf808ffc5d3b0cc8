"""Online endpoints and deployments on a Kubernetes compute.

Source: how-to-troubleshoot-online-endpoints (its part on Kubernetes), and the issues named at the entries. The page
goes by codes; where it quotes no message, the sample's words describe the code.
"""

from __future__ import annotations

from domain.catalogue.entry import (
    AT_CLUSTER,
    AT_WORKSPACE,
    ENDPOINT,
    INSTANCE_TYPES_GUIDE,
    PODS,
    SHOW_EXTENSION,
    TROUBLESHOOT_ENDPOINTS,
    Entry,
    Match,
    Sample,
    coded,
    worded,
)

_LOGS = (
    f"az ml online-deployment get-logs --name {{deployment}} --endpoint-name {{endpoint}} {AT_WORKSPACE} --lines 200"
)
_SHOW = f"az ml online-endpoint show --name {{endpoint}} {AT_WORKSPACE}"
_PODS = "kubectl describe pods --namespace {namespace}"
_PULL = (
    "az role assignment create --assignee-object-id {compute_principal} --assignee-principal-type ServicePrincipal "
    "--role AcrPull --scope {registry_id}"
)


def _coded(
    code: str,
    cause: str,
    remedy: str,
    command: str,
    *azure: str,
    text: str | None = None,
    said: str | None = None,
    transient: bool = False,
    documentation: str = TROUBLESHOOT_ENDPOINTS,
) -> Entry:
    """An entry that Azure names by a code; Moor's code is Azure's own unless another tells more."""
    names = azure or (code,)
    message = said or f"{names[0]}: the deployment failed."
    matches = (coded(*names), worded(text if text else rf"\b({'|'.join(names)})\b"))
    return Entry(
        code=code,
        situations=(ENDPOINT,),
        cause=cause,
        remedy=remedy,
        command=command,
        on=matches,
        samples=tuple(Sample(name, message.replace(names[0], name), quoted=said is not None) for name in names),
        transient=transient,
        documentation=documentation,
    )


ENTRIES = (
    _coded(
        "RegistrySecretFailed",
        "The cluster could not make the secret to pull images with: a role assignment is not complete, the extension "
        "is not healthy or not newer than 1.1.25, or network and private endpoints block it.",
        "Wait some minutes and deploy again; see that the extension is healthy and recent, and the network open.",
        SHOW_EXTENSION,
        "ACRSecretError",
    ),
    _coded(
        "ClusterIdentityMissing",
        "The extension gets no credential: the identity of cluster {cluster} is not set properly.",
        "Reinstall the extension, then deploy again.",
        f"az k8s-extension show --name {{extension}} {AT_CLUSTER} --query aksAssignedIdentity",
        "TokenRefreshFailed",
    ),
    _coded(
        "TokenRequestBlocked",
        "The cluster's request for a Microsoft Entra token is blocked or times out; a workspace with private link "
        "needs one from the cluster's network.",
        "Open the outbound rules (AzureActiveDirectory, AzureMachineLearning, MicrosoftContainerRegistry), then deploy "
        "again.",
        PODS,
        "GetAADTokenFailed",
    ),
    _coded(
        "RegistryUnreachable",
        "Cluster {cluster} does not reach the workspace's container registry.",
        "Open the network from the cluster to the registry, then deploy again.",
        "az acr check-health --name {registry} --yes",
        "ACRAuthenticationChallengeFailed",
    ),
    _coded(
        "RegistryRoleNotSpread",
        "The role assignment on the container registry has not spread yet, or is missing.",
        "Wait a minute and deploy again; if it stays, give the identity AcrPull.",
        _PULL,
        "ACRTokenExchangeFailed",
        transient=True,
    ),
    _coded(
        "DeploymentImageNotPulled",
        "The deployment's image cannot be pulled: network policy, or the registry.",
        "See that the image exists and that the cluster may and can pull it, then deploy again.",
        _PODS,
        "ImagePullLoopBackOff",
        text=r"image ?pull(loop)?backoff",
    ),
    _coded(
        "DeploymentCrashes",
        "The deployment's container crashes again and again: an error in the scoring script, or too little memory.",
        "Read the deployment's log; correct the script or use a larger instance type.",
        _LOGS,
        "DeploymentCrashLoopBackOff",
        "KubernetesCrashLoopBackOff",
        text=r"crash ?loop ?backoff",
    ),
    _coded(
        "NamespaceNotFound",
        "Namespace {namespace} of compute {compute} is not in cluster {cluster}; an attach neither makes nor checks "
        "it.",
        "Create the namespace, or detach and attach again with one that exists.",
        "kubectl create namespace {namespace}",
        text=r"namespacenotfound|namespace .*not found",
    ),
    _coded(
        "EndpointNotFound",
        "The endpoint's object is not in cluster {cluster}.",
        "Create the endpoint (again), then deploy.",
        _SHOW,
    ),
    # azure-sdk-for-python issue 35109, azure-cli-extensions issue 7660.
    _coded(
        "EndpointAlreadyExists",
        "An endpoint of this name is on cluster {cluster} already: names are unique in a workspace and in a cluster, "
        "and a detach leaves endpoints behind.",
        "Use another name, or delete the endpoint left by an earlier workspace or attachment.",
        f"az ml online-endpoint list {AT_WORKSPACE} --output table",
    ),
    _coded(
        "RouterUnhealthy",
        "The inference router azureml-fe has no healthy replica.",
        "See why its pods do not run; reinstall or update the extension.",
        "kubectl get deployment azureml-fe-v2 --namespace azureml",
        "ScoringFeUnhealthy",
        text=r"azureml-fe not ready|scoringfeunhealthy",
        said="Azureml-fe not ready",
    ),
    _coded(
        "ScoringValidationFailed",
        "The address that the deployed model is asked at could not be validated.",
        "Check the endpoint's URL and the deployment's log, then deploy again.",
        _SHOW,
        "ValidateScoringFailed",
    ),
    _coded(
        "ScoringScriptFaulty",
        "The scoring script does not start: init() raises, an import is missing, or init() or run() is.",
        "Read the deployment's log, correct the script or its environment, then deploy again.",
        _LOGS,
        "UserScriptInitFailed",
        "UserScriptImportError",
        "UserScriptFunctionNotFound",
    ),
    Entry(
        code="EndpointInternalError",
        situations=(ENDPOINT,),
        cause="Azure ML failed inside.",
        remedy="Try again; if it fails again, open a support ticket with the correlation id.",
        command=_SHOW,
        on=(
            Match(codes=("InternalServerError",), unless=("name_ends_with_hyphen",)),
            Match(text=r"internal ?server ?error", unless=("name_ends_with_hyphen",)),
        ),
        samples=(Sample("InternalServerError", "Internal server error", quoted=False),),
        documentation=TROUBLESHOOT_ENDPOINTS,
    ),
    _coded(
        "DeploymentInvalid",
        "The deployment's specification is not valid.",
        "Correct what the message names, then deploy again.",
        _SHOW,
        "InvalidDeploymentSpec",
    ),
    _coded(
        "DeploymentUnschedulable",
        "No node of cluster {cluster} takes the deployment's pods: too little capacity, or the node selector matches "
        "none.",
        "Add nodes, use a smaller instance type, or correct its node selector.",
        _PODS,
        "PodUnschedulable",
        "OutOfQuota",
        text=r"\bpodunschedulable\b|kubernetes unschedulable",
    ),
    _coded(
        "DeploymentOutOfMemory",
        "The deployment's pods exceed their memory limit.",
        "Use an instance type with more memory.",
        _LOGS,
        "PodOutOfMemory",
    ),
    Entry(
        code="RequestsAboveLimits",
        situations=(ENDPOINT,),
        cause="The deployment asks for more than its limits, which come from the instance type or from the time of the "
        "attach.",
        remedy="Set resources.limits of the deployment, not below its requests and within those of its instance type.",
        command="kubectl get instancetypes --output yaml",
        on=(worded(r"requests greater than limits"),),
        samples=(Sample("BadArgument", "Resource requests greater than limits"),),
        documentation=INSTANCE_TYPES_GUIDE,
    ),
    _coded(
        "EndpointOperationCanceled",
        "Another operation on the endpoint had priority, or held its lock.",
        "Try again in a minute.",
        _SHOW,
        "OperationCanceled",
        transient=True,
    ),
    Entry(
        code="ModelNotLoaded",
        situations=(ENDPOINT,),
        cause="The endpoint answers 503: the model fails to load, or no replica is ready.",
        remedy="Read the log of the deployment's pods; correct scoring script or model.",
        command=_LOGS,
        on=(coded("503"), worded(r"\b503\b.*service unavailable|service unavailable.*\b503\b")),
        samples=(Sample("503", "Service Unavailable", quoted=False),),
    ),
)
GENERIC = Entry(
    code="EndpointFailed",
    situations=(ENDPOINT,),
    cause="The endpoint or its deployment failed: {said}",
    remedy="Read the deployment's log, remove the cause, then deploy again.",
    command=_LOGS,
    documentation=TROUBLESHOOT_ENDPOINTS,
)
