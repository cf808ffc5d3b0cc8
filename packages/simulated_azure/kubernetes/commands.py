"""Microsoft.ContainerService/managedClusters/runCommand: kubectl in a pod of the cluster, also of a private one.

Only ``kubectl get`` with JSON or JSONPath output is understood; anything else ends with exit code 1 and says so.
Source: AKS documentation (access-private-cluster); shapes of the official examples.
"""

from __future__ import annotations

import json
import shlex
import uuid
from typing import Any

from packages.simulated_azure.arm import long_running, resources, signatures
from packages.simulated_azure.arm.call import Call, Reply
from packages.simulated_azure.arm.errors import ArmError, bad_request
from packages.simulated_azure.arm.routing import Route
from packages.simulated_azure.kubernetes import access, cluster, jsonpath
from packages.simulated_azure.kubernetes.access import User
from packages.simulated_azure.kubernetes.jsonpath import NotUnderstood
from packages.simulated_azure.kubernetes.kinds import KINDS, Kind, StatusError
from packages.simulated_azure.providers.clusters.cluster_bodies import MANAGED
from packages.simulated_azure.world import World, iso

MOST_OUTPUT = 512 * 1024
_ONE = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{MANAGED}/{{cluster}}"
_SHORT = {"ns": "namespaces", "po": "pods", "svc": "services", "cm": "configmaps", "deploy": "deployments"}
_SHORT |= {"ds": "daemonsets", "sts": "statefulsets", "crd": "customresourcedefinitions"}


def routes() -> list[Route]:
    """The routes of run command."""
    result = f"{_ONE}/commandResults/{{command}}"
    return [
        Route("POST", f"{_ONE}/runCommand", MANAGED, _run, f"{MANAGED}/runcommand/action", _ONE),
        Route("GET", result, MANAGED, _result, f"{MANAGED}/commandResults/read", _ONE),
    ]


def _run(call: Call) -> Reply:
    target = resources.require(call, _ONE.format(**call.params))
    body = call.object_body()
    properties = target["body"]["properties"]
    if (properties.get("apiServerAccessProfile") or {}).get("disableRunCommand"):
        raise bad_request("BadRequest", "Run command is disabled on this cluster.")
    if (properties.get("powerState") or {}).get("code", "Running") != "Running":
        raise bad_request("BadRequest", "Run command cannot be invoked on a cluster that is stopped.")
    provisioning = str(properties.get("provisioningState") or "Succeeded")
    if provisioning.lower() not in ("succeeded", "failed", "canceled"):
        # As the service refuses every change of a cluster that it is at work on.
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Operation is not allowed: Another operation ({provisioning}) is in progress, please wait for it to "
            "finish before starting a new operation.",
        )
    if not body.get("command"):
        raise bad_request("BadRequest", "The command is required.")
    user = User("clusterAdmin")
    if access.uses_entra(target):
        # The token says who the command runs as on clusters with Entra ID.
        try:
            user = access.authenticate(call.world, target, f"Bearer {body.get('clusterToken') or ''}")
        except StatusError as error:
            raise bad_request("BadRequest", "clusterToken is missing or not valid for this cluster.") from error
    identifier = uuid.uuid4().hex
    document = {
        "cluster": target["id"],
        "command": body["command"],
        "user": {"name": user.name, "object_id": user.object_id},
        "startedAt": call.now,
        "due": call.now + call.world.duration("cluster.runCommand"),
    }
    call.world.store.put("runCommand", identifier, document)
    long_running.announce(call, target)
    return _pending(call, target["id"], identifier)


def _pending(call: Call, cluster_id: str, identifier: str) -> Reply:
    path = f"{cluster_id}/commandResults/{identifier}"
    location = signatures.signed(call, path, {"api-version": call.api_version})
    return Reply(202, None, {"Location": location, "Retry-After": "5"})


def _result(call: Call) -> Reply:
    signatures.check(call)
    target = resources.require(call, _ONE.format(**call.params))
    identifier = call.params["command"]
    document = call.world.store.get("runCommand", identifier)
    if document is None or document["cluster"].lower() != target["id"].lower():
        raise ArmError(404, "NotFound", f"The command '{identifier}' was not found.")
    if document["due"] > call.now:
        return _pending(call, target["id"], identifier)
    if "exitCode" not in document:
        code, logs = execute(call.world, target, User(**document["user"]), document["command"])
        document |= {"exitCode": code, "logs": logs[:MOST_OUTPUT]}
        call.world.store.put("runCommand", identifier, document)
    properties = {
        "provisioningState": "Succeeded",
        "exitCode": document["exitCode"],
        "startedAt": iso(document["startedAt"], digits=0),
        "finishedAt": iso(document["due"], digits=0),
        "logs": document["logs"],
    }
    return Reply(200, {"id": identifier, "properties": properties})


def execute(world: World, target: resources.Resource, user: User, command: str) -> tuple[int, str]:
    """Exit code and output of a command."""
    words = shlex.split(command)
    if words[:2] != ["kubectl", "get"]:
        return 1, f"{words[0] if words else ''}: this simulation runs kubectl get only\n"
    options, names = _options(words[2:])
    if cluster.state_of(world, target["id"])["unreachable"]:
        # What kubectl says in a cluster whose API server answers nobody.
        return 1, "The connection to the server 10.0.0.1:443 was refused - did you specify the right host or port?\n"
    form, _, template = options.get("output", "").partition("=")
    if form not in ("json", "jsonpath"):
        return 1, "error: this simulation prints JSON and JSONPath only\n"
    try:
        found = _get(world, target, user, names, options)
    except _UnknownKind as error:
        return 1, f"error: {error}\n"
    except StatusError as error:
        if error.code == 404 and error.name is not None and "ignore-not-found" in options:
            return 0, ""
        return 1, f"Error from server ({error.reason}): {error.message}\n"
    try:
        return 0, json.dumps(found) if form == "json" else jsonpath.printed(template, found)
    except NotUnderstood as error:
        return 1, f"error: {error}\n"


class _UnknownKind(Exception):
    """A type that the cluster does not serve; kubectl finds that out alone."""

    def __init__(self, asked: str) -> None:
        super().__init__(f'the server doesn\'t have a resource type "{asked.partition(".")[0]}"')


def _get(world: World, target: resources.Resource, user: User, names: list[str], options: dict[str, str]) -> Any:
    state = cluster.state_of(world, target["id"])
    namespace, now = options.get("namespace", "default"), world.clock.timestamp()
    found: list[Any] = []
    plain = [name for name in names if "/" not in name]
    for asked in plain[0].split(",") if plain else []:
        kind, place = _kind(asked), namespace
        if not cluster.serves(state, kind, now):
            raise _UnknownKind(asked)
        access.check(world, target, state, user, "list", kind, place if kind.namespaced else None)
        wanted = plain[1:]
        if wanted:
            found += [cluster.find(world, state, kind, place if kind.namespaced else None, n, now) for n in wanted]
        else:
            found += cluster.items(world, state, kind, place if kind.namespaced else None, now)
    if len(plain) == 2 and "," not in plain[0]:
        return found[0]
    return {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": found}


def _kind(asked: str) -> Kind:
    wanted = _SHORT.get(asked, asked).lower()
    for kind in KINDS:
        if wanted in (kind.plural, kind.kind.lower(), kind.qualified, kind.plural[:-1]):
            return kind
    raise _UnknownKind(asked)


def _options(words: list[str]) -> tuple[dict[str, str], list[str]]:
    long = {"-n": "namespace", "-o": "output"}
    options: dict[str, str] = {}
    names: list[str] = []
    rest = iter(words)
    for word in rest:
        if word in long:
            options[long[word]] = next(rest, "")
        elif word.startswith("--"):
            name, separator, value = word[2:].partition("=")
            takes = name in ("namespace", "output") and not separator
            options[name] = next(rest, "") if takes else value
        else:
            names.append(word)
    return options, names
