"""Before anything is detached: whether v1's certificate is there, and what would keep it from being kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from activities.cluster.tls_secret import legacy_tls
from domain.arm_ids import parse_arm_id
from gateways.azure.arm import ArmError
from gateways.kubernetes import connection
from gateways.kubernetes.api import KubernetesError, Unreachable

GROUP = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg/providers"
CLUSTER = parse_arm_id(f"{GROUP}/Microsoft.ContainerService/managedClusters/aks")
WHOLE = {"cert.pem": "YQ==", "key.pem": "Yg=="}
V1, OURS = ("default", "azuremlfessl"), ("azureml", "moor-azuremlfessl")
LABELS = {"app.kubernetes.io/managed-by": "moor"}
Secrets = dict[tuple[str, str], Any]


def secret(data: dict[str, str], labels: dict[str, str] | None = None) -> Any:
    return SimpleNamespace(data=data, metadata=SimpleNamespace(labels=labels))


@dataclass
class FakeApi:
    """A cluster's API with these secrets; an exception stands for one that may not be read."""

    secrets: Secrets
    allowed: frozenset[str] = frozenset({"create", "update"})
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def find(self, kind: Any, name: str, namespace: str) -> Any:
        found = self.secrets.get((namespace, name))
        if isinstance(found, Exception):
            raise found
        return found

    def may(self, verb: str, *what: str) -> bool:
        self.asked.append((verb, *what))
        return verb in self.allowed

    def close(self) -> None:
        """Nothing is open."""


FORBIDDEN, DOWN = KubernetesError(403, "Forbidden", "no"), KubernetesError(503, "ServiceUnavailable", "down")


@pytest.mark.parametrize(
    ("secrets", "allowed", "expected"),
    [
        ({}, "", (False, None)),
        ({V1: FORBIDDEN}, "", (False, None)),
        ({V1: secret(WHOLE)}, "create", (True, None)),
        ({V1: secret(WHOLE), OURS: secret(WHOLE)}, "", (True, None)),
        ({V1: secret(WHOLE), OURS: secret({}, LABELS)}, "update", (True, None)),
        ({V1: secret(WHOLE)}, "update", (True, "may not write secrets")),
        ({V1: secret(WHOLE), OURS: secret({}, LABELS)}, "create", (True, "may not write secrets")),
        ({V1: secret(WHOLE), OURS: FORBIDDEN}, "create", (True, "may not read secrets")),
        ({V1: secret(WHOLE), OURS: secret({})}, "create update", (True, "somebody else has a secret")),
        ({V1: secret({"cert.pem": "YQ=="})}, "create", (True, "holds no cert.pem and key.pem")),
    ],
    ids=[
        *("none", "not to be seen", "to be made", "made already", "to be renewed", "not to be made"),
        *("not to be renewed", "copy not to be seen", "another's", "half of it"),
    ],
)  # fmt: skip
def test_legacy_tls(
    monkeypatch: pytest.MonkeyPatch, secrets: Secrets, allowed: str, expected: tuple[bool, str | None]
) -> None:
    api = FakeApi(secrets, frozenset(allowed.split()))
    monkeypatch.setattr(connection, "connect", lambda cluster: api)
    there, hindrance = legacy_tls(CLUSTER)
    assert there is expected[0]
    assert (hindrance is None) is (expected[1] is None)
    if expected[1] is not None:
        assert expected[1] in str(hindrance)
    # Where there is something to write it asks whether it may: about secrets of the extension's namespace alone.
    writes = bool(allowed) and expected[1] in (None, "may not write secrets")
    assert {asked[1:] for asked in api.asked} == ({("", "secrets", "azureml")} if writes else set())


def test_a_cluster_out_of_reach_has_none_to_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "connect", lambda cluster: Unreachable("it is private", "look there"))
    assert legacy_tls(CLUSTER) == (False, None)


@pytest.mark.parametrize("secrets", [{V1: DOWN}, {V1: secret(WHOLE), OURS: DOWN}])
def test_an_outage_is_no_answer(monkeypatch: pytest.MonkeyPatch, secrets: Secrets) -> None:
    monkeypatch.setattr(connection, "connect", lambda cluster: FakeApi(secrets))
    with pytest.raises(ArmError) as raised:
        legacy_tls(CLUSTER)
    assert raised.value.transient
