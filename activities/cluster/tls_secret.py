"""The certificate of v1's router, kept under a name of our own before the clean-up takes the secret that holds it."""

from __future__ import annotations

from collections.abc import Mapping

from activities.cluster.reach import guarded, read_api, use_api
from activities.runtime.step import StepAtWork
from domain.arm_ids import ArmId
from domain.catalogue.explain import make_problem
from domain.cluster.objects import LABELS, marks, namespace_id
from domain.compute.attachment import KEPT_TLS_SECRET
from domain.extension.wanted import RELEASE_NAMESPACE
from domain.operation.outcomes import (
    Created,
    Done,
    Outcome,
    Stop,
)
from domain.operation.plan import PlannedChange
from gateways.kubernetes import secrets
from gateways.kubernetes.api import Api, KubernetesError

SECRETS = "v1/secrets"
_OTHERS = f"somebody else has a secret {KEPT_TLS_SECRET} in namespace {RELEASE_NAMESPACE}"
_EMPTY = "it holds no cert.pem and key.pem"


def legacy_tls(cluster: ArmId) -> tuple[bool, str | None]:
    """Whether v1's secret is in the cluster, and why it could not be kept if it had to be.

    A cluster whose API cannot be used from here is taken to have none. Raises ArmError, also when the cluster's API has
    an outage.
    """

    def seen(api: Api) -> tuple[bool, str | None]:
        try:
            there = secrets.has_legacy_tls(api)
            return there, _hindrance(api) if there else None
        except KubernetesError as error:
            if error.status not in (401, 403):
                raise
            return False, None  # Preflight says so, by the leftovers that it cannot see.

    return read_api(cluster, seen, lambda why: (False, None))


def _hindrance(api: Api) -> str | None:
    try:
        there = secrets.kept_tls(api)
    except KubernetesError as error:
        if error.status not in (401, 403):
            raise
        return f"the app may not read secrets of namespace {RELEASE_NAMESPACE}"
    if there is not None and secrets.is_a_copy(api):
        return None
    if there is not None and not _is_ours(there):
        return _OTHERS
    if not secrets.holds_legacy_tls(api):
        return _EMPTY
    if not api.may("create" if there is None else "update", "", "secrets", RELEASE_NAMESPACE):
        return f"the app may not write secrets of namespace {RELEASE_NAMESPACE}"
    return None


def _is_ours(labels: Mapping[str, str]) -> bool:
    return labels.get("app.kubernetes.io/managed-by") == LABELS["app.kubernetes.io/managed-by"]


def planned_copy(step: StepAtWork) -> list[PlannedChange]:
    """What ``keep_tls_secret`` makes. Raises ArmError, also when the cluster's API has an outage."""
    if not _is_asked(step):
        return []
    cluster = step.operation.cluster

    def missing(api: Api) -> list[str]:
        if not secrets.has_legacy_tls(api) or secrets.kept_tls(api) is not None:
            return []
        has_namespace = api.namespace(RELEASE_NAMESPACE) is not None
        namespaces = [] if has_namespace else [namespace_id(cluster, RELEASE_NAMESPACE)]
        return [*namespaces, secret_id(cluster)]

    return [PlannedChange("keep_tls_secret", "create", each) for each in read_api(cluster, missing, lambda why: [])]


@guarded
def keep_tls_secret(step: StepAtWork) -> Outcome:
    """Copy v1's certificate and key to a secret of our own in the extension's namespace. What they are is not kept."""
    if not _is_asked(step):
        return Done(detail="v1 has left no certificate that is to be kept", skipped=True)
    return use_api(step, lambda api: _copy(step, api), lambda why: _not_kept(step, why.reason))


def _not_kept(step: StepAtWork, why: str) -> Stop:
    return Stop(make_problem("TlsSecretNotKept", {**step.facts, "said": why}))


def _copy(step: StepAtWork, api: Api) -> Outcome:
    cluster = step.operation.cluster
    target = secret_id(cluster)
    there = secrets.kept_tls(api)
    if not secrets.has_legacy_tls(api):
        if there is not None:
            return Done(detail="an earlier attempt got through", created=_made(step, target))
        return _not_kept(step, "it is gone")
    if there is not None and secrets.is_a_copy(api):
        return Done(detail="it is kept already", created=_made(step, target))
    if there is not None and not _is_ours(there):
        return _not_kept(step, _OTHERS)
    if api.namespace(RELEASE_NAMESPACE) is None:
        step.intend("create", namespace_id(cluster, RELEASE_NAMESPACE))
        api.create_namespace(RELEASE_NAMESPACE, LABELS, marks(step.operation.id))
    step.intend("create", target)
    if not secrets.copy_tls(api, LABELS, marks(step.operation.id)):
        return _not_kept(step, _EMPTY)
    return Done(detail=f"kept as {KEPT_TLS_SECRET}", created=(Created(SECRETS, target),))


def _made(step: StepAtWork, target: str) -> tuple[Created, ...]:
    return (Created(SECRETS, target),) if any(i.resource_id == target for i in step.record.intents) else ()


def _is_asked(step: StepAtWork) -> bool:
    """Whether the certificate is to be kept: the clean-up comes, and v1's secret was there when all was looked at."""
    return bool(step.operation.attach_request.get("cleanupLegacy")) and step.operation.resolved.legacy_tls


def secret_id(cluster: ArmId) -> str:
    """How the record names the copy: its path in the cluster's API, below the cluster."""
    return f"{cluster}/api/v1/namespaces/{RELEASE_NAMESPACE}/secrets/{KEPT_TLS_SECRET}"
