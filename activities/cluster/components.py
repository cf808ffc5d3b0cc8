"""Steps inside the cluster: components healthy, namespace, instance types."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

from activities.cluster.changes import types_refused, types_to_change, wants_types
from activities.cluster.reach import (
    INSTANCE_TYPES,
    LABELS,
    NAMESPACES,
    asked_types,
    cluster_of,
    components,
    guarded,
    instance_type_id,
    kubectl,
    made_by_operation,
    marks,
    marks_of_change,
    namespace,
    namespace_id,
    wants_namespace,
)
from activities.runtime.step import StepAtWork
from domain.arm_ids import CONNECTED_CLUSTER
from domain.catalogue.entry import HEALTH, PODS
from domain.catalogue.explain import explain, make_problem
from domain.cluster import instance_types
from domain.cluster.components import Health, judge, router_address
from domain.operation.outcomes import (
    Again,
    Created,
    Done,
    Finding,
    Outcome,
    Stop,
)
from domain.problems import AzureAnswer, Problem
from domain.times import in_words
from gateways import dns as names
from gateways.azure import arm
from gateways.kubernetes import api as kubernetes
from gateways.kubernetes.api import (
    Api,
    Found,
    KubernetesError,
    Unreachable,
)

_LOOK = "Look from a machine that reaches the cluster."
_DEFINITION_PAUSE = 30.0
_GOING_PAUSE = 15.0
_MOST_TOLD = 6
_ATTEMPTS = 4


@guarded
def components_healthy(step: StepAtWork) -> Outcome:
    """See that all of the extension's components are available: ready in ARM does not mean ready."""
    extension = arm.find(str(step.operation.value("install_extension").get("extensionId")), arm.EXTENSIONS_API)
    if extension is None:
        return Again(None, "the extension does not show")
    cluster = cluster_of(step.operation)
    seen = components(cluster)
    if isinstance(seen, Unreachable):
        message = f"Whether the extension's components run cannot be seen: {seen.reason}."
        finding = Finding("components", "unknown", message, seen.remedy or _LOOK, PODS)
        return Done(detail="cannot be seen from here; Azure says that it is installed", findings=(finding,))
    settings = extension.body["properties"].get("configurationSettings") or {}
    name = str(extension.body.get("name") or "")
    connected = cluster.resource_type == CONNECTED_CLUSTER
    health = judge(seen, name, settings, connected=connected)
    if not health.ready:
        return _not_ready(step, health)
    address = router_address(seen)
    findings = [Finding("components", "pass", f"All {health.expected} components of the extension are available.")]
    findings += _health_findings(step, health)
    findings += _router_findings(settings, address)
    return Done({"routerAddress": address} if address else {}, findings=tuple(findings))


def _not_ready(step: StepAtWork, health: Health) -> Outcome:
    """Wait, and at the end say why: the health check's own explanation first, when there is one."""
    told = [*health.trouble[:_MOST_TOLD]]
    if len(health.trouble) > _MOST_TOLD:
        told.append(f"{len(health.trouble) - _MOST_TOLD} more")
    trouble = "; ".join(told)
    started = step.record.started
    assert started is not None
    waited = (step.call.now - started).total_seconds()
    if waited < step.call.bound:
        return Again(None, trouble)
    words = {**step.facts, "waited": in_words(waited), "trouble": trouble}
    problem = make_problem("ComponentsUnhealthy", words)
    if health.codes:
        known = _explained(step, health.codes[0])
        problem = replace(known, message=f"{known.message} {problem.message}", transient=True)
    return Stop(problem)


def _health_findings(step: StepAtWork, health: Health) -> list[Finding]:
    """What the health check reports although everything runs."""
    known = [_explained(step, code) for code in health.codes]
    return [
        Finding("healthCheck", "warning", f"{problem.message} ({code})", problem.remedy, problem.command)
        for code, problem in zip(health.codes, known, strict=True)
    ]


def _explained(step: StepAtWork, code: str) -> Problem:
    said = f"the ConfigMap arcml-healthcheck reports {code}"
    return explain(HEALTH, [AzureAnswer(code, said)], step.facts)


def _router_findings(settings: Mapping[str, Any], address: str | None) -> list[Finding]:
    if address is None:
        return []
    found = [Finding("router", "pass", f"The inference router is reached at {address}.")]
    name = settings.get("sslCname")
    if not name:
        return found
    there = names.addresses(str(name))
    if not there & {address, *names.addresses(address)}:
        seen = f"resolves to {', '.join(sorted(there))}" if there else "does not resolve"
        message = f"sslCname {name} {seen}, and the inference router is at {address}."
        remedy = f"Have the name system point {name} at {address}; clients that check the certificate need it."
        return [*found, Finding("routerName", "warning", message, remedy, f"nslookup {name}")]
    return [*found, Finding("routerName", "pass", f"sslCname {name} resolves to the inference router.")]


@guarded
def ensure_namespace(step: StepAtWork) -> Outcome:
    """See that the compute's namespace is there, or make it when the request asks for that."""
    operation, cluster = step.operation, cluster_of(step.operation)
    name = str(operation.attach_request["namespace"])
    found = namespace(cluster, name)
    if isinstance(found, Unreachable):
        if wants_namespace(operation.attach_request):
            return _cannot_write(step, found)
        message = f"Whether namespace {name} is there cannot be seen: {found.reason}."
        finding = Finding("namespace", "unknown", message, found.remedy or _LOOK, kubectl(operation.attach_request))
        return Done(detail="cannot be seen from here", findings=(finding,))
    target = namespace_id(cluster, name)
    if found is None:
        return _make_namespace(step, name, target)
    if found.phase != "Active":
        return Again(_GOING_PAUSE, f"namespace {name} is {found.phase}")
    passed = (Finding("namespace", "pass", f"Namespace {name} is there."),)
    if made_by_operation(found, operation):
        return Done(detail="made by this operation", created=(Created(NAMESPACES, target),), findings=passed)
    return Done(detail="the namespace is there", findings=passed)


def _make_namespace(step: StepAtWork, name: str, target: str) -> Outcome:
    if not wants_namespace(step.operation.attach_request):
        return Stop(make_problem("NamespaceMissing", step.facts))
    api = kubernetes.connect(cluster_of(step.operation))
    if isinstance(api, Unreachable):
        return _cannot_write(step, api)
    with closing(api):
        step.intend("create", target)
        try:
            api.create_namespace(name, LABELS, marks(step.operation))
        except KubernetesError as error:
            if error.status != 409:
                raise
            return Again(1.0, "the namespace has appeared")
    made = (Created(NAMESPACES, target),)
    return Done(created=made, findings=(Finding("namespace", "pass", f"Namespace {name} was made."),))


@guarded
def apply_instance_types(step: StepAtWork) -> Outcome:
    """Have the instance types that the request asks for; nobody else's are changed."""
    request = step.operation.attach_request
    default = request.get("defaultInstanceType")
    if not wants_types(request):
        return Done(detail="none were asked for")
    api = kubernetes.connect(cluster_of(step.operation))
    if isinstance(api, Unreachable):
        if asked_types(request):
            return _cannot_write(step, api)
        message = f"Whether instance type {default} is there cannot be seen: {api.reason}."
        finding = Finding("instanceTypes", "unknown", message, api.remedy or _LOOK, "kubectl get instancetypes")
        return Done(detail="cannot be seen from here", findings=(finding,))
    with closing(api):
        there = api.instance_types()
        if there is None:
            return Again(_DEFINITION_PAUSE, "the cluster does not know yet what an instance type is")
        refused = types_refused(step, there)
        return Stop(refused) if refused is not None else _apply(step, api, there)


def _apply(step: StepAtWork, api: Api, there: Mapping[str, Found]) -> Outcome:
    operation, cluster = step.operation, cluster_of(step.operation)
    made, changed = [], []
    actions = dict(types_to_change(operation.attach_request, there))
    for each in asked_types(operation.attach_request):
        name = str(each["name"])
        found, target, action = there.get(name), instance_type_id(cluster, name), actions.get(name)
        if action is None:
            if found is not None and made_by_operation(found, operation):
                made.append(Created(INSTANCE_TYPES, target))
            continue
        step.intend(action, target)
        annotations = marks(operation) if found is None else marks_of_change(found, operation)
        version = found.version if found is not None else None
        try:
            api.put_instance_type(name, instance_types.spec_of(each), LABELS, annotations, version)
        except KubernetesError as error:
            if error.status != 409:
                raise
            return Again(1.0, f"instance type {name} has changed meanwhile")
        if found is None:
            made.append(Created(INSTANCE_TYPES, target))
        else:
            changed.append(name)
    told = [str(each["name"]) for each in asked_types(operation.attach_request)]
    message = f"The instance types asked for are there: {', '.join(told)}." if told else "The default one is there."
    detail = f"{len(made)} made, {len(changed)} changed" if made or changed else "they are there already"
    return Done(detail=detail, created=tuple(made), findings=(Finding("instanceTypes", "pass", message),))


def _cannot_write(step: StepAtWork, why: Unreachable) -> Outcome:
    """Preflight has seen this API: it is given a minute to be there again."""
    if step.record.attempts < _ATTEMPTS:
        return Again(_GOING_PAUSE, f"the cluster cannot be used from here: {why.reason}")
    return Stop(not_writable(step, why.reason))


def not_writable(step: StepAtWork, reason: str) -> Problem:
    """The refusal of a request that asks for objects in a cluster whose API cannot be written from here."""
    problem = make_problem("KubernetesNotWritable", {**step.facts, "said": reason})
    return replace(problem, command=kubectl(step.operation.attach_request))
