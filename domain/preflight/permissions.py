"""What the app's own identity may do, against the least that the request needs (docs/roles.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from domain.access.patterns import fits_text
from domain.arm_ids import ArmId
from domain.catalogue.entry import fill_command
from domain.preflight.check import Judgement, cannot_tell, fails, passes
from domain.preflight.facts import Facts, Permission, Unread, known
from domain.preflight.providers import unregistered

_WORKSPACES = "Microsoft.MachineLearningServices/workspaces"
_EXTENSIONS = "Microsoft.KubernetesConfiguration/extensions"
_GRANT = "Microsoft.Authorization/roleAssignments/write"


def needed_on_workspace(facts: Facts) -> tuple[str, ...]:
    """Actions on the workspace."""
    needed: tuple[str, ...] = (f"{_WORKSPACES}/read", f"{_WORKSPACES}/computes/read", f"{_WORKSPACES}/computes/write")
    if facts.request.get("smokeTest", "none") != "none":
        needed += (f"{_WORKSPACES}/jobs/write", f"{_WORKSPACES}/environments/versions/write")
    return (*needed, f"{_WORKSPACES}/computes/delete") if facts.reattach or _undoes(facts) else needed


def needed_on_cluster(facts: Facts) -> Iterator[str]:
    """Actions on the cluster and above it."""
    yield f"{facts.cluster_id.resource_type}/read"
    yield f"{_EXTENSIONS}/read"
    if isinstance(facts.extension, Unread) or facts.extension.change is not None:
        yield f"{_EXTENSIONS}/write"
        yield f"{_EXTENSIONS}/operations/read"
        if _undoes(facts):
            yield f"{_EXTENSIONS}/delete"
    if (
        facts.request.get("grantRoles")
        and not isinstance(facts.workspace_roles, Unread)
        and facts.workspace_roles.missing
    ):
        yield _GRANT
    if facts.connected and not isinstance(facts.extension, Unread) and facts.extension.change is not None:
        # Seen from the cluster: the relay is made beside it.
        yield "Microsoft.Relay/namespaces/write"
        yield "Microsoft.Relay/namespaces/hybridConnections/authorizationRules/listkeys/action"
    if facts.request.get("registerProviders") and not isinstance(facts.providers, Unread):
        # Seen from the cluster: what is not granted there is not granted on the subscription either.
        for namespace in unregistered(dict(facts.providers)):
            yield f"{namespace}/register/action"


def _undoes(facts: Facts) -> bool:
    """Whether what was made is to be reverted when the operation fails."""
    return facts.request.get("onFailure") == "undo"


def app_permissions(facts: Facts) -> Judgement:
    """Every action that is missing, by name and scope; unknown where a role allows one under a condition only."""
    at_workspace = known(facts.workspace_permissions, "what the app may do on the workspace")
    at_cluster = known(facts.cluster_permissions, "what the app may do on the cluster")
    judged = [(a, facts.workspace_id, allows(at_workspace, a)) for a in needed_on_workspace(facts)]
    judged += [(a, facts.cluster_id, allows(at_cluster, a)) for a in needed_on_cluster(facts)]
    missing = [(action, scope) for action, scope, allowed in judged if allowed is False]
    unsure = [(action, scope) for action, scope, allowed in judged if allowed is None]
    if not missing and unsure:
        return cannot_tell(
            f"A role allows {_in_words(unsure)} under a condition, which is not judged here.",
            "Check whether the condition lets the app do this.",
        )
    if not missing:
        grants = any(action == _GRANT for action, _, _ in judged)
        unseen = " Whether a condition limits which roles it may grant does not show." if grants else ""
        return passes(f"The app's identity has the roles it needs.{unseen}")
    told = _in_words(missing)
    first = missing[0][1]
    return fails(
        f"The app's identity lacks {told}.",
        "Grant it a role that has this; docs/roles.md names the least ones.",
        f"az role assignment create --assignee {fill_command('{moor_principal}', facts.words)} "
        f"--role {_role(missing[0][0])} --scope {first}",
    )


def _in_words(rights: Sequence[tuple[str, ArmId]]) -> str:
    return ", ".join(f"{action} on {scope.name}" for action, scope in rights)


def _role(action: str) -> str:
    if "/computes/" in action:
        return "'AzureML Compute Operator'"
    if "/jobs/" in action or "/environments/" in action:
        return "'AzureML Data Scientist'"
    if action.startswith(_EXTENSIONS):
        return "'Kubernetes Extension Contributor'"
    if action.startswith("Microsoft.Authorization/"):
        return "'Role Based Access Control Administrator'"
    if action.startswith("Microsoft.Relay/"):
        return "'Azure Relay Owner'"
    return "Contributor" if action.endswith("/action") else "Reader"


def allows(permissions: Sequence[Permission], action: str) -> bool | None:
    """Whether one of the roles allows an action; what a role takes out it takes out of itself only.

    None when only roles with a condition do.
    """
    found = [p for p in permissions if _fits(p.actions, action) and not _fits(p.not_actions, action)]
    if found and all(p.conditional for p in found):
        return None
    return bool(found)


def _fits(patterns: tuple[str, ...], action: str) -> bool:
    return any(fits_text(pattern.lower(), action.lower()) for pattern in patterns)
