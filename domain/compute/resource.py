"""What a compute of Azure ML says of itself: its state, its cluster, its errors, and how it differs from a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from domain.arm_ids import CONNECTED_CLUSTER, MANAGED_CLUSTER, parse_arm_id, same_resource
from domain.catalogue.entry import ATTACH
from domain.catalogue.explain import explain, make_problem
from domain.problems import AzureAnswer, Problem, answers_in

LEGACY_TYPE = "aks"


def difference(
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
        return _failed_before(compute, words)
    return None


def _failed_before(compute: Mapping[str, Any], words: Mapping[str, str]) -> Problem:
    """What is to be done about a compute that had failed before: its old cause is history."""
    problem, said = make_problem("ComputeFailed", {**words, "state": state_of(compute)}), provisioning_errors(compute)
    if not said:
        return problem
    before = explain(ATTACH, said, words)
    return replace(problem, message=f"{problem.message} Its failure then: {before.message}", azure=before.azure)


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


def described_otherwise(compute: Mapping[str, Any], request: Mapping[str, Any]) -> str:
    """What a compute that fits the request has of its own, in words: its description, its tags; empty when nothing."""
    description = str(compute.get("properties", {}).get("description") or "")
    other = []
    if request.get("description") not in (None, description):
        other.append("description")
    if request.get("tags") is not None and request["tags"] != (compute.get("tags") or {}):
        other.append("tags")
    return " and ".join(other)


def state_of(compute: Mapping[str, Any]) -> str:
    """Its provisioning state, in lower case."""
    properties = compute.get("properties")
    return str(properties.get("provisioningState", "")).lower() if isinstance(properties, Mapping) else ""


def cluster_under(compute: Mapping[str, Any]) -> str | None:
    """Id of the cluster that a compute is attached to; None when it names none that can be one."""
    try:
        return str(parse_arm_id(str(compute["properties"].get("resourceId")), MANAGED_CLUSTER, CONNECTED_CLUSTER))
    except ValueError:
        return None


def provisioning_errors(compute: Mapping[str, Any]) -> list[AzureAnswer]:
    """What a compute itself says of what failed: more than the operation that failed does."""
    found = compute.get("properties", {}).get("provisioningErrors")
    return answers_in({"details": found})
