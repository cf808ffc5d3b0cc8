"""Preflight: read what the checks go by, side by side, and let them judge before anything is changed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any

from activities.access.providers import providers
from activities.access.roles import look_ahead
from activities.checks.binding import may_bind_again
from activities.checks.caller import rights_to_attach
from activities.checks.preflight_detach import look_before_detach, may_detach
from activities.cluster.reach import read_api
from activities.extension.install import outlook
from activities.extension.protected_settings import protected_settings
from activities.runtime.slots import SlotsTaken
from activities.runtime.step import StepAtWork
from domain.arm_ids import CONNECTED_CLUSTER, MANAGED_CLUSTER, WORKSPACE, parse_arm_id
from domain.cluster.objects import kubectl, wants_namespace, wants_types
from domain.extension.wanted import wanted_extension
from domain.extension.wire import protected_to_send
from domain.operation.outcomes import (
    Again,
    Done,
    Finding,
    Outcome,
    Stop,
)
from domain.preflight.caller import object_id
from domain.preflight.cluster_api import types_refused
from domain.preflight.facts import CallerRights, ClusterView, ExtensionFacts, Facts, Unread, VaultFacts
from domain.preflight.table import refusal, run_checks
from domain.problems import Problem
from gateways.azure import arm, permissions
from gateways.azure.arm import ArmError
from gateways.azure.computes import find_compute
from gateways.azure.subscription import kubernetes_versions, registration_state, vm_sizes
from gateways.kubernetes import reader
from gateways.kubernetes.api import Api, Unreachable
from gateways.policy import PolicyUnavailable
from gateways.settings import read_hard_checks

logger = logging.getLogger(__name__)

# Readings at a time: each takes a fraction of a second, and ARM counts them against the app's identity.
_THREADS = 6
# Readings that fail for a passing reason are repeated so often, unless it is an outage; then what they are for is
# unknown.
_ATTEMPTS = 3
_PAUSE = 5.0


def preflight(step: StepAtWork) -> Outcome:
    """Run every check; a failed one stops the operation. A plan reports it."""
    if step.operation.kind == "detach":
        return look_before_detach(step)
    if step.operation.resolved.refused:
        return Done(detail="there is nothing to check", skipped=True)
    gathered = gather(step)
    if gathered.outage or (gathered.passing and step.tries < _ATTEMPTS):
        detail = f"Azure does not answer yet ({gathered.passing})"
        return Again(gathered.retry_after or _PAUSE, detail, outage=gathered.outage)
    try:
        before = _before_detach(step)
    except PolicyUnavailable as error:
        return Again(_PAUSE, f"the policy cannot be read ({error})", outage=True)
    findings = (*before, *run_checks(gathered.facts, read_hard_checks()))
    problem = refusal(findings, step.facts, _known(gathered.facts))
    if problem is not None and not step.operation.plan_only:
        return Stop(problem, findings)
    told = sum(1 for finding in findings if finding.outcome != "pass")
    return Done(detail=f"{len(findings)} checks, {told} with something to say", findings=findings)


def _before_detach(step: StepAtWork) -> tuple[Finding, ...]:
    """What a reattach needs besides: to be allowed to detach, and to bind again what the compute is bound to."""
    return (may_detach(step), may_bind_again(step)) if step.operation.kind == "reattach" else ()


def _known(facts: Facts) -> dict[str, Problem]:
    """Failures that have codes of their own."""
    secrets = facts.secrets
    return {} if isinstance(secrets, Unread) or secrets.problem is None else {"keyVaultSecrets": secrets.problem}


@dataclass(frozen=True)
class Gathered:
    """The facts; ``passing`` is a reason for which one is missing and that may pass, ``outage`` whether it is one."""

    facts: Facts
    passing: str | None = None
    retry_after: float | None = None
    outage: bool = False


def gather(step: StepAtWork) -> Gathered:
    """Read everything, side by side. What cannot be read is ``Unread`` and no exception."""
    operation = step.operation
    workspace = parse_arm_id(str(operation.workspace_id), WORKSPACE)
    cluster = parse_arm_id(str(operation.cluster_id), MANAGED_CLUSTER, CONNECTED_CLUSTER)
    location = operation.resolved.cluster_location or ""
    connected, bindings = cluster.resource_type == CONNECTED_CLUSTER, cluster.path.below("trustedAccessRoleBindings")
    readings: dict[str, Callable[[], Any]] = {
        "workspace": lambda: arm.get(workspace.path, arm.WORKSPACES_API).body,
        "cluster": lambda: arm.get(cluster.path, arm.cluster_api(cluster)).body,
        "compute": lambda: find_compute(step.operation.compute_id),
        "extension": lambda: outlook(step)[0],
        "kubernetes": lambda: view(step),
        "sizes": lambda: vm_sizes(cluster.subscription, location),
        "versions": lambda: kubernetes_versions(cluster.subscription, location),
        "trusted_access": lambda: [] if connected else list(arm.items(bindings, arm.CLUSTERS_API)),
        "workspace_roles": lambda: look_ahead(step),
        "workspace_permissions": lambda: permissions.read(workspace),
        "cluster_permissions": lambda: permissions.read(cluster),
        **{f"provider {name}": partial(registration_state, cluster.subscription, name) for name in providers(step)},
    }
    with ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="preflight") as threads:
        # Each thread gets the ways into the cluster that are open here.
        contexts = {name: copy_context() for name in readings}
        read = dict(
            zip(
                readings,
                threads.map(lambda name: contexts[name].run(_read, name, readings[name]), readings),
                strict=True,
            )
        )
    read["secrets"] = _read("secrets", lambda: _secrets(step, read["extension"]))
    read["caller"] = _read("caller", lambda: rights_to_attach(step, read["workspace_roles"]))
    errors = [each for each in read.values() if isinstance(each, ArmError) and each.transient]
    values = {name: Unread(str(value)) if isinstance(value, Exception) else value for name, value in read.items()}
    caller: Any = values.pop("caller")
    if isinstance(caller, Unread):
        caller = CallerRights(str(object_id(operation.requested_by.principal)), unread=caller.why)
    states: dict[str, Any] = {name: values.pop(f"provider {name}") for name in providers(step)}
    unread = next((state for state in states.values() if isinstance(state, Unread)), None)
    facts = Facts(
        request=operation.attach_request,
        reattach=operation.kind == "reattach",
        workspace_id=workspace,
        cluster_id=cluster,
        compute_name=str(operation.compute_name),
        words=step.facts,
        providers=unread or states,
        caller=caller,
        **values,
    )
    return Gathered(
        facts,
        passing=str(errors[0]) if errors else None,
        retry_after=max((error.retry_after or 0.0 for error in errors), default=None),
        outage=any(error.outage for error in errors),
    )


def _read(name: str, reading: Callable[[], Any]) -> Any:
    """What a reading answers, or the exception that kept it from answering: the checks say what that means."""
    try:
        return reading()
    except SlotsTaken:
        raise  # Nothing is wrong with the cluster: the step asks again.
    except ArmError as error:
        logger.info("preflight: %s was not read: %s", name, error)
        return error
    except Exception as error:  # An answer in a shape that nobody foresaw: one fact is missing, the others are not.
        logger.warning("preflight: %s was not understood", name, exc_info=True)
        return error


def _secrets(step: StepAtWork, extension: Any) -> VaultFacts:
    """Get what a change of the extension would send, and drop it. Raises ArmError while a vault does not answer."""
    wanted = wanted_extension(step.operation.attach_request)
    names = protected_to_send(wanted)
    if not names or (isinstance(extension, ExtensionFacts) and extension.change is None):
        return VaultFacts()
    found = protected_settings(wanted, names, step.facts)
    if isinstance(found, Again):
        raise ArmError(0 if found.outage else 500, "KeyVaultSilent", found.detail, found.after)
    return VaultFacts(names, found.problem if isinstance(found, Stop) else None)


def view(step: StepAtWork) -> ClusterView:
    """What is seen of the cluster itself, by its API alone: a command in it takes too long, and starts a pod.

    Raises ArmError, also when the cluster's API has an outage.
    """
    request = step.operation.attach_request
    command = kubectl(request)

    def seen(api: Api) -> ClusterView:
        found = api.namespace(request["namespace"])
        may_create = found is not None or not wants_namespace(request) or api.may("create", "", "namespaces")
        there = (api.instance_types() or {}) if wants_types(request) else {}
        return ClusterView(
            command,
            phase=found.phase if found is not None else None,
            may_create_namespaces=may_create,
            types_problem=types_refused(request, there, step.facts),
            legacy=reader.legacy(api),
        )

    def unseen(why: Unreachable) -> ClusterView:
        return ClusterView(command, unreachable=why.reason, remedy=why.remedy)

    return read_api(step.operation.cluster, seen, unseen)
