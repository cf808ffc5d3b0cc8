"""The Kubernetes API over TLS: every cluster at its own name, by the proxy, and at its ARM id below one port."""

from __future__ import annotations

import copy
import json
import logging
import re

import yaml
from aiohttp import web

from packages.controls.call_hook import CallHook
from packages.simulated_azure.arm import request_log, resources
from packages.simulated_azure.arm.front_door import with_faults
from packages.simulated_azure.identity.metadata import KUBERNETES_DNS
from packages.simulated_azure.json_merge import merge
from packages.simulated_azure.kubernetes import access, cluster
from packages.simulated_azure.kubernetes.access import User
from packages.simulated_azure.kubernetes.cluster import State
from packages.simulated_azure.kubernetes.kinds import (
    INSTANCE_TYPES,
    KINDS,
    Kind,
    Object,
    StatusError,
    invalid,
    no_such_page,
)
from packages.simulated_azure.providers.clusters.cluster_bodies import MANAGED
from packages.simulated_azure.store import Document
from packages.simulated_azure.world import World

logger = logging.getLogger(__name__)

_ADDRESS = re.compile(
    r"(/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.ContainerService/managedClusters/[^/]+)(/.*)",
    re.IGNORECASE,
)
_PATH = re.compile(r"/(?:api/v1|apis/(?P<group>[^/]+)/(?P<version>[^/]+))/(?P<rest>.+)")
_VERSION = {"major": "1", "minor": "34", "gitVersion": "v1.34.2", "platform": "linux/amd64"}
_PATCHES = ("application/merge-patch+json", "application/strategic-merge-patch+json", "application/apply-patch+yaml")


class Kubernetes:
    """Serves the API of every managed cluster."""

    def __init__(self, world: World, hook: CallHook | None) -> None:
        self._world = world
        self._hook = hook

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One request from log to answer; a cluster that cannot be reached cuts the connection."""
        world = self._world
        named = self.cluster_at(request.host.partition(":")[0])
        if named is not None:
            # Log, faults and the call hook know a cluster by its id, whichever way a request came.
            request = request.clone(rel_url=f"{named['id']}{request.path_qs}")
        entry = request_log.begin(world, "kubernetes", request)
        body = await request.read()
        world.timers.advance(world.clock.timestamp())
        address = _ADDRESS.fullmatch(request.path)
        found = resources.find(world, address[1]) if address else None
        if address is None or found is None or not access.reachable(world, found, cluster.state_of(world, found["id"])):
            entry["fault"] = {"id": "unreachable", "when": "before", "action": "reset"}
            request_log.finish(world.store, entry, None)
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)  # Nobody reads this: the connection is gone.
        target, path = found, address[2]

        async def work() -> web.Response:
            return self._answer(request, target, path, body, entry)

        return await with_faults(world, self._hook, "kubernetes", request, entry, work)

    def cluster_at(self, host: str) -> resources.Resource | None:
        """The managed cluster whose API has that name; None for a name that no cluster has."""
        if not host.lower().endswith(f".{KUBERNETES_DNS}"):
            return None
        return next((each for each in resources.of_type(self._world, MANAGED) if host.lower() in _names(each)), None)

    def _answer(
        self, request: web.Request, target: resources.Resource, path: str, raw: bytes, entry: Document
    ) -> web.Response:
        world = self._world
        try:
            if path.rstrip("/") == "/version":
                return _json(_VERSION, 200)
            user = access.authenticate(world, target, request.headers.get("Authorization"))
            entry["principal"] = {"user": user.name, "objectId": user.object_id}
            state = cluster.state_of(world, target["id"])
            status, answer = _dispatch(world, target, state, user, request, path, raw)
        except StatusError as error:
            status, answer = error.code, error.body()
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            status = 500
            answer = StatusError(500, "InternalError", "The simulation itself failed; see its log.").body()
        return _json(answer, status)


def _names(cluster: resources.Resource) -> set[str]:
    properties = cluster["body"]["properties"]
    return {str(properties[name]).lower() for name in ("fqdn", "privateFQDN") if properties.get(name)}


def _json(answer: Object, status: int) -> web.Response:
    # The API says no charset, and clients compare the whole header.
    headers = {"Content-Type": "application/json"}
    return web.Response(status=status, body=json.dumps(answer).encode(), headers=headers)


def _dispatch(
    world: World,
    target: resources.Resource,
    state: State,
    user: User,
    request: web.Request,
    path: str,
    raw: bytes,
) -> tuple[int, Object]:
    if path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" and request.method == "POST":
        return 201, _review(world, target, state, user, _body(raw))
    kind, namespace, name = locate(path)
    now = world.clock.timestamp()
    verb = _verb(request.method, name)
    access.check(world, target, state, user, verb, kind, namespace)
    if verb == "list":
        return 200, listing(kind, _selected(cluster.items(world, state, kind, namespace, now), request))
    if verb == "get":
        return 200, cluster.find(world, state, kind, namespace, name, now)
    if verb == "create":
        if kind.namespaced and namespace is None:
            raise no_such_page()
        given = _object_of(kind, raw)
        _check_schema(kind, given)
        return 201, cluster.create(world, state, kind, namespace, given, now)
    if verb == "delete":
        gone = cluster.delete(world, state, kind, namespace, name, now)
        if "goneAt" in gone:
            return 200, {k: v for k, v in gone.items() if k != "goneAt"}
        details = {"name": name, "kind": kind.plural, "uid": gone["metadata"].get("uid", "")}
        return 200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
    return _change(world, state, kind, namespace, name, request, raw, now)


def _change(
    world: World,
    state: State,
    kind: Kind,
    namespace: str | None,
    name: str,
    request: web.Request,
    raw: bytes,
    now: float,
) -> tuple[int, Object]:
    applies = request.content_type == "application/apply-patch+yaml"
    if request.method == "PATCH" and request.content_type not in _PATCHES:
        raise StatusError(415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {_PATCHES}")
    given = _body(raw)
    try:
        before = cluster.find(world, state, kind, namespace, name, now)
    except StatusError as error:
        if error.code != 404 or not applies:
            raise
        given.setdefault("metadata", {})["name"] = name
        return 201, cluster.create(world, state, kind, namespace, given, now)
    wanted_version = (given.get("metadata") or {}).get("resourceVersion")
    if wanted_version and wanted_version != before["metadata"]["resourceVersion"]:
        message = (
            f'Operation cannot be fulfilled on {kind.qualified} "{name}": the object has been modified; please apply '
            "your changes to the latest version and try again"
        )
        raise StatusError(409, "Conflict", message, kind, name)
    after = copy.deepcopy(before)
    if request.method == "PUT":
        kept = {part: before["metadata"][part] for part in ("uid", "creationTimestamp") if part in before["metadata"]}
        after = {**copy.deepcopy(given), "apiVersion": kind.api_version, "kind": kind.kind}
        after["metadata"] = {**given.get("metadata", {}), **kept, "name": name}
        if namespace is not None:
            after["metadata"]["namespace"] = namespace
        after |= {"status": before["status"]} if "status" in before else {}
    else:
        merge(after, given)
    _check_schema(kind, after)
    return 200, cluster.put(world, state, kind, namespace, after)


def locate(path: str) -> tuple[Kind, str | None, str]:
    """Kind, namespace and name (empty for a collection) of a path. Raises StatusError 404."""
    found = _PATH.fullmatch(path.rstrip("/"))
    if found is None:
        raise no_such_page()
    parts = found["rest"].split("/")
    namespace = None
    if parts[0] == "namespaces" and len(parts) > 2:
        namespace, parts = parts[1], parts[2:]
    for kind in KINDS:
        same = (kind.group, kind.plural) == (found["group"] or "", parts[0])
        if same and (not kind.group or kind.version == found["version"]) and len(parts) <= 2:
            if namespace is not None and not kind.namespaced:
                break
            return kind, namespace, parts[1] if len(parts) == 2 else ""
    raise no_such_page()


def listing(kind: Kind, found: list[Object]) -> Object:
    """A list object; its items carry neither apiVersion nor kind."""
    items = [{k: v for k, v in each.items() if k not in ("apiVersion", "kind")} for each in found]
    metadata = {"resourceVersion": "1"}
    return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata, "items": items}


def _verb(method: str, name: str) -> str:
    verbs = {
        ("GET", True): "get",
        ("GET", False): "list",
        ("POST", False): "create",
        ("PUT", True): "update",
        ("PATCH", True): "patch",
        ("DELETE", True): "delete",
    }
    try:
        return verbs[(method, bool(name))]
    except KeyError:
        message = "the server does not allow this method on the requested resource"
        raise StatusError(405, "MethodNotAllowed", message) from None


def _selected(found: list[Object], request: web.Request) -> list[Object]:
    selector = request.query.get("labelSelector", "")
    wanted = dict(part.split("=", 1) for part in selector.replace("==", "=").split(",") if "=" in part)
    chosen = [o for o in found if wanted.items() <= (o["metadata"].get("labels") or {}).items()]
    fields = dict(part.split("=", 1) for part in request.query.get("fieldSelector", "").split(",") if "=" in part)
    if "metadata.name" in fields:
        chosen = [o for o in chosen if o["metadata"]["name"] == fields["metadata.name"]]
    limit = int(request.query.get("limit") or 0)
    return chosen[:limit] if limit else chosen


def _review(world: World, target: resources.Resource, state: State, user: User, given: Object) -> Object:
    asked = (given.get("spec") or {}).get("resourceAttributes") or {}
    kind = next((k for k in KINDS if (k.group, k.plural) == (asked.get("group", ""), asked.get("resource"))), None)
    may = kind is not None and access.allowed(
        world, target, state, user, asked.get("verb", ""), kind, asked.get("namespace") or None
    )
    return {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": given.get("spec") or {},
        "status": {"allowed": may},
    }


def _body(raw: bytes) -> Object:
    try:
        given = yaml.safe_load(raw)
    except yaml.YAMLError as error:
        raise StatusError(400, "BadRequest", f"the object provided is unrecognized: {error}") from error
    if not isinstance(given, dict):
        raise StatusError(400, "BadRequest", "the object provided is unrecognized")
    return json.loads(json.dumps(given, default=str))  # type: ignore[no-any-return]


def _object_of(kind: Kind, raw: bytes) -> Object:
    given = _body(raw)
    if given.get("kind") != kind.kind or given.get("apiVersion") != kind.api_version:
        message = (
            f"the API version in the data ({given.get('apiVersion')}) does not match the expected API version "
            f"({kind.api_version}), or the kind is not {kind.kind}"
        )
        raise StatusError(400, "BadRequest", message)
    return given


def _check_schema(kind: Kind, given: Object) -> None:
    """The schema of instance types (how-to-manage-kubernetes-instance-types): requests and limits are required."""
    if kind is not INSTANCE_TYPES:
        return
    name = str(given.get("metadata", {}).get("name"))
    parts = (given.get("spec") or {}).get("resources") or {}
    for part in ("requests", "limits"):
        for resource in ("cpu", "memory"):
            if not isinstance((parts.get(part) or {}).get(resource), str):
                raise invalid(kind, name, f"spec.resources.{part}.{resource}: Required value")
