"""The objects of one cluster: what was written, and what follows from the extension that is installed."""

from __future__ import annotations

import copy
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

from packages.simulated_azure.arm import resources
from packages.simulated_azure.kubernetes import components
from packages.simulated_azure.kubernetes.kinds import (
    DEFINITIONS,
    NAMESPACES,
    Kind,
    Object,
    StatusError,
    already_exists,
    invalid,
    no_such_page,
    not_found,
)
from packages.simulated_azure.world import World, iso

_BUILT_IN = ("default", "kube-node-lease", "kube-public", "kube-system")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_STORE = "kubernetes"
State = dict[str, Any]


def state_of(world: World, cluster_id: str) -> State:
    """What is known of a cluster beyond ARM; change it and ``save`` it."""
    found = world.store.get(_STORE, resources.key_of(cluster_id))
    return found or {
        "id": cluster_id,
        "extension": None,
        "definitionsFrom": None,
        "objects": {},
        "removed": [],
        "broken": {},
        "health": {},
        "checkedAt": None,
        "loadBalancer": True,
        "routerAddress": None,
        "unreachable": False,
        "grants": {},
        "version": 1000,
    }


def save(world: World, state: State) -> None:
    """Write a cluster's state through."""
    world.store.put(_STORE, resources.key_of(state["id"]), state)


def forget(world: World, cluster_id: str) -> None:
    """The cluster is gone."""
    world.store.delete(_STORE, resources.key_of(cluster_id))


def install(world: World, extension: resources.Resource, at: float, *, settled: bool = False) -> None:
    """An extension was installed or updated; ``settled`` leaves out the time its components take."""
    cluster_id = resources.parent_of(extension["id"])
    state = state_of(world, cluster_id)
    wait = 0.0 if settled else world.duration("kubernetes.components")
    state["extension"] = {
        "name": extension["body"]["name"],
        "settings": dict(extension["body"]["properties"]["configurationSettings"]),
        "arc": cluster_id.lower().rsplit("/", 2)[-2] != "managedclusters",
        "installedAt": at,
        "availableFrom": at + wait,
    }
    if state["definitionsFrom"] is None:
        state["definitionsFrom"] = at + (0.0 if settled else world.duration("kubernetes.definitions"))
    save(world, state)


def keep_reports(world: World, extension_id: str, at: float, message: str, *, update: bool) -> None:
    """The health check has failed an installation: what it found stays in the cluster until that is deleted."""
    state = state_of(world, resources.parent_of(extension_id))
    state["checkedAt"] = at
    codes = sorted(set(re.findall(r"\bE4\d{4}\b", message)))
    if codes:
        key = "reports-pre-upgrade" if update else "reports-pre-install"
        state["health"] = {**state["health"], key: json.dumps([{"code": code} for code in codes])}
    save(world, state)


def uninstall(world: World, extension_id: str) -> None:
    """An extension was deleted: its workloads go; definitions, their objects and the namespace stay."""
    state = state_of(world, resources.parent_of(extension_id))
    state["checkedAt"] = None
    save(world, state)
    if state["extension"] is None:
        return
    state["extension"] = None
    state["objects"].setdefault(_key(NAMESPACES, None, components.NAMESPACE), _namespace(components.NAMESPACE))
    save(world, state)


def items(world: World, state: State, kind: Kind, namespace: str | None, now: float) -> list[Object]:
    """Every object of a kind, of one namespace or all. Raises StatusError when the kind is not served."""
    _check_served(state, kind, now)
    found = [o for o in _all(world, state, kind, now) if namespace in (None, o["metadata"].get("namespace"))]
    return sorted(found, key=lambda o: (o["metadata"].get("namespace", ""), o["metadata"]["name"]))


def find(world: World, state: State, kind: Kind, namespace: str | None, name: str, now: float) -> Object:
    """One object. Raises StatusError 404."""
    for found in items(world, state, kind, namespace, now):
        if found["metadata"]["name"] == name:
            return found
    raise not_found(kind, name)


def create(world: World, state: State, kind: Kind, namespace: str | None, given: Object, now: float) -> Object:
    """Store a new object. Raises StatusError 404 (namespace), 409, 422 or 403 (namespace is going)."""
    _check_served(state, kind, now)
    made = copy.deepcopy(given)
    metadata = made.setdefault("metadata", {})
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = metadata["generateName"] + uuid.uuid4().hex[:5]
    name = str(metadata.get("name") or "")
    pattern = _LABEL if kind is NAMESPACES else _SUBDOMAIN
    if not pattern.fullmatch(name):
        raise invalid(kind, name, f'metadata.name: Invalid value: "{name}": a lowercase RFC 1123 name is required')
    if any(o["metadata"]["name"] == name for o in items(world, state, kind, namespace, now)):
        raise already_exists(kind, name)
    if kind.namespaced:
        home = find(world, state, NAMESPACES, None, str(namespace), now)
        if home["status"]["phase"] == "Terminating":
            message = (
                f'{kind.qualified} "{name}" is forbidden: unable to create new content in namespace {namespace} '
                "because it is being terminated"
            )
            raise StatusError(403, "Forbidden", message, kind, name)
        metadata["namespace"] = namespace
    made |= {"apiVersion": kind.api_version, "kind": kind.kind}
    if kind is NAMESPACES:
        made |= {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
        metadata["labels"] = {"kubernetes.io/metadata.name": name, **(metadata.get("labels") or {})}
    metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": iso(now, digits=0), "generation": 1}
    return put(world, state, kind, namespace, made)


def put(world: World, state: State, kind: Kind, namespace: str | None, changed: Object) -> Object:
    """Store an object as it is, with a new resource version."""
    state["version"] += 1
    changed["metadata"]["resourceVersion"] = str(state["version"])
    key = _key(kind, namespace if kind.namespaced else None, changed["metadata"]["name"])
    state["objects"][key] = changed
    state["removed"] = [each for each in state["removed"] if each != key]
    save(world, state)
    return changed


def delete(world: World, state: State, kind: Kind, namespace: str | None, name: str, now: float) -> Object:
    """Delete an object; a namespace is Terminating for a while, and takes what is in it. Raises StatusError 404."""
    found = find(world, state, kind, namespace, name, now)
    wait = world.duration("kubernetes.namespaceDelete")
    if kind is NAMESPACES and wait > 0:
        going = copy.deepcopy(found)
        going["metadata"]["deletionTimestamp"] = iso(now, digits=0)
        going["status"]["phase"] = "Terminating"
        going["goneAt"] = now + wait
        return put(world, state, kind, None, going)
    remove(world, state, kind, namespace, name)
    return found


def remove(world: World, state: State, kind: Kind, namespace: str | None, name: str) -> None:
    """Let an object be gone at once, and everything in it when it is a namespace."""
    key = _key(kind, namespace if kind.namespaced else None, name)
    state["objects"].pop(key, None)
    state["removed"] = [*(each for each in state["removed"] if each != key), key]
    if kind is NAMESPACES:
        state["objects"] = {k: o for k, o in state["objects"].items() if o["metadata"].get("namespace") != name}
    save(world, state)


def _all(world: World, state: State, kind: Kind, now: float) -> Iterator[Object]:
    seen = set()
    for key, stored in list(state["objects"].items()):
        if "goneAt" in stored and stored["goneAt"] <= now:
            remove(world, state, kind, None, stored["metadata"]["name"])
        elif stored["kind"] == kind.kind:
            seen.add(key)
            yield {k: v for k, v in stored.items() if k != "goneAt"}
    gone = {*state["removed"], *seen}
    homes = {key.rsplit("/", 1)[-1] for key in state["removed"] if key.startswith("namespaces/")}
    for each, found in _given(state, now):
        namespace, name = found["metadata"].get("namespace"), found["metadata"]["name"]
        if each is kind and _key(kind, namespace, name) not in gone and namespace not in homes:
            yield found


def _given(state: State, now: float) -> Iterator[tuple[Kind, Object]]:
    """What exists without anybody having written it."""
    for name in _BUILT_IN:
        yield NAMESPACES, _namespace(name)
    if state["extension"] is not None:
        yield from components.installed(state, now)
    elif state.get("checkedAt") is not None:
        yield from components.checked(state)
    yield from components.definitions(state, now)


def _namespace(name: str) -> Object:
    metadata = {"name": name, "uid": name, "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z"}
    metadata_labels = {"kubernetes.io/metadata.name": name}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {**metadata, "labels": metadata_labels},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def serves(state: State, kind: Kind, now: float) -> bool:
    """Whether the cluster knows the kind by now."""
    if kind.crd is None:
        return True
    key = _key(DEFINITIONS, None, kind.crd)
    there = state["definitionsFrom"] is not None and now >= state["definitionsFrom"] and key not in state["removed"]
    return bool(there or key in state["objects"])


def _check_served(state: State, kind: Kind, now: float) -> None:
    if not serves(state, kind, now):
        raise no_such_page()


def _key(kind: Kind, namespace: str | None, name: str) -> str:
    return f"{kind.qualified}/{namespace or ''}/{name}"
