"""Installing, updating and deleting the extension Microsoft.AzureML.Kubernetes.

Sources: how-to-troubleshoot-kubernetes-extension, AML-Kubernetes docs/troubleshooting.md, and the issues named below.
"""

from __future__ import annotations

from domain.catalogue.azure import extension_agents
from domain.catalogue.azure.health import LEGACY_ROUTER, REPORTS
from domain.catalogue.entry import (
    AKS,
    AT_CLUSTER,
    DEPLOY_GUIDE,
    EXTENSION,
    EXTENSION_MADE,
    PODS,
    SHOW_EXTENSION,
    TROUBLESHOOT_EXTENSION,
    WRAPPER,
    Entry,
    Match,
    Sample,
    Without,
    coded,
    worded,
)

_AGAIN = "start the operation again."
# How Helm names an object that it finds and that is another release's.
_KIND = r'(?<!in )\b(?P<kind>\w+) \\*"(?P<object>[\w.:-]+)\\*"'
_CANNOT = r"exists and cannot be imported"
_OWNED = (
    "Label and annotate it for Helm, delete it if nobody uses it, or set installVolcano=False or installPromOp=False "
    f"to use a Volcano or Prometheus that exists; then {_AGAIN}"
)

ENTRIES = (
    Entry(
        code="ExtensionNameStillInUse",
        situations=(EXTENSION,),
        cause="The release name of an extension deleted earlier is not free again on cluster {cluster}.",
        remedy=f"Wait about an hour, or use another extension name; then {_AGAIN}",
        command="kubectl get secrets --all-namespaces --selector owner=helm",
        on=(worded(r"re-?use a name that is still in use"),),
        samples=(
            Sample("ExtensionOperationFailed", "cannot re-use a name that is still in use"),
            Sample("ExtensionOperationFailed", "can't reuse a name that is still in use"),
        ),
        transient=True,
        documentation=TROUBLESHOOT_EXTENSION,
    ),
    Entry(
        code="ExtensionOperationInProgress",
        situations=(EXTENSION,),
        cause="An earlier operation on this extension of cluster {cluster} has not ended, or is stuck.",
        remedy=f"Wait about an hour until it is given up; then {_AGAIN}",
        command=SHOW_EXTENSION,
        on=(
            worded(
                r"earlier operation for the .*in progress"
                r"|(another|other|conflicting|previous|earlier) operation[^.]{0,100} (in progress|has not ended)"
            ),
        ),
        samples=(
            Sample("ExtensionOperationFailed", "an earlier operation for the same extension still in progress"),
            Sample("ExtensionOperationFailed", "earlier operation for the helm chart is still in progress"),
            # AKS issue 3283.
            Sample(
                "ExtensionOperationFailed", "conflicting operation in progress. Please try after sometime", quoted=False
            ),
        ),
        transient=True,
        documentation=TROUBLESHOOT_EXTENSION,
    ),
    Entry(
        code="ExtensionNamespaceTerminating",
        situations=(EXTENSION,),
        cause="The uninstall of an earlier extension on cluster {cluster} has not finished: its namespace is going.",
        remedy=f"Wait until namespace azureml is gone (see what holds it if it stays), then {_AGAIN}",
        command="kubectl get namespace azureml --output yaml",
        on=(worded(r"being terminated"),),
        samples=(
            Sample(
                "ExtensionOperationFailed",
                "unable to create new content in namespace azureml because it is being terminated",
            ),
            Sample(
                "ExtensionOperationFailed",
                "unable to create new content in namespace azureml because it's being terminated",
            ),
        ),
        transient=True,
        documentation=TROUBLESHOOT_EXTENSION,
    ),
    Entry(
        code="ExtensionVersionNotFound",
        situations=(EXTENSION,),
        cause="The extension's version or release train does not exist.",
        remedy=f"Correct extension.version or extension.releaseTrain (stable has them all), then {_AGAIN}",
        command=f"az k8s-extension extension-types list-versions-by-cluster {AT_CLUSTER} "
        "--extension-type Microsoft.AzureML.Kubernetes",
        on=(worded(r"chart path not found"),),
        samples=(Sample("ExtensionOperationFailed", "Failed in download the Chart path not found"),),
        documentation=TROUBLESHOOT_EXTENSION,
    ),
    Entry(
        code="ExtensionObjectsOwnedByOthers",
        variant="in-namespace",
        situations=(EXTENSION,),
        cause="Cluster {cluster} has a {kind} {object} in namespace {owner_namespace} of an earlier or another "
        "installation, which Helm does not take over.",
        remedy=_OWNED,
        command="kubectl get {resource} {object} --namespace {owner_namespace} --output yaml",
        on=(
            worded(rf'{_KIND} in namespace \\*"(?P<owner_namespace>[\w.-]+)\\*" {_CANNOT}'),
            worded(
                r"existing resource conflict: namespace: (?P<owner_namespace>[\w.-]+), name: (?P<object>[\w.:-]+), "
                r"existing_kind: [^,]*, Kind=(?P<kind>\w+)"
            ),
        ),
        samples=(
            Sample(
                "ExtensionOperationFailed",
                'Unable to continue with install: ServiceAccount "prom" in namespace "azureml" exists and cannot be '
                "imported into the current release: invalid ownership metadata; annotation validation error: missing "
                'key "meta.helm.sh/release-name": must be set to "azureml"',
                quoted=False,
            ),
        ),
        documentation=TROUBLESHOOT_EXTENSION,
    ),
    Entry(
        code="ExtensionObjectsOwnedByOthers",
        variant="named",
        situations=(EXTENSION,),
        cause="Cluster {cluster} has a {kind} {object} of an earlier or another installation, which Helm does not take "
        "over.",
        remedy=_OWNED,
        command="kubectl get {resource} {object} --output yaml",
        on=(
            worded(rf'{_KIND}( in namespace \\*"\\*")? {_CANNOT}'),
            worded(
                r"existing resource conflict: namespace: ?, name: (?P<object>[\w.:-]+), existing_kind: [^,]*, "
                r"Kind=(?P<kind>\w+)"
            ),
            # Kubernetes names the type in the plural, with its group if it has one.
            worded(
                r'(?<!["\w.-])(?P<kind>[a-z]+s(?:\.[a-z0-9.-]+)?) '
                r'\\*"(?!azureml-fe\\*")(?P<object>[\w.:-]+)\\*" already exists'
            ),
        ),
        samples=(
            Sample(
                "ExtensionOperationFailed",
                'CustomResourceDefinition "jobs.batch.volcano.sh" in namespace "" exists and cannot be imported into '
                "the current release: invalid ownership metadata; label validation error: missing key "
                '"app.kubernetes.io/managed-by": must be set to "Helm"',
            ),
            # AML-Kubernetes issue 162.
            Sample(
                "ExtensionOperationFailed",
                "Unable to continue with install: ClusterRole "
                '"x" in namespace "" exists and cannot be imported into the current release: invalid ownership',
                quoted=False,
            ),
            Sample(None, 'clusterroles.rbac.authorization.k8s.io "x" already exists', quoted=False),
        ),
        documentation=TROUBLESHOOT_EXTENSION,
    ),
    Entry(
        code="ExtensionObjectsOwnedByOthers",
        situations=(EXTENSION,),
        cause="Cluster {cluster} has objects of an earlier or another installation (Volcano, Prometheus, custom "
        "resource definitions), which Helm does not take over.",
        remedy=_OWNED,
        command="kubectl get customresourcedefinitions --output name",
        on=(worded(rf"\A(?!.*{_CANNOT}).*(invalid ownership metadata|label validation error)"),),
        samples=(Sample("ExtensionOperationFailed", "invalid ownership metadata; label validation error"),),
        documentation=TROUBLESHOOT_EXTENSION,
    ),
    Entry(
        code="ExtensionTypeNotInRegion",
        situations=(EXTENSION,),
        cause="Azure does not offer the extension Microsoft.AzureML.Kubernetes in the region of cluster {cluster}.",
        remedy="Use a cluster in a region that has the extension type (Azure's words list them); the workspace may "
        "stay where it is.",
        command=f"az k8s-extension extension-types list-by-cluster {AT_CLUSTER} --output table",
        # azure-docs issue 119687, AML-Kubernetes issue 274.
        on=(
            coded("ExtensionTypeRegistrationGetFailed", "ExtensionTypeNotFound"),
            worded(
                r"extension ?type '?[\w.-]+'? (is|was) not (registered|supported|available|found|offered) "
                r"(in|for) (the )?(region|location)"
            ),
        ),
        samples=(
            Sample(
                "ExtensionTypeRegistrationGetFailed",
                "Extension type microsoft.azureml.kubernetes is not registered in region ukwest. Extension is "
                "available in eastus2euap, westcentralus, northeurope. Please try to install in these regions.",
                400,
            ),
        ),
        documentation=DEPLOY_GUIDE,
    ),
    Entry(
        code="ExtensionInsufficientCapacity",
        situations=(EXTENSION,),
        cause="Cluster {cluster} lacks the resources for the extension's own components: they need about 4 CPU cores "
        "and 8 GB of memory.",
        remedy=f"Add nodes or use larger ones, then {_AGAIN}",
        command="kubectl describe nodes",
        on=(worded(r"insufficient (cpu|memory)"),),
        samples=(Sample(None, "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory.", quoted=False),),
    ),
    Entry(
        code="ExtensionTimedOut",
        vague=WRAPPER,
        situations=(EXTENSION,),
        cause="The extension did not get ready within 15 minutes: an agent is down, an image cannot be pulled, or pods "
        "find no node or do not start.",
        remedy="See which pods do not run and why; on Arc, upgrade the agents. Delete the failed extension, then "
        + _AGAIN,
        without=Without(
            EXTENSION_MADE,
            "See that the cluster has room and can pull images; on Arc, upgrade the agents. Then attach again.",
        ),
        command=PODS,
        on=(worded(r"timed out|deadline exceeded|status (is )?not populated"),),
        samples=(
            Sample("ExtensionOperationFailed", "timed out waiting for the condition"),
            Sample(None, "status not populated"),
        ),
        documentation=TROUBLESHOOT_EXTENSION,
    ),
    Entry(
        code="HealthCheckFailed",
        vague=WRAPPER,
        situations=(EXTENSION,),
        cause="The extension's health check found a critical error on cluster {cluster} before it installed anything.",
        remedy="Read the reports: the code in them (E40001 and so on) is explained in this catalogue.",
        without=Without(
            EXTENSION_MADE,
            "Start the attach again with onFailure=keep; when it fails again, read the reports, which stay then.",
        ),
        command=REPORTS,
        on=(worded(r"pod healthcheck failed|failed pre-(install|upgrade|delete)"),),
        samples=(Sample("ExtensionOperationFailed", "failed pre-install: pod healthcheck failed"),),
        documentation=TROUBLESHOOT_EXTENSION,
    ),
    Entry(
        code="LegacyRouterLeft",
        situations=(EXTENSION,),
        cause="An inference router of Azure ML v1 (azureml-fe) is still in namespace default of cluster {cluster}.",
        remedy=f"Delete the router's objects that v1 left behind, then {_AGAIN}",
        command=LEGACY_ROUTER,
        on=(worded(r"azureml-fe.*(in namespace default|already exists|conflict)"),),
        samples=(
            Sample("ExtensionOperationFailed", "service azureml-fe already exists in namespace default", quoted=False),
        ),
        documentation=TROUBLESHOOT_EXTENSION,
    ),
    Entry(
        code="ExtensionNeedsManagedIdentity",
        ruled_out_by=("clusterIdentity",),
        situations=(EXTENSION,),
        cause="Cluster {cluster} uses a service principal; cluster extensions need a managed identity.",
        remedy="Convert the cluster to a managed identity and recreate its node pools, then " + _AGAIN,
        command=f"az aks update {AKS} --enable-managed-identity",
        on=(Match(text=r"service principal.*(managed identity|not supported)|requires? (a )?managed identity"),),
        samples=(
            Sample(
                "BadRequest",
                "The cluster uses a service principal; cluster extensions require managed identity.",
                400,
                quoted=False,
            ),
        ),
    ),
    Entry(
        code="ExtensionVersionPinConflict",
        situations=(EXTENSION,),
        cause="A version was given together with autoUpgradeMinorVersion=true; a pinned version excludes upgrades.",
        remedy="Give the version with autoUpgradeMinorVersion=false, or leave it out.",
        command=SHOW_EXTENSION,
        on=(worded(r"autoupgrademinorversion"),),
        samples=(
            Sample(
                "BadRequest",
                "Version cannot be specified when AutoUpgradeMinorVersion is true.",
                400,
                quoted=False,
            ),
        ),
    ),
    *extension_agents.ENTRIES,
)
GENERIC = Entry(
    code="ExtensionFailed",
    situations=(EXTENSION,),
    cause="The extension is not installed: {said}",
    remedy="Remove the cause, delete the failed extension, then start the attach again.",
    without=Without(EXTENSION_MADE, "Remove the cause, then start the attach again."),
    command=SHOW_EXTENSION,
    documentation=TROUBLESHOOT_EXTENSION,
)
