"""Reattach: what is to be attached again, and how an operation is finished that ended between its two halves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from activities.cluster.tls_secret import legacy_tls
from activities.runtime.step import StepAtWork
from domain.arm_ids import ArmId
from domain.catalogue.explain import make_problem
from domain.compute.attachment import (
    Attachment,
    command,
    merge,
    postable,
)
from domain.operation.outcomes import Finding, Stop
from domain.operation.record import SKIPPED, SUCCEEDED, Operation
from domain.problems import Problem
from gateways.azure.extensions import find_extension


def effective(step: StepAtWork, compute: Mapping[str, Any], cluster: ArmId) -> dict[str, Any] | Stop:
    """What ``resolve`` keeps of an attachment and its changes, or why that cannot be attached. Raises ArmError."""
    request = step.operation.request
    has_tls, hindrance = legacy_tls(cluster) if request.get("cleanupLegacy") else (False, None)
    merged = merge(request, Attachment(compute, str(cluster), find_extension(cluster), has_tls))
    refused = list(merged.refused)
    if hindrance is not None:
        refused.append(f"/cleanupLegacy: the certificate of v1 cannot be kept: {hindrance}")
    if refused:
        return Stop(make_problem("ReattachRefused", {**step.facts, "reasons": "; ".join(refused)}))
    return {
        "attachRequest": dict(merged.request),
        "keptInstanceTypes": dict(merged.kept_types),
        "legacyTls": has_tls,
        "clusterId": str(cluster),
    }


def in_between(operation: Operation) -> bool:
    """Whether Azure was asked to detach, so that a reattach that ends now leaves nothing attached."""
    asked, gone = operation.step("detach_compute"), operation.step("compute_gone")
    ready = operation.step("compute_ready")
    left = (asked is not None and bool(asked.intents)) or (gone is not None and gone.status in (SUCCEEDED, SKIPPED))
    return left and (ready is None or ready.status != SUCCEEDED)


def unfinished(operation: Operation, problem: Problem) -> tuple[Problem, Finding, dict[str, Any]]:
    """The end of a reattach that is only half done: the problem with the way on, the same by hand, and the body."""
    resolved = operation.value("resolve")
    body = postable(operation.attach_request, resolved.get("keptInstanceTypes") or {})
    way_on = (
        f"The compute is detached and not attached again. POST /api/operations/{operation.id}/retry continues with the "
        "attach; by hand, send result.attachRequest to POST /api/attach."
    )
    message = f"{operation.compute_name} is detached from its workspace and not attached again."
    finding = Finding("reattach", "fail", message, way_on, command(operation.attach_request))
    result = {"computeId": resolved.get("computeId"), "attached": False, "attachRequest": body}
    remedy = f"{problem.remedy} {way_on}" if problem.remedy else way_on
    return replace(problem, remedy=remedy), finding, {k: v for k, v in result.items() if v is not None}
