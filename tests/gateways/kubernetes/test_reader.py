"""A cluster by its API, by a command in it, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from domain.arm_ids import parse_arm_id
from domain.cluster.legacy_objects import LEGACY_OBJECTS
from domain.cluster.objects import Found
from domain.preflight.facts import Legacy, Unread
from gateways import clock
from gateways.azure.arm import ArmError
from gateways.kubernetes import connection, reader, run_command
from gateways.kubernetes.api import KubernetesError, Unreachable
from tests.activities.making import FakeApi, reached
from tests.making import CLUSTER_ID

CLUSTER = parse_arm_id(CLUSTER_ID)
FOUND = Found("ml", {}, {}, "Active")
FRONT = LEGACY_OBJECTS[0]


def test_by_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    api = FakeApi({"ml": FOUND})
    reached(monkeypatch, api)
    assert (reader.namespace(CLUSTER, "ml"), reader.namespace(CLUSTER, "other"), api.closed) == (FOUND, None, 2)


def test_by_a_command_where_there_is_no_way_to_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def namespace(cluster: Any, name: str, *, entra: bool) -> Found:
        asked.append(entra)
        return FOUND

    monkeypatch.setattr(run_command, "namespace", namespace)
    monkeypatch.setattr(connection, "connect", lambda cluster: Unreachable("no way", commands=True, entra=True))
    assert (reader.namespace(CLUSTER, "ml"), asked) == (FOUND, [True])


def test_not_at_all_says_both_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_command, "namespace", lambda *_, **__: Unreachable("no command", "grant it"))
    monkeypatch.setattr(connection, "connect", lambda cluster: Unreachable("no way", commands=True))
    assert reader.namespace(CLUSTER, "ml") == Unreachable("no way, and no command", "grant it")


def test_no_command_where_the_app_is_not_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_command, "namespace", None)
    monkeypatch.setattr(connection, "connect", lambda cluster: Unreachable("not let in"))
    assert reader.namespace(CLUSTER, "ml") == Unreachable("not let in")


class Forbidding(FakeApi):
    """An API that shows no components."""

    def components(self) -> Any:
        raise self.refused or AssertionError


@pytest.mark.parametrize(("status", "raises"), [(403, False), (503, True)])
def test_components_that_may_not_be_seen(monkeypatch: pytest.MonkeyPatch, status: int, raises: bool) -> None:
    reached(monkeypatch, Forbidding(refused=KubernetesError(status, "Reason", "no")))
    if raises:
        with pytest.raises(KubernetesError):
            reader.components(CLUSTER)
    else:
        assert reader.components(CLUSTER) == Unreachable("it does not let the app see namespace azureml (no)")


@pytest.mark.parametrize(("allowed", "kept"), [(True, ()), (False, (FRONT,))])
def test_leftovers_and_which_of_them_must_stay(allowed: bool, kept: tuple[Any, ...]) -> None:
    api: Any = FakeApi(leftovers=[str(FRONT)], allowed=allowed)
    assert reader.legacy(api) == Legacy((FRONT,), kept)


def test_leftovers_that_may_not_be_seen() -> None:
    api: Any = FakeApi(refused=KubernetesError(403, "Forbidden", "no"))
    assert reader.legacy(api) == Unread("no")
    api = FakeApi(refused=KubernetesError(503, "ServiceUnavailable", "down"))
    with pytest.raises(KubernetesError):
        reader.legacy(api)


@pytest.mark.parametrize(("status", "told"), [(429, False), (503, False), (0, False), (404, True), (403, True)])
def test_r2_an_outage_of_azure_says_nothing_of_what_runs(
    monkeypatch: pytest.MonkeyPatch, status: int, told: bool
) -> None:
    def connect(cluster: Any) -> Any:
        raise ArmError(status, "Down", "no")

    monkeypatch.setattr(connection, "connect", connect)
    monkeypatch.setattr(clock, "pause", lambda seconds: None)
    if told:
        assert isinstance(reader.work_in(CLUSTER, "ml").found, Unreachable)
    else:
        with pytest.raises(ArmError):
            reader.work_in(CLUSTER, "ml")
