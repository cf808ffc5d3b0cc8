"""Azure Resource Manager and its tokens: answers that any call may get, whatever it was for.

Texts as Azure Resource Manager words them (its documentation of common deployment errors); the busy codes are those of
ARM, AKS and cluster extensions.
"""

from __future__ import annotations

from domain.catalogue.azure import access
from domain.catalogue.azure.access import ASSIGNMENTS, RBAC_GUIDE
from domain.catalogue.entry import AKS, REQUEST, WRAPPER, Entry, Match, Sample, coded, passed, worded

_ERRORS = "https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors"

TOKENS = (
    Entry(
        code="TokenLacksIdentity",
        situations=(REQUEST,),
        cause="The app's token names no identity that Azure knows (claims puid, altsecid and oid are all missing): it "
        "is of the wrong kind.",
        remedy="Use a managed identity or a service principal of the subscription's tenant.",
        command="az ad sp show --id {moor_principal}",
        # azure-docs issue 97274.
        on=(worded(r"puid|altsecid|'oid' claim"),),
        samples=(
            Sample(
                "InvalidAuthenticationToken",
                "The received access token is not valid: at least one of the claims 'puid' or 'altsecid' or 'oid' "
                "should be present.",
                401,
            ),
        ),
    ),
    Entry(
        code="TokenOfOtherTenant",
        situations=(REQUEST,),
        cause="The app's token is of another tenant than the subscription.",
        remedy="Use an identity of the subscription's tenant.",
        command="az account show --subscription {subscription} --query tenantId",
        on=(coded("InvalidAuthenticationTokenTenant"), worded(r"token is from the wrong issuer")),
        samples=(
            Sample("InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer 'https://i'.", 401),
        ),
    ),
)

# The providers that preflight looks at; once it has seen them registered, what is missing is only time.
_LOOKED_AT = r"Microsoft\.(KubernetesConfiguration|ContainerService|Kubernetes|Relay)"
_NOT_REGISTERED = rf"not registered (to use|for|with) .*?namespace '(?P<provider>{_LOOKED_AT})'"
_SEEN_REGISTERED = (passed("providers"),)

RESOURCES = (
    Entry(
        code="ProviderNotRegistered",
        situations=(REQUEST,),
        cause="The resource provider {provider} is not registered in the subscription.",
        remedy="Register it, wait until it says Registered (minutes), then start the operation again.",
        command="az provider register --namespace {provider} --subscription {subscription} --wait",
        on=(
            worded(rf"not registered (to use|for|with) .*?namespace '(?!{_LOOKED_AT}')(?P<provider>[\w.]+)'"),
            Match(text=_NOT_REGISTERED, unless=_SEEN_REGISTERED),
            Match(codes=("MissingSubscriptionRegistration",), text=r"^(?!.*namespace ')"),
        ),
        samples=(
            Sample(
                "MissingSubscriptionRegistration",
                "The subscription is not registered to use namespace 'Microsoft.Insights'. See "
                "https://aka.ms/rps-not-found for how to register subscriptions.",
                409,
            ),
        ),
        documentation=""
        "https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-register-resource-provider",
    ),
    Entry(
        code="ProviderNotRegistered",
        variant="seen",
        situations=(REQUEST,),
        cause="The resource provider {provider} is registered, as this operation has seen, and a region of Azure does "
        "not know it yet.",
        remedy="Wait some minutes; Moor asks again.",
        command="az provider show --namespace {provider} --subscription {subscription} --query registrationState",
        on=(Match(text=_NOT_REGISTERED, given=_SEEN_REGISTERED),),
        samples=(
            Sample(
                "MissingSubscriptionRegistration",
                "The subscription is not registered to use namespace 'Microsoft.KubernetesConfiguration'. See "
                "https://aka.ms/rps-not-found for how to register subscriptions.",
                409,
                facts=_SEEN_REGISTERED,
            ),
        ),
        transient=True,
        documentation=""
        "https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-register-resource-provider",
    ),
    Entry(
        code="SubscriptionNotFound",
        situations=(REQUEST,),
        cause="The subscription does not exist, or the app's identity may not see it.",
        remedy="Check the id, and that the app's identity has a role in that subscription.",
        command="az account show --subscription {subscription}",
        on=(coded("SubscriptionNotFound", "InvalidSubscriptionId"), worded(r"subscription '.*' could not be found")),
        samples=(Sample("SubscriptionNotFound", "The subscription 's' could not be found.", 404),),
    ),
    Entry(
        code="SubscriptionDisabled",
        situations=(REQUEST,),
        cause="The subscription is disabled and therefore read-only.",
        remedy="Have the subscription enabled again, then start the operation again.",
        command="az account show --subscription {subscription} --query state",
        on=(coded("ReadOnlyDisabledSubscription"), worded(r"subscription .*is disabled")),
        samples=(
            Sample(
                "ReadOnlyDisabledSubscription",
                "The subscription 's' is disabled and therefore marked as read only.",
                409,
            ),
        ),
    ),
    Entry(
        code="AzureResourceNotFound",
        situations=(REQUEST,),
        cause="A resource that the request needs does not exist, or the app's identity may not see it.",
        remedy="Azure's words name the resource: see that it exists, then start the operation again.",
        command="az resource list --resource-group {workspace_group} --subscription {subscription} --output table",
        on=(
            coded("ResourceGroupNotFound", "ResourceNotFound", "ParentResourceNotFound", "InvalidResourceReference"),
            worded(r"resource group '.*' could not be found"),
        ),
        samples=(
            Sample(
                "ResourceNotFound",
                "The Resource 'Microsoft.ContainerService/managedClusters/aks' under resource group 'rg' was not "
                "found.",
                404,
            ),
            Sample("ResourceGroupNotFound", "Resource group 'rg' could not be found.", 404),
            Sample(
                "ParentResourceNotFound",
                "Failed to perform 'write' on resource(s) of type 'workspaces/computes', because the parent resource "
                "'/subscriptions/s' could not be found.",
                404,
            ),
        ),
        documentation=_ERRORS,
    ),
    Entry(
        code="LocalAccountsDisabled",
        situations=(REQUEST,),
        cause="Cluster {cluster} has its local accounts disabled: there is no admin credential to get.",
        remedy="Enable local accounts while the cluster is attached, or use Trusted Access where it is available.",
        command=f"az aks update {AKS} --enable-local-accounts",
        on=(worded(r"set to disable local accounts|static credential isn't allowed"),),
        samples=(
            Sample(
                "BadRequest",
                "Getting static credential isn't allowed because this cluster is set to disable local accounts.",
                400,
            ),
        ),
        documentation="https://learn.microsoft.com/azure/aks/manage-local-accounts-managed-azure-ad",
    ),
)

# Statuses of a refusal in which words decide; 200 is that of an operation which was accepted and failed.
_REFUSED = (200, 400, 403, 404, 409, 412, 422, 423, 424, 425)
_WORKED_ON = "(updated|upgraded|scaled|reconciled|created|started|migrated|reimaged)"
_WORKING = "(updating|upgrading|scaling|creating|starting|migrating|reconciling)"
# What is not allowed for one of these reasons is not allowed later either.
_FINAL = r"quota|exceed|stopped|deallocated|failed\W{0,3} (provisioning )?state|state\W{1,4}(is )?\W?failed|disallowed"
_AT_WORK = (
    r"\b(another|other|conflicting|earlier|previous|concurrent|ongoing) [\w ()/'-]{0,60}"
    r"(operation|request|update|upgrade|deployment)\b[^.]{0,80}(in progress|under way|running|not (ended|finished))"
    r"|\b(operation|update|upgrade)\b[^.]{0,60} is (already |still |currently )?in progress"
    r"|\bongoing (operation|update|upgrade)\b"
    rf"|\b(is|are) (currently |already |still )?being {_WORKED_ON}\b"
    rf"|\b{_WORKING}\W{{0,3}} (provisioning )?state\b|\bstate\W{{1,3}}(is |was )?\W{{0,2}}{_WORKING}\b"
)
_LATER = (
    r"\b(re)?try (again |(the|your|this) (request|operation|command) |again the \w+ )?"
    r"(later|after ?(some|a few|a while|\d+)|in (some|a few|a moment|a while|\d+)|shortly)"
    r"|\b(re)?try (again )?at a later|\bwait\b[^.]{0,60}\b(and|then|before) (re)?try"
    r"|retry may help|temporarily (unavailable|overloaded|unable)|(temporary|transient) (error|failure|fault|issue)"
    r"|too many requests|being throttled|rate limit(ed|ing| exceeded)"
    r"|(server|service) is (currently )?(too )?(busy|unavailable)|etcdserver: (request timed out|leader changed)"
    # Kubernetes: somebody else was faster, or the API server is short of breath.
    r"|the object has been modified|currently unable to handle the request|unable to return a response in the time"
    r"|TLS handshake timeout|client connection lost|connection reset by peer|unexpected EOF"
)

BUSY = (
    Entry(
        code="ResourceBusy",
        situations=(REQUEST,),
        cause="another operation is under way on the resource ({azure_code})",
        remedy="Wait until the other operation has ended; Moor asks again.",
        command="az monitor activity-log list --resource-group {workspace_group} --subscription {subscription} "
        "--offset 1h --output table",
        # 409 says both "somebody else is at it" (wait) and "this cannot be" (stop); these are of the first sort.
        on=(
            Match(
                statuses=(409,),
                codes=(
                    "AnotherOperationInProgress",
                    "ConflictingOperationInProgress",
                    "OperationPreempted",
                    "ResourceLocked",
                    "ResourceOperationInProgress",
                    "EtagMismatch",
                    "OperationInProgress",
                    "RetryableError",
                ),
            ),
            Match(statuses=(409,), codes=("OperationNotAllowed",), text=rf"\A(?!.*({_FINAL}))"),
            Match(statuses=(409,), text=r"in progress|being (created|updated|deleted|terminated)|still in use"),
            # The same in a refusal of another status, or inside an operation that was accepted.
            Match(statuses=_REFUSED, text=_AT_WORK),
        ),
        samples=(
            Sample(
                "AnotherOperationInProgress", "Another operation on this or dependent resource is in progress.", 409
            ),
            Sample(
                "OperationNotAllowed", "Operation is not allowed: another operation (Updating) is in progress.", 409
            ),
        ),
        transient=True,
        documentation=_ERRORS,
    ),
    Entry(
        code="ResourceBusy",
        variant="later",
        vague=WRAPPER,
        situations=(REQUEST,),
        cause="Azure asks to try again later: {said}",
        remedy="Wait some minutes; Moor asks again. If it lasts, look at Azure's service health.",
        command="az rest --method get --url /subscriptions/{subscription}/providers/Microsoft.ResourceHealth/events "
        "--url-parameters api-version=2022-10-01",
        on=(Match(statuses=_REFUSED, text=_LATER),),
        samples=(
            Sample("BadRequest", "The service is temporarily unavailable. Please try again later.", 400, quoted=False),
        ),
        transient=True,
        documentation=_ERRORS,
    ),
)

# Known by the status alone, when nothing above fits.
BY_STATUS = (
    Entry(
        code="AzureRefusedToken",
        vague=WRAPPER,
        situations=(REQUEST,),
        cause="Azure Resource Manager did not accept the app's token.",
        remedy="Check the app's managed identity and AZURE_CLIENT_ID.",
        command="az ad sp show --id {moor_principal}",
        on=(Match(statuses=(401,)),),
        samples=(Sample("InvalidAuthenticationToken", "The access token is invalid.", 401),),
    ),
    Entry(
        code="MoorIdentityLacksRole",
        variant="unnamed",
        vague=WRAPPER,
        situations=(REQUEST,),
        cause="The app's identity may not do this: {said}",
        remedy="Grant the app's identity the roles that docs/roles.md lists.",
        command=ASSIGNMENTS,
        on=(Match(statuses=(403,)),),
        samples=(Sample("Forbidden", "Access is forbidden.", 403),),
        documentation=RBAC_GUIDE,
    ),
    Entry(
        code="AzureThrottles",
        situations=(REQUEST,),
        cause="Azure asks to slow down (429)",
        remedy="Nothing is to be done: Moor waits as long as Azure says.",
        command="az monitor activity-log list --subscription {subscription} --offset 1h --status Failed --output table",
        on=(Match(statuses=(429,)),),
        samples=(
            Sample("TooManyRequests", "The request is being throttled.", 429),
            Sample("SubscriptionRequestsThrottled", "Number of requests for subscription 's' exceeded the limit.", 429),
        ),
        transient=True,
        documentation=""
        "https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling",
    ),
    Entry(
        code="AzureSilent",
        situations=(REQUEST,),
        cause="Azure did not answer ({azure_code})",
        remedy="Nothing is to be done: Moor asks again. If it lasts, see that the app reaches Azure Resource Manager.",
        command="az rest --method get --url /subscriptions --url-parameters api-version=2022-12-01",
        on=(Match(statuses=(0,)),),
        samples=(Sample("ServiceRequestError", "Connection refused", 0),),
        transient=True,
    ),
    Entry(
        code="AzureUnavailable",
        situations=(REQUEST,),
        cause="Azure answered {status} ({azure_code})",
        remedy="Nothing is to be done: Moor asks again. If it lasts, look at Azure's service health.",
        command="az rest --method get --url /subscriptions/{subscription}/providers/Microsoft.ResourceHealth/events "
        "--url-parameters api-version=2022-10-01",
        on=(Match(statuses=(408, 500, 502, 503, 504)),),
        samples=(Sample("ServiceUnavailable", "The service is unavailable.", 503),),
        transient=True,
    ),
)
GENERIC = Entry(
    code="AzureRefused",
    situations=(REQUEST,),
    cause="Azure refused the request: {said}",
    remedy="Remove the cause that Azure names, then start the operation again.",
    command="az monitor activity-log list --resource-group {workspace_group} --subscription {subscription} --status "
    "Failed --offset 1h --output table",
)
ENTRIES = (*access.ENTRIES, *TOKENS, *RESOURCES, *BUSY)
