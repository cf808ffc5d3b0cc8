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
from gateways.azure.identity import Cloud
from gateways.kubernetes import connection
from gateways.kubernetes.api import Api, KubernetesError, Unreachable
from gateways.kubernetes.ways import Ways, opened
from tests.activities.making import FakeApi
from tests.making import CLUSTER_ID, SUB

CLUSTER = parse_arm_id(CLUSTER_ID)
ARC = parse_arm_id(f"/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.Kubernetes/connectedClusters/arc")


FQDN, PRIVATE = "aks-1.hcp.westeurope.azmk8s.io", "aks-1.guid.privatelink.westeurope.azmk8s.io"
SERVER = f"https://{FQDN}:443"


def kubeconfig(user: Any, server: Any = SERVER) -> dict[str, Any]:
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
    names(monkeypatch, fqdn=FQDN, privateFQDN=PRIVATE)
    return asked


def names(monkeypatch: pytest.MonkeyPatch, **properties: Any) -> None:
    """The cluster as Azure Resource Manager answers it."""
    monkeypatch.setattr(arm, "get", lambda *_: ArmAnswer(200, {"properties": properties}))


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


@pytest.mark.parametrize("user", [403, kubeconfig({}), kubeconfig("x"), {"kubeconfigs": []}])
def test_else_as_the_administrator_where_the_policy_says_so(
    monkeypatch: pytest.MonkeyPatch, tokens: list[str], user: Any
) -> None:
    asked = answers(monkeypatch, user, kubeconfig({"token": "admin"}))
    assert isinstance(connection.connect(CLUSTER), Unreachable)
    assert (tokens, asked) == ([], ["listClusterUserCredential"])
    with opened(lambda: Ways(administrator=True)):
        assert isinstance(connection.connect(CLUSTER), Api)
    assert (tokens, asked[1:]) == (["admin"], ["listClusterUserCredential", "listClusterAdminCredential"])


@pytest.mark.parametrize("allowed", [True, False])
def test_a_command_in_the_cluster_is_a_way_where_the_policy_says_so(
    monkeypatch: pytest.MonkeyPatch, tokens: list[str], allowed: bool
) -> None:
    monkeypatch.setattr(connection, "_with_credential", lambda *_: Unreachable("no route", commands=True, entra=True))
    names(monkeypatch, fqdn=FQDN)
    with opened(lambda: Ways(commands=allowed)):
        found = connection.connect(CLUSTER)
    assert isinstance(found, Unreachable)
    assert found.commands is allowed
    assert ("the policy does not allow commands" in found.reason) is not allowed


def test_the_first_reason_is_the_one_to_say(monkeypatch: pytest.MonkeyPatch, tokens: list[str]) -> None:
    answers(monkeypatch, 403, 404)
    with opened(lambda: Ways(administrator=True)):
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
            connection._with_credential(CLUSTER, frozenset({FQDN}), "listClusterUserCredential", {})
    else:
        found = connection._with_credential(CLUSTER, frozenset({FQDN}), "listClusterUserCredential", {})
        assert isinstance(found, Unreachable)
        assert (found.reason, found.commands) == (reason, commands)
    assert api.closed == 1


@pytest.mark.parametrize(
    "server",
    [SERVER, f"https://{FQDN}", f"https://{FQDN.upper()}:443/", f"https://{PRIVATE}:443"],
)
def test_the_clusters_own_server_gets_the_token(
    monkeypatch: pytest.MonkeyPatch, tokens: list[str], server: str
) -> None:
    answers(monkeypatch, kubeconfig({"exec": {}}, server))
    assert isinstance(connection.connect(CLUSTER), Api)
    assert tokens == ["entra"]


@pytest.mark.parametrize(
    "token", [7, ["t"], {"t": 1}, True, b"t", "", "a b", "t\r\nHost: evil.example", "t\u00e4", "t" * 20_000]
)
def test_a_token_that_no_header_takes_is_none(monkeypatch: pytest.MonkeyPatch, tokens: list[str], token: Any) -> None:
    answers(monkeypatch, kubeconfig({"token": token}))
    assert isinstance(connection.connect(CLUSTER), Unreachable)
    assert tokens == []


@pytest.mark.parametrize(
    "text",
    [
        "[" * 5_000,
        "a: " * 1000,
        "clusters: 7",
        "clusters: [{cluster: x}]",
        "clusters: [{cluster: {server: s, certificate-authority-data: 7}}]\nusers: [{user: {token: t}}]",
        "? [a, b]\n: c",
        "!!python/object/apply:os.system [id]",
        "a: 0001-01-01 00:00:00 +23:59",
        "a: !!int 0x",
        "a: !!float x",
        "a: !!timestamp x",
        "a: !!binary ä",
        f"a: {'x' * 200_000}",
    ],
)
def test_a_kubeconfig_of_no_shape_is_no_way_in(monkeypatch: pytest.MonkeyPatch, tokens: list[str], text: str) -> None:
    answers(monkeypatch, {"kubeconfigs": [{"value": base64.b64encode(text.encode()).decode()}]})
    assert isinstance(connection.connect(CLUSTER), Unreachable)
    assert tokens == []


@pytest.mark.parametrize("value", [None, 7, ["x"], "no base64 \u00e4", {"x": 1}])
def test_a_kubeconfig_that_is_no_text_is_no_way_in(
    monkeypatch: pytest.MonkeyPatch, tokens: list[str], value: Any
) -> None:
    for body in ({"kubeconfigs": [{"value": value}]}, {"kubeconfigs": [value]}, {"kubeconfigs": value}):
        answers(monkeypatch, body)
        assert isinstance(connection.connect(CLUSTER), Unreachable)
    assert tokens == []


FORGED = [
    "https://evil.example",
    f"http://{FQDN}",
    f"https://{FQDN}:8443",
    f"https://{FQDN}.evil.example",
    f"https://{FQDN}@evil.example",
    f"https://evil.example@{FQDN}",
    f"https://{FQDN}/redirect",
    f"https://{FQDN}?x=y",
    f"https://{FQDN}#x",
    f"https://{FQDN}\\@evil.example",
    "https://another.hcp.westeurope.azmk8s.io",
    "https://169.254.169.254",
    "https://[::1",
    FQDN,
    "",
    None,
    7,
    ["https://evil.example"],
]


@pytest.mark.parametrize("user", [{"exec": {}}, {"token": "static"}])
@pytest.mark.parametrize("server", FORGED)
def test_another_server_gets_no_token_and_a_command_may_help(
    monkeypatch: pytest.MonkeyPatch, tokens: list[str], server: Any, user: dict[str, Any]
) -> None:
    monkeypatch.setattr(connection, "entra_token", lambda: pytest.fail("a token was asked for"))
    answers(monkeypatch, kubeconfig(user, server))
    with opened(lambda: Ways(commands=True)):
        found = connection.connect(CLUSTER)
    assert isinstance(found, Unreachable)
    assert "not the cluster's own" in found.reason
    assert "evil" not in found.reason
    assert (found.commands, tokens) == (True, [])


@pytest.mark.parametrize(
    "properties",
    [{"fqdn": "evil.example"}, {"fqdn": "evil.azmk8s.io.example"}, {"fqdn": "azmk8s.io"}, {"fqdn": 7}, {}],
)
def test_a_name_outside_the_domain_of_aks_is_no_clusters(
    monkeypatch: pytest.MonkeyPatch, tokens: list[str], properties: dict[str, Any]
) -> None:
    answers(monkeypatch, kubeconfig({"exec": {}}, f"https://{properties.get('fqdn', FQDN)}"))
    names(monkeypatch, **properties)
    assert isinstance(connection.connect(CLUSTER), Unreachable)
    assert tokens == []


def test_the_domain_of_aks_is_the_clouds() -> None:
    assert Cloud("https://management.azure.com").kubernetes_domain == "azmk8s.io"
    assert Cloud("https://management.usgovcloudapi.net").kubernetes_domain == "cx.aks.containerservice.azure.us"
    assert Cloud("https://management.chinacloudapi.cn").machine_learning_domain == "ml.azure.cn"


def test_the_proxy_of_the_settings_leads_to_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert connection._proxy_to(SERVER) is None
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert connection._proxy_to(SERVER) == "http://127.0.0.1:9"
    monkeypatch.setenv("NO_PROXY", ".azmk8s.io")
    assert connection._proxy_to(SERVER) is None
