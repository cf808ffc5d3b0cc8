"""What the policy lets a caller have: roles at a workspace, and what a request binds to it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from domain.access.patterns import ANY, fits_id, fits_name, fits_secret
from domain.access.policy import Entry
from domain.access.principal import (
    APPLICATION,
    APPROVER,
    OPERATOR,
    PRIVILEGED,
    ROLES,
    Caller,
    KeyHolder,
    Principal,
    holds,
)
from domain.access.privileges import privileges_of
from domain.access.relay import CONNECTION_ID_SETTING, relay_in
from domain.access.roles import (
    ACR_PULL,
    BLOB_CONTRIBUTOR,
    CLUSTER_ADMIN,
    EXTENSION_CONTRIBUTOR,
    READER,
    RELAY_OWNER,
    Role,
)
from domain.arm_ids import MANAGED_CLUSTER, parse_arm_id
from domain.extension.keys import PROTECTED, is_documented
from domain.violations import Violation, pointer

NOT_ALLOWED, NEEDS_IDENTITY = "NotAllowed", "NeedsIdentity"
# Namespaces of Kubernetes, of AKS and Azure Arc, of add-ons and of the extension itself.
_SYSTEM = re.compile(
    r".*-system|kube-.*|azure-arc(-.*)?|azureml|aks-.*|openshift(-.*)?|gatekeeper|cert-manager|tigera-operator|calico-.*"
)
_OF_A_KEY = frozenset({OPERATOR})


def is_system(namespace: str) -> bool:
    """Whether a namespace belongs to Kubernetes, the platform or an add-on, and takes no workloads."""
    return _SYSTEM.fullmatch(namespace) is not None


def has_role(entry: Entry, caller: Caller, role: str) -> bool:
    """Whether a caller has a role at the workspaces of an entry: by the token, which is the ceiling, and by ``who``.

    Of the holder of a key, who has no name, ``who`` says nothing. An application approves only where it is listed.
    """
    if isinstance(caller, KeyHolder):
        return holds(_OF_A_KEY, role)
    if role == APPROVER and caller.kind == APPLICATION:
        return holds(caller.roles, role) and f"app:{caller.object_id.lower()}" in entry.who.approver
    return holds(caller.roles, role) and holds(_named(entry, caller), role)


def _named(entry: Entry, caller: Principal) -> frozenset[str]:
    names = {ANY, f"{caller.kind}:{caller.object_id.lower()}", *(f"group:{group.lower()}" for group in caller.groups)}
    return frozenset(role for role in ROLES if not names.isdisjoint(getattr(entry.who, role)))


def refusals(entry: Entry, kind: str, request: Mapping[str, Any], caller: Caller | None) -> list[Violation]:
    """What of a request the policy does not let its caller have; nobody (None) is behind a tag or an event.

    ``request`` is as it was accepted: its ids in canonical spelling, what was left out absent.
    """
    return [*_of_caller(entry, request, caller), *bound(entry, kind, request)]


def _of_caller(entry: Entry, request: Mapping[str, Any], caller: Caller | None) -> Iterator[Violation]:
    privileged = isinstance(caller, Principal) and has_role(entry, caller, PRIVILEGED)
    for name, where in privileges_of(request).items():
        if caller is None:
            yield Violation(NOT_ALLOWED, f"{name} is not for operations that tags and events begin", where)
        elif isinstance(caller, KeyHolder):
            if name not in caller.may:
                yield Violation(NEEDS_IDENTITY, f"{name} needs a caller with an identity, not a key", where)
        elif not privileged:
            yield Violation(NOT_ALLOWED, f"{name} needs the role privileged at this workspace", where)


def bound(entry: Entry, kind: str, request: Mapping[str, Any]) -> list[Violation]:
    """What a request would bind to the workspace, or grant, that the policy does not list for it."""
    return [*_bound(entry, kind, request), *_settings(entry, request.get("extension") or {})]


def _bound(entry: Entry, kind: str, request: Mapping[str, Any]) -> Iterator[Violation]:
    cluster, namespace = request.get("clusterId"), request.get("namespace")
    if cluster is not None and not _listed(entry.clusters, cluster):
        yield _not_listed("the cluster", "clusters", "/clusterId")
    if namespace is not None and is_system(namespace):
        yield Violation(NOT_ALLOWED, f"{namespace} is a namespace of the system", "/namespace")
    elif namespace is not None and not any(fits_name(pattern, namespace) for pattern in entry.namespaces):
        yield _not_listed(f"the namespace {namespace}", "namespaces", "/namespace")
    identity = (request.get("identity") or {}).get("userAssignedIdentityId")
    if identity is not None and not _listed(entry.identities, identity):
        yield _not_listed("the identity", "identities", "/identity/userAssignedIdentityId")
    if request.get("grantRoles"):
        for role in roles_to_grant(kind, request):
            if not may_grant(entry, role):
                yield _not_listed(f"the role {role.name}", "grantableRoles", "/grantRoles")


def _settings(entry: Entry, extension: Mapping[str, Any]) -> Iterator[Violation]:
    plain = extension.get("configurationSettings") or {}
    for name in plain:
        if name != CONNECTION_ID_SETTING and not is_documented(name) and not _chart(entry, name):
            where = pointer(("extension", "configurationSettings", name))
            yield _not_listed("the setting, which is not a documented one,", "chartSettings", where)
    if CONNECTION_ID_SETTING in plain and not _is_listed_relay(entry, plain):
        yield _not_listed("the relay", "relays", pointer(("extension", "configurationSettings", CONNECTION_ID_SETTING)))
    for name, secret in (extension.get("configurationProtectedSettings") or {}).items():
        where = pointer(("extension", "configurationProtectedSettings", name))
        if name not in PROTECTED:
            yield Violation(NOT_ALLOWED, f"is none of the protected settings: {', '.join(PROTECTED)}", where)
        elif not any(fits_secret(pattern, secret) for pattern in entry.secrets):
            yield _not_listed("the secret", "secrets", where)


def _is_listed_relay(entry: Entry, settings: Mapping[str, Any]) -> bool:
    try:
        relay = relay_in(settings)
    except ValueError:
        return False
    return relay is not None and relay_allowed(entry, relay.namespace)


def relay_allowed(entry: Entry, namespace_id: str) -> bool:
    """Whether a relay that is not the cluster's own may be used at a workspace."""
    return _listed(entry.relays, namespace_id)


def may_grant(entry: Entry, role: Role) -> bool:
    """Whether a role may be granted for a workspace; the policy has it by its name or its id."""
    return any(name.lower() in (role.name.lower(), role.id) for name in entry.grantableRoles)


def roles_to_grant(kind: str, request: Mapping[str, Any]) -> tuple[Role, ...]:
    """The roles that a request with ``grantRoles`` may come to grant, as far as it tells.

    Which of them are missing is known once Azure is asked; that comes after this decision.
    """
    of_cluster: tuple[Role, ...] = ()
    if request.get("clusterId"):
        aks = parse_arm_id(request["clusterId"]).resource_type == MANAGED_CLUSTER
        of_cluster = (CLUSTER_ADMIN,) if aks else (RELAY_OWNER,)
    of_compute = (ACR_PULL, BLOB_CONTRIBUTOR) if request.get("identity") else ()
    return (READER, EXTENSION_CONTRIBUTOR, *of_cluster, *of_compute)


def _listed(patterns: Sequence[str], resource_id: str) -> bool:
    return any(fits_id(pattern, resource_id) for pattern in patterns)


def _chart(entry: Entry, name: str) -> bool:
    return any(fits_name(pattern, name) for pattern in entry.chartSettings)


def _not_listed(what: str, part: str, where: str) -> Violation:
    return Violation(NOT_ALLOWED, f"{what} is not in {part} of the policy for this workspace", where)
