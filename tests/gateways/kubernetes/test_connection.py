"""The way to a cluster's API: which credential is taken, and what keeps the app out."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import yaml

from domain.arm_ids import parse_arm_id
from gateways import clock
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer, ArmError
from gateways.kubernetes import connection
from gateways.kubernetes.api import Api, KubernetesError, Unreachable
from gateways.kubernetes.ways import Ways, opened
from tests.activities.making import FakeApi
from tests.making import CLUSTER_ID, SUB

CLUSTER = parse_arm_id(CLUSTER_ID)
ARC = parse_arm_id(f"/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.Kubernetes/connectedClusters/arc")


def kubeconfig(user: dict[str, Any], server: str = "https://aks") -> dict[str, Any]:
    document = {
        "clusters": [{"cluster": {"server": server, "certificate-authority-data": "Y2E="}}],
        "users": [{"user": user}],
    }
    return {"kubeconfigs": [{"value": base64.b64encode(yaml.safe_dump(document).encode()).decode()}]}


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens with which the API was asked."""
    used: list[str] = []

    class Answering(Api):
        def __init__(self, client: Any) -> None:
            used.append(client)

        def close(self) -> None: ...

        def namespace(self, name: str) -> None: ...

    monkeypatch.setattr(connection, "Api", Answering)
    monkeypatch.setattr(connection, "_client", lambda config: config["users"][0]["user"]["token"])
    monkeypatch.setattr(connection, "entra_token", lambda: "entra")
    return used


def answers(monkeypatch: pytest.MonkeyPatch, user: Any, admin: Any = 403) -> list[str]:
    asked: list[str] = []

    def post(target: str, version: str, query: Any = None) -> ArmAnswer:
        asked.append(target.rsplit("/", 1)[-1])
        answer = user if "User" in asked[-1] else admin
        if isinstance(answer, int):
            raise ArmError(answer, "Refused", "no")
        return ArmAnswer(200, answer)

    monkeypatch.setattr(arm, "post", post)
    return asked


def test_an_arc_cluster_has_no_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm, "post", None)
    assert isinstance(connection.connect(ARC), Unreachable)


@pytest.mark.parametrize(
    ("user", "token"), [({"token": "static"}, "static"), ({"exec": {"command": "kubelogin"}}, "entra")]
)
def test_in_as_the_app(monkeypatch: pytest.MonkeyPatch, tokens: list[str], user: dict[str, Any], token: str) -> None:
    asked = answers(monkeypatch, kubeconfig(user))
    assert isinstance(connection.connect(CLUSTER), Api)
    assert (tokens, asked) == ([token], ["listClusterUserCredential"])


@pytest.mark.parametrize("user", [403, kubeconfig({}), kubeconfig({"token": "t"}, "http://aks"), {"kubeconfigs": []}])
def test_else_as_the_administrator_where_the_policy_says_so(
    monkeypatch: pytest.MonkeyPatch, tokens: list[str], user: Any
) -> None:
    asked = answers(monkeypatch, user, kubeconfig({"token": "admin"}))
    assert isinstance(connection.connect(CLUSTER), Unreachable)
    assert (tokens, asked) == ([], ["listClusterUserCredential"])
    with opened(Ways(administrator=True)):
        assert isinstance(connection.connect(CLUSTER), Api)
    assert (tokens, asked[1:]) == (["admin"], ["listClusterUserCredential", "listClusterAdminCredential"])


@pytest.mark.parametrize("allowed", [True, False])
def test_a_command_in_the_cluster_is_a_way_where_the_policy_says_so(
    monkeypatch: pytest.MonkeyPatch, tokens: list[str], allowed: bool
) -> None:
    monkeypatch.setattr(connection, "_with_credential", lambda *_: Unreachable("no route", commands=True, entra=True))
    with opened(Ways(commands=allowed)):
        found = connection.connect(CLUSTER)
    assert isinstance(found, Unreachable)
    assert found.commands is allowed
    assert ("the policy does not allow commands" in found.reason) is not allowed


def test_the_first_reason_is_the_one_to_say(monkeypatch: pytest.MonkeyPatch, tokens: list[str]) -> None:
    answers(monkeypatch, 403, 404)
    with opened(Ways(administrator=True)):
        found = connection.connect(CLUSTER)
    assert isinstance(found, Unreachable)
    assert (found.reason, found.commands) == ("the app gets no kubeconfig of it (Refused: no)", False)


def test_an_outage_of_azure_is_no_answer(monkeypatch: pytest.MonkeyPatch, tokens: list[str]) -> None:
    answers(monkeypatch, 503)
    with pytest.raises(ArmError):
        connection.connect(CLUSTER)


@pytest.mark.parametrize(
    ("error", "reason", "commands"),
    [
        (KubernetesError(403, "Forbidden", "who?"), "it does not let the app in (who?)", False),
        (KubernetesError(0, "ConnectTimeout", "no answer"), "its API does not answer (ConnectTimeout)", True),
        (KubernetesError(503, "ServiceUnavailable", "down"), None, False),
    ],
)
def test_an_api_that_refuses_or_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, error: KubernetesError, reason: str | None, commands: bool
) -> None:
    api = FakeApi(refused=error)
    monkeypatch.setattr(connection, "_client", lambda config: None)
    monkeypatch.setattr(connection, "Api", type("Fake", (), {"__new__": lambda cls, client: api}))
    monkeypatch.setattr(clock, "pause", lambda seconds: None)
    answers(monkeypatch, kubeconfig({"token": "t"}))
    if reason is None:
        with pytest.raises(KubernetesError):
            connection._with_credential(CLUSTER, "listClusterUserCredential", {})
    else:
        found = connection._with_credential(CLUSTER, "listClusterUserCredential", {})
        assert isinstance(found, Unreachable)
        assert (found.reason, found.commands) == (reason, commands)
    assert api.closed == 1
