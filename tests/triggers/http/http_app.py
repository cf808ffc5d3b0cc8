"""The HTTP functions, called as the Functions host calls them, without a host."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import azure.durable_functions as df
import azure.functions as func

from tests.conftest import Tables
from tests.entra import GRACE, bearer, token
from triggers.http import (
    decisions as http_decisions,
)
from triggers.http import (
    not_available as http_later,
)
from triggers.http import (
    queries as http_operations,
)
from triggers.http import (
    service as http_service,
)
from triggers.http import (
    start as http_start,
)

# Who calls unless a test says otherwise; who asks does not answer.
ASKS = {"roles": ["Moor.Operator", "Moor.Privileged"]}
ANSWERS = {"oid": GRACE, "name": "Grace Gives", "roles": ["Moor.Approver"]}
_DECISIONS = ("/approve", "/reject")

BASE = "https://moor.example.net/api"
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
WORKSPACE = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/ml/providers/Microsoft.MachineLearningServices/workspaces/research"
)
CLUSTER = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/k8s/providers/Microsoft.ContainerService/managedClusters/gpu1"
BLUEPRINTS = (http_start.bp, http_operations.bp, http_decisions.bp, http_later.bp, http_service.bp)


def attach_body(**changes: Any) -> dict[str, Any]:
    """A good attach request with changes; None takes a field out."""
    body = {"workspaceId": WORKSPACE, "clusterId": CLUSTER, "computeName": "gpu", **changes}
    return {name: value for name, value in body.items() if value is not None}


def detach_body(**changes: Any) -> dict[str, Any]:
    """A good detach request with changes; None takes a field out."""
    body = {"workspaceId": WORKSPACE, "computeName": "gpu", **changes}
    return {name: value for name, value in body.items() if value is not None}


@dataclass
class Engine:
    """Stands in for the durable client: takes note of starts, or fails them."""

    started: list[tuple[str, str, Any]] = field(default_factory=list)
    terminated: list[str] = field(default_factory=list)
    woken: list[str] = field(default_factory=list)
    live: bool = False
    failing: bool = False

    async def start_new(self, name: str, instance_id: str, client_input: Any, version: str | None) -> str:
        if self.live or self.failing:
            raise Exception("An instance of this id is running, or the extension does not answer.")
        self.started.append((name, instance_id, client_input))
        return instance_id

    async def terminate(self, instance_id: str, reason: str) -> None:
        if self.failing:
            raise Exception("The extension does not answer.")
        self.terminated.append(instance_id)

    async def raise_event(self, instance_id: str, event_name: str, event_data: Any) -> None:
        if self.failing:
            raise Exception("The extension does not answer.")
        self.woken.append(instance_id)

    async def get_status(self, instance_id: str) -> Any:
        if self.failing:
            raise Exception("The extension does not answer.")
        return SimpleNamespace(runtime_status=df.OrchestrationRuntimeStatus.Running if self.live else None)


@dataclass(frozen=True)
class Answer:
    """An answer as it would go over the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        """The error of the envelope, which must be well formed."""
        error = self.json["error"]
        assert self.headers["x-ms-error-code"] == error["code"]
        assert self.headers["Content-Type"] == "application/json"
        return error

    def targets(self) -> dict[str, str]:
        """Code of every offending field by its target."""
        return {detail["target"]: detail["code"] for detail in self.error["details"]}


@dataclass(frozen=True)
class Function:
    """One HTTP function as it is registered."""

    name: str
    route: str
    methods: tuple[str, ...]
    auth_level: func.AuthLevel
    code: Any


def functions() -> list[Function]:
    """What the blueprints register."""
    app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
    for blueprint in BLUEPRINTS:
        app.register_functions(blueprint)
    found = []
    for function in app.get_functions():
        trigger = function.get_trigger()
        code = function.get_user_function()
        level = trigger.auth_level or func.AuthLevel.FUNCTION
        methods = tuple(method.value for method in trigger.methods)
        found.append(Function(function.get_function_name(), trigger.route, methods, level, code))
    return sorted(found, key=lambda f: f.name)


class App:
    """Calls functions by method and URL, as Ada who asks or Grace who answers; needs the fixture ``documents``."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.functions = functions()

    async def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """``path`` is an absolute URL or what follows the prefix; a body that is not bytes is sent as JSON."""
        url = path if path.startswith("https:") else BASE + path
        given = {**self._token(urlsplit(path).path), **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            given.setdefault("Content-Type", "application/json")
        function, route_params = self._route(method, urlsplit(url).path)
        request = func.HttpRequest(
            method=method, url=url, headers=given, params=_query(url), route_params=route_params, body=body or b""
        )
        # The SDK makes the client from text of the binding around the function: this is the function itself.
        inner = getattr(function.code, "__wrapped__", None)
        response = await (inner(request, client=self.engine) if inner else function.code(request))
        data: bytes = response.get_body()
        sent = {**dict(response.headers), "Content-Type": response.mimetype}
        return Answer(response.status_code, sent, data)

    def _token(self, path: str) -> dict[str, str]:
        who = ANSWERS if path.endswith(_DECISIONS) else ASKS
        return bearer(token(**who))

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return await self.call("GET", path, headers=headers)

    async def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
        return await self.call("POST", path, body, headers)

    def _route(self, method: str, path: str) -> tuple[Function, dict[str, str]]:
        inner = path.removeprefix(urlsplit(BASE).path).strip("/")
        for function in self.functions:
            template = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(function.route))
            match = re.fullmatch(template, inner, re.I)
            if match and method in function.methods:
                return function, {name: unquote(value) for name, value in match.groupdict().items()}
        raise AssertionError(f"the host answers 404: {method} {path}")


def _query(url: str) -> dict[str, str]:
    """As the Functions host hands it on: repeated keys joined with a comma, empty values dropped."""
    query: dict[str, str] = {}
    for name, value in parse_qsl(urlsplit(url).query):
        query[name] = f"{query[name]},{value}" if name in query else value
    return query


def escaped(text: str) -> str:
    """Text as one segment of a path or one value of a query."""
    return quote(text, safe="")


async def refused(app: App, tables: Tables, path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
    """The answer to a request that must write and start nothing."""
    answer = await app.post(path, body, headers)
    assert tables.rows() == []
    assert app.engine.started == []
    return answer
