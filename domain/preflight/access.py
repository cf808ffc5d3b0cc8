"""What the workspace's own identity may do: without its roles Azure ML fails the attach under false names."""

from __future__ import annotations

from domain.catalogue.explain import make_problem
from domain.preflight.check import Judgement, cannot_tell, fails, passes
from domain.preflight.facts import Facts, known
from domain.roles import commands, in_words


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
            f"Whether the workspace's identity has {in_words(needs)} cannot be told: {seen.unclear[0][1]}.",
            "Look whether it has the roles; if not, grant them.",
            commands(needs),
        )
    if seen.met:
        return passes("The workspace's identity has the roles it needs.")
    return passes("The workspace acts as its own identity, which needs no role.")
