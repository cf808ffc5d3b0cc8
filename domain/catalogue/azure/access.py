"""Roles and what else decides who may do what: refused, denied, forbidden by policy or lock; role assignments.

Texts as Azure Resource Manager words them.
"""

from __future__ import annotations

from domain.catalogue.entry import REQUEST, WRAPPER, Entry, Match, Sample, coded, worded

RBAC_GUIDE = "https://learn.microsoft.com/azure/role-based-access-control/troubleshooting"
_ERRORS = "https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors"
_ACTION = r"perform action '(?P<action>[^']+)'"
# Who is refused, where the words say it: the object id of the identity.
_WHO = r"(?:object id '(?P<{}>[\w-]+)'.*?)?"
_MOOR, _REFUSED = _WHO.format("moor_principal"), _WHO.format("refused")
ASSIGNMENTS = "az role assignment list --scope {scope} --include-inherited --assignee {moor_principal} --output table"
_ASSIGNED = (
    "az policy assignment list --resource-group {workspace_group} --subscription {subscription} "
    "--disable-scope-strict-match --query '[].{name: name, displayName: displayName, scope: scope}' --output table"
)
# The policy that a refusal names: in its text, or among the facts beside it.
_POLICY = r'policyAssignment\\*"\s*:\s*\{\s*\\*"name\\*"\s*:\s*\\*"(?P<policy>[^"\\]{1,256})'
_POLICY_INFO = (
    r"\A(?=.*\bpolicy(?:Assignment|Definition)(?:Display)?Name:)"
    r"(?:.*?\bpolicyDefinitionDisplayName: |.*?\bpolicyAssignmentDisplayName: |.*?\bpolicyAssignmentName: "
    r"|.*?\bpolicyDefinitionName: )(?P<policy>[^;]{1,256})"
)
_LOCKS = "az lock list --resource-group {workspace_group} --subscription {subscription} --output table"

ACCESS = (
    Entry(
        code="MoorIdentityLacksRole",
        situations=(REQUEST,),
        cause="The app's identity may not {action} at {scope}.",
        remedy="Grant the app's identity a role that has this action; docs/roles.md lists them.",
        command=ASSIGNMENTS,
        on=(Match(statuses=(403,), text=rf"{_MOOR}{_ACTION} over scope '(?P<scope>[^']+)'(?!.*deny assignment)"),),
        samples=(
            Sample(
                "AuthorizationFailed",
                "The client 'a' with object id 'b' does not have authorization to perform action "
                "'Microsoft.MachineLearningServices/workspaces/computes/write' over scope '/subscriptions/s' or the "
                "scope is invalid. If access was recently granted, please refresh your credentials.",
                403,
            ),
        ),
        documentation=RBAC_GUIDE,
    ),
    Entry(
        code="MoorIdentityLacksRole",
        variant="linked",
        situations=(REQUEST,),
        cause="The app's identity may not {action} on a resource that the request refers to: {scope}.",
        remedy="Grant the app's identity a role that has this action on that resource, too.",
        command=ASSIGNMENTS,
        on=(Match(text=rf"{_MOOR}{_ACTION} on the linked scope\(s\) '(?P<scope>[^']+)'"),),
        samples=(
            Sample(
                "LinkedAuthorizationFailed",
                "The client 'a' with object id 'b' has permission to perform action "
                "'Microsoft.MachineLearningServices/workspaces/computes/write' on scope '/subscriptions/s'; however, "
                "it does not have permission to perform action "
                "'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action' on the linked scope(s) "
                "'/subscriptions/s/i' or the linked scope(s) are invalid.",
                403,
            ),
        ),
        documentation=RBAC_GUIDE,
    ),
    Entry(
        code="AzureIdentityLacksRole",
        situations=(REQUEST,),
        cause="An identity that Azure itself works with may not {action} at {scope}: the workspace's, the cluster's or "
        "the extension's, not Moor's.",
        remedy="Find out by its object id whose identity it is, and grant it a role with this action.",
        command="az ad sp show --id {refused} --query '{name: displayName, type: servicePrincipalType, of: "
        "alternativeNames}'",
        # Inside a long-running operation it is the service that is refused; the request itself had been accepted.
        on=(Match(statuses=(200,), text=rf"{_REFUSED}{_ACTION} over scope '(?P<scope>[^']+)'(?!.*deny assignment)"),),
        samples=(
            Sample(
                "AuthorizationFailed",
                "The client 'a' with object id 'b' does not have authorization to perform action "
                "'Microsoft.ContainerService/managedClusters/read' over scope '/subscriptions/s' or the scope is "
                "invalid.",
                200,
            ),
        ),
        documentation=RBAC_GUIDE,
    ),
    Entry(
        code="DeniedByAssignment",
        situations=(REQUEST,),
        cause="A deny assignment refuses the action, whatever roles there are (managed applications, deployment "
        "stacks).",
        remedy="Have the owner of the deny assignment exclude the app's identity.",
        command="az rest --method get --url {scope}/providers/Microsoft.Authorization/denyAssignments --url-parameters "
        "api-version=2022-04-01",
        on=(worded(r"((on|over) scope '(?P<scope>[^']+)'.*)?deny assignment"),),
        samples=(
            Sample(
                "DenyAssignmentAuthorizationFailed",
                "The client 'a' has permission to perform action 'x/write' on scope '/subscriptions/s'; however, the "
                "access is denied because of the deny assignment with name 'n' and Id 'i'.",
                403,
            ),
        ),
        documentation=RBAC_GUIDE,
    ),
    Entry(
        code="DisallowedByPolicy",
        situations=(REQUEST,),
        vague=WRAPPER,
        cause="An Azure Policy of the organisation forbids the resource as it was asked for.",
        remedy="Ask for an exemption, or for settings that the policy named in Azure's words allows.",
        command=_ASSIGNED,
        on=(
            Match(codes=("RequestDisallowedByPolicy",), text=rf"\A(?!.*{_POLICY})"),
            worded(rf"\A(?!.*{_POLICY}).*was disallowed by policy"),
        ),
        samples=(Sample("RequestDisallowedByPolicy", "Resource 'gpu' was disallowed by policy.", 403),),
        documentation=_ERRORS,
    ),
    Entry(
        code="DisallowedByPolicy",
        variant="named",
        situations=(REQUEST,),
        cause="An Azure Policy of the organisation forbids the resource as it was asked for: {policy}.",
        remedy="Ask whoever keeps the policy for an exemption, or ask for settings that it allows.",
        command=_ASSIGNED,
        # The first in a message, the second as its additionalInfo is read (domain/inner_errors.py).
        on=(worded(_POLICY), worded(_POLICY_INFO)),
        samples=(
            Sample(
                "RequestDisallowedByPolicy",
                "Resource 'gpu' was disallowed by policy. Policy identifiers: "
                '\'[{"policyAssignment":{"name":"Allowed locations","id":"/a"},'
                '"policyDefinition":{"name":"Locations","id":"/d"}}]\'.',
                403,
            ),
            Sample("PolicyViolation", "policyDefinitionDisplayName: Allowed locations; policyAssignmentName: a1", 403),
        ),
        documentation=_ERRORS,
    ),
    Entry(
        code="ScopeLocked",
        situations=(REQUEST,),
        cause="A lock on the resource, its group or its subscription forbids the change.",
        remedy="Remove the lock, or change it from ReadOnly, then start the operation again.",
        command=_LOCKS,
        on=(coded("ScopeLocked"), worded(r"scope\(s\) are locked")),
        samples=(
            Sample(
                "ScopeLocked",
                "The scope '/subscriptions/s' cannot perform write operation because following scope(s) are locked: "
                "'/subscriptions/s'. Please remove the lock and try again.",
                409,
            ),
        ),
        documentation=_ERRORS,
    ),
)

ROLE_ASSIGNMENTS = (
    Entry(
        code="RoleAssignmentExists",
        situations=(REQUEST,),
        cause="The role is assigned already, under another name: nothing is missing.",
        remedy="Do nothing.",
        command=ASSIGNMENTS,
        on=(coded("RoleAssignmentExists"), worded(r"role assignment already exists")),
        samples=(Sample("RoleAssignmentExists", "The role assignment already exists.", 409),),
        documentation=RBAC_GUIDE,
    ),
    Entry(
        code="PrincipalNotSpread",
        situations=(REQUEST,),
        cause="The identity is so new that Microsoft Entra does not know it everywhere yet.",
        remedy="Wait some minutes; name the principal's type (ServicePrincipal) in the assignment.",
        command="az ad sp show --id {principal}",
        on=(coded("PrincipalNotFound"), worded(r"principal (?P<principal>[\w-]+) does not exist in the directory")),
        samples=(Sample("PrincipalNotFound", "Principal 0a1b does not exist in the directory 2c3d.", 400),),
        transient=True,
        documentation=RBAC_GUIDE,
    ),
    Entry(
        code="RoleAssignmentLimit",
        situations=(REQUEST,),
        cause="The subscription has no room for another role assignment.",
        remedy="Remove role assignments that nobody needs, or assign to groups.",
        command="az role assignment list --all --subscription {subscription} --query 'length(@)'",
        on=(coded("RoleAssignmentLimitExceeded"), worded(r"no more role assignments can be created")),
        samples=(Sample("RoleAssignmentLimitExceeded", "No more role assignments can be created (code: 1).", 400),),
        documentation=RBAC_GUIDE,
    ),
    Entry(
        code="RoleUnknown",
        situations=(REQUEST,),
        cause="The role does not exist in this tenant; names are taken literally ('Azure Kubernetes Service Cluster "
        "Admin Role' ends in 'Role').",
        remedy="Name the role by its id.",
        command="az role definition list --query '[].{name: roleName, id: name}' --output table",
        on=(coded("RoleDefinitionDoesNotExist"), worded(r"role definition .*does not exist")),
        samples=(
            Sample("RoleDefinitionDoesNotExist", "The specified role definition with ID 'r' does not exist.", 400),
        ),
        documentation=RBAC_GUIDE,
    ),
)

ENTRIES = (*ACCESS, *ROLE_ASSIGNMENTS)
