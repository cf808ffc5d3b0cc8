"""The compute's name, and what has it already."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from domain.arm_ids import same_resource
from domain.catalogue.explain import make_problem
from domain.compute.names import PATTERN
from domain.preflight.check import Judgement, fails, fails_as, passes, warns
from domain.preflight.facts import Facts, known
from domain.problems import Problem

LEGACY_TYPE = "aks"


def compute_name(facts: Facts) -> Judgement:
    """The rules for names of Kubernetes computes."""
    if re.match(PATTERN, facts.compute_name):
        return passes(f"{facts.compute_name} is a good name for a compute.")
    return fails(
        f"{facts.compute_name} is no name for a Kubernetes compute.",
        "Choose 2 to 16 letters, digits and hyphens, a letter first, no hyphen last.",
    )


def existing_compute(facts: Facts) -> Judgement:
    """A compute of this name: adopted when it is what is asked for, else a conflict."""
    compute = known(facts.compute, "the compute of this name")
    if compute is None:
        return passes(f"The workspace has no compute {facts.compute_name}.")
    if state_of(compute) == "deleting":
        return warns(
            f"A compute {facts.compute_name} is being detached: an attach waits for the end of that.",
            "Nothing is to be done.",
        )
    if facts.reattach:
        return passes(f"The compute {facts.compute_name} exists: it is detached and attached again.")
    problem = in_the_way(compute, str(facts.cluster_id), facts.request, facts.words)
    if problem is not None:
        return fails_as(problem)
    other = _described_otherwise(compute, facts.request)
    if other:
        return warns(
            f"The compute {facts.compute_name} exists already and is adopted with its own {other}.",
            "Detach it and attach it again for these to change: a compute cannot be changed in place.",
            f"az resource show --ids {facts.workspace_id}/computes/{facts.compute_name}",
        )
    return passes(f"The compute {facts.compute_name} exists already, on this cluster and namespace: it is adopted.")


def in_the_way(
    compute: Mapping[str, Any], cluster_id: str, request: Mapping[str, Any], words: Mapping[str, str]
) -> Problem | None:
    """Why an existing compute cannot be what is asked for; None when it can.

    A compute's configuration cannot be changed in place (troubleshooting guide): another cluster, namespace or identity
    takes a detach and an attach.
    """
    properties = compute.get("properties", {})
    kind = str(properties.get("computeType") or "unknown")
    there = str((properties.get("properties") or {}).get("namespace") or "default")
    existing = f"{kind} on {properties.get('resourceId')}, namespace {there}"
    if kind.lower() == LEGACY_TYPE:
        return make_problem("ComputeNameInUse-legacy", {**words, "existing": existing})
    same_cluster = same_resource(str(properties.get("resourceId") or ""), cluster_id)
    if kind.lower() != "kubernetes" or not same_cluster:
        return make_problem("ComputeNameInUse", {**words, "existing": existing})
    other = [] if there == request["namespace"] else [f"namespace {there}"]
    other += [] if _same_identity(compute, request) else ["another identity"]
    if other:
        return make_problem("ComputeNameInUse-settings", {**words, "existing": ", ".join(other)})
    if state_of(compute) in ("failed", "canceled"):
        return make_problem("ComputeFailed", {**words, "state": state_of(compute)})
    return None


def _same_identity(compute: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Whether a compute has the identity that is asked for; a request that names none takes any."""
    wanted = request.get("identity")
    if not wanted:
        return True
    has = compute.get("identity") or {}
    if str(wanted["type"]).lower() not in str(has.get("type") or "").lower():
        return False
    asked = wanted.get("userAssignedIdentityId")
    return asked is None or any(same_resource(asked, each) for each in has.get("userAssignedIdentities") or {})


def _described_otherwise(compute: Mapping[str, Any], request: Mapping[str, Any]) -> str:
    description = str(compute.get("properties", {}).get("description") or "")
    other = []
    if request.get("description") not in (None, description):
        other.append("description")
    if request.get("tags") is not None and request["tags"] != (compute.get("tags") or {}):
        other.append("tags")
    return " and ".join(other)


def state_of(compute: Mapping[str, Any]) -> str:
    """Its provisioning state, in lower case."""
    return str(compute.get("properties", {}).get("provisioningState", "")).lower()
