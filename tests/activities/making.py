"""Steps at work and clusters for the tests of activities, without a stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from activities.runtime.step import StepAtWork
from activities.runtime.transitions import Call
from domain.cluster.legacy_objects import LegacyObject
from domain.cluster.objects import Found
from domain.operation.record import StepRecord
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer, ArmError, Page
from gateways.kubernetes import connection
from gateways.kubernetes.api import KubernetesError, Unreachable
from tests.making import NOW, make_operation

Intents = list[tuple[str, str]]


def at_work(
    name: str, attempts: int = 1, earlier: tuple[StepRecord, ...] = (), kind: str = "do", **fields: Any
) -> StepAtWork:
    """A step of that name at this attempt, after those steps; ``fields`` are the operation's."""
    record = StepRecord(name, kind, "Running", attempts, bound_seconds=600, started=NOW)
    return StepAtWork(Call("op", 1, name, 600, NOW), make_operation(steps=(*earlier, record), **fields))


def watch_intents(monkeypatch: pytest.MonkeyPatch) -> Intents:
    """What steps set out to change, in place of the record."""
    intents: Intents = []
    monkeypatch.setattr(StepAtWork, "intend", lambda step, action, target: intents.append((action, target)))
    return intents


@dataclass
class FakeArm:
    """Azure with these resources: by id a body, or the status with which they are refused."""

    bodies: dict[str, Any] = field(default_factory=dict)
    lists: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> FakeArm:
        for name in ("get", "items", "page", "put", "patch", "post", "delete"):
            monkeypatch.setattr(arm, name, getattr(self, name))
        return self

    def get(self, target: str, version: str, query: Mapping[str, str] | None = None) -> ArmAnswer:
        return ArmAnswer(200, _opened(self.bodies.get(target, 404)))

    def items(self, target: str, version: str, query: Mapping[str, str] | None = None) -> list[Any]:
        found: list[Any] = _opened(self.lists.get(target, []))
        return found

    def page(self, target: str, version: str, query: Mapping[str, str] | None = None, link: str | None = None) -> Page:
        return Page(self.items(target, version, query))

    def put(self, target: str, version: str, body: Mapping[str, Any]) -> ArmAnswer:
        self.calls.append(("PUT", target))
        self.bodies[target] = dict(body)
        return ArmAnswer(201, body)

    def patch(self, target: str, version: str, body: Mapping[str, Any]) -> ArmAnswer:
        self.calls.append(("PATCH", target))
        return ArmAnswer(200, body)

    def post(self, target: str, version: str, body: Any = None, query: Any = None) -> ArmAnswer:
        self.calls.append(("POST", target))
        return ArmAnswer(200, _opened(self.bodies.get(target, 404)))

    def delete(self, target: str, version: str, query: Mapping[str, str] | None = None) -> ArmAnswer:
        self.calls.append(("DELETE", target))
        self.bodies.pop(target, None)
        return ArmAnswer(200, {}, retry_after=7.0)


def _opened(found: Any) -> Any:
    if isinstance(found, int):
        raise ArmError(found, "Refused", "no")
    return found


@dataclass
class FakeApi:
    """A cluster's API with these objects; ``refused`` is raised by whatever is asked."""

    namespaces: dict[str, Found] = field(default_factory=dict)
    types: dict[str, Found] | None = field(default_factory=dict)
    leftovers: list[str] = field(default_factory=list)
    busy: bool = False
    allowed: bool = True
    refused: KubernetesError | None = None
    calls: list[tuple[str, str]] = field(default_factory=list)
    closed: int = 0

    def close(self) -> None:
        self.closed += 1

    def namespace(self, name: str) -> Found | None:
        self._refuse()
        return self.namespaces.get(name)

    def create_namespace(self, name: str, labels: Mapping[str, str], annotations: Mapping[str, str]) -> None:
        self._refuse()
        self.calls.append(("create", name))
        self.namespaces[name] = Found(name, {}, annotations, "Active")

    def delete_namespace(self, name: str) -> None:
        self.calls.append(("delete", name))

    def has_pods(self, name: str) -> bool:
        return self.busy

    def instance_types(self) -> dict[str, Found] | None:
        self._refuse()
        return self.types

    def put_instance_type(self, name: str, spec: Any, labels: Any, annotations: Any, version: str | None) -> None:
        self.calls.append(("create" if version is None else "update", name))

    def delete_instance_type(self, name: str) -> None:
        self.calls.append(("delete", name))

    def legacy_object(self, wanted: LegacyObject) -> Found | None:
        self._refuse()
        return Found(wanted.name, {}, {}) if str(wanted) in self.leftovers else None

    def delete_legacy_object(self, gone: LegacyObject) -> None:
        self.calls.append(("delete", str(gone)))
        self.leftovers.remove(str(gone))

    def may(self, *what: str | None) -> bool:
        self._refuse()
        return self.allowed

    def _refuse(self) -> None:
        if self.refused is not None:
            raise self.refused


def reached(monkeypatch: pytest.MonkeyPatch, api: FakeApi | Unreachable) -> None:
    """The way to the cluster leads to this."""
    monkeypatch.setattr(connection, "connect", lambda cluster: api)
