"""What the workspace's own identity may do: without its roles Azure ML fails the attach under false names."""

from __future__ import annotations

from domain.access.roles import commands, in_words, user_identity
from domain.catalogue.explain import make_problem
from domain.preflight.check import Judgement, cannot_tell, fails, fails_as, passes, warns
from domain.preflight.facts import Facts, Unread, known

# What else has the ARM type of a workspace.
_OTHER_KINDS = {"hub": "a hub", "project": "a project of a hub", "featurestore": "a feature store"}


def workspace_roles(facts: Facts) -> Judgement:
    """Reader, Kubernetes Extension Contributor and, on AKS, Cluster Admin, on Arc, Azure Relay Owner (attach guide)."""
    seen = known(facts.workspace_roles, "the roles of the workspace's identity")
    if seen.missing and not facts.request.get("grantRoles"):
        words = {**facts.words, "missing": in_words(seen.missing), "principal": seen.missing[0].principal_id}
        problem = make_problem("WorkspaceIdentityLacksRole-moor", words)
        return fails(problem.message, str(problem.remedy), commands(seen.missing))
    if seen.missing:
        return passes(f"To be granted, as asked: {in_words(seen.missing)}.")
    if seen.unclear:
        needs = [need for need, _ in seen.unclear]
        return cannot_tell(
            f"Whether the workspace's identity has {in_words(needs)} is unknown: {seen.unclear[0][1]}.",
            "Check whether it has the roles; if not, grant them.",
            commands(needs),
        )
    if seen.met:
        return passes("The workspace's identity has the roles it needs.")
    return passes("The workspace acts as its own identity, which needs no role.")


def key_vault_secrets(facts: Facts) -> Judgement:
    """What the request takes from Key Vault: there, the app may get it, and a certificate fits its key and name."""
    seen = known(facts.secrets, "the secrets in Key Vault")
    if seen.problem is not None:
        return fails_as(seen.problem)
    if not seen.names:
        return passes("Nothing is taken from Key Vault.")
    return passes(f"The app can get from Key Vault what is asked for: {', '.join(seen.names)}.")


def takes_secrets(facts: Facts) -> bool:
    """Whether the request names secrets, which a change of the extension sends."""
    asked = (facts.request.get("extension") or {}).get("configurationProtectedSettings")
    changes = isinstance(facts.extension, Unread) or facts.extension.change is not None
    return bool(asked) and changes


def workspace_kind(facts: Facts) -> Judgement:
    """Attaching is documented for workspaces; the ARM type stands for other kinds too (``kind`` of a workspace)."""
    kind = str(known(facts.workspace, "the workspace").get("kind") or "Default")
    if kind.lower() == "default":
        return passes("The workspace is one of Azure Machine Learning.")
    command = f"az resource show --ids {facts.workspace_id} --query kind"
    if kind.lower() not in _OTHER_KINDS:
        return cannot_tell(
            f"Whether a workspace of the kind {kind[:64]} takes Kubernetes computes is unknown.",
            "Attach to a workspace of the kind Default if this one does not.",
            command,
        )
    return warns(
        f"The workspace is {_OTHER_KINDS[kind.lower()]}: attaching Kubernetes computes is documented for workspaces of "
        "the kind Default only.",
        "Attach to a workspace of the kind Default if Azure refuses, or jobs do not find the compute.",
        command,
    )


def workspace_identity(facts: Facts) -> Judgement:
    """Which of several user-assigned identities the workspace uses."""
    workspace = known(facts.workspace, "the workspace")
    users = list((workspace.get("identity") or {}).get("userAssignedIdentities") or {})
    primary = str((workspace.get("properties") or {}).get("primaryUserAssignedIdentity") or "")
    used = user_identity(workspace)
    if used is None:
        return passes("The workspace acts as its own identity.")
    if len(users) < 2:
        return passes(f"The workspace acts as {used}.")
    first = "the first, because none of them is named as primary"
    why = "its primary one" if used.lower() == primary.lower() else first
    return warns(
        f"The workspace has {len(users)} user-assigned identities; {used} is used, {why}: roles have to be its own.",
        "Grant roles on the cluster to that identity.",
        f"az resource show --ids {facts.workspace_id} --query identity.userAssignedIdentities",
    )
