"""Every option that the gateways give to an SDK takes effect: time limits, retries, and not a word in the log.

Each client talks to a real server over TLS, which never answers or is always busy.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.core.exceptions import HttpResponseError

from gateways.azure import (
    arm,
    event_topic,
    identity,
    key_vault,
)
from gateways.azure import (
    machine_learning as ml_client,
)
from gateways.kubernetes import connection
from gateways.kubernetes.api import Api, KubernetesError
from gateways.storage import tables
from tests.conftest import forget_clients
from tests.gateways.azure.slow_azure import METADATA_PATH, SlowAzure, slow_azure
from tests.making import WORKSPACE_ID

ROW = {"PartitionKey": "a", "RowKey": "b"}
# What is called, its limits in seconds (to connect, to answer), and how often it asks a server that is busy.
CALLS: dict[str, tuple[Callable[[str], object], tuple[float, float], int]] = {
    "arm": (lambda url: arm.get("/subscriptions/s", "2020-01-01"), (10, 45), 1),
    "topic": (lambda url: event_topic.send(f"{url}/api/events", "1", "Moor.X", "operations/1", {}), (5, 15), 1),
    "vault": (lambda url: key_vault._client(url).get_secret("s"), (10, 30), 2),
    "new table": (lambda url: tables.table("x"), (5, 15), 1),
    "query": (lambda url: list(tables._service().get_table_client("x").query_entities("RowKey eq 'a'")), (5, 15), 1),
    "transaction": (
        lambda url: tables._service().get_table_client("x").submit_transaction([("create", ROW)]),
        (5, 15),
        1,
    ),
    "token": (lambda url: identity.credential().get_token("https://vault.azure.net/.default"), (5, 15), 2),
    "compute": (lambda url: ml_client.compute_state(WORKSPACE_ID, "gpu"), (10, 45), 1),
    "job": (lambda url: ml_client.submit_command(WORKSPACE_ID, "j", "gpu", "ls", "image:1"), (10, 45), 1),
    "job's error": (lambda url: ml_client.job_error(WORKSPACE_ID, "j"), (10, 45), 1),
}


class Token:
    """A credential whose tokens nobody checks."""

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken("token", int(time.time()) + 3600)

    def get_token_info(self, *scopes: str, **options: Any) -> AccessTokenInfo:
        return AccessTokenInfo("token", int(time.time()) + 3600)


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowAzure]:
    """The server, and the gateways set up to take it for Azure."""
    with slow_azure(tmp_path, monkeypatch) as server:
        for name in [name for name in os.environ if name.startswith(("AzureWebJobsStorage", "AZURE_"))]:
            monkeypatch.delenv(name)
        account = f"AccountName=a;AccountKey=aaaa;TableEndpoint={server.url}/a;"
        monkeypatch.setenv("AzureWebJobsStorage", f"DefaultEndpointsProtocol=https;{account}")
        monkeypatch.setenv("ARM_CLOUD_METADATA_URL", server.url + METADATA_PATH)
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "h")
        for module in (arm, event_topic, key_vault, ml_client):
            monkeypatch.setattr(module, "credential", Token)
        forget()
        yield server
    forget()


def forget() -> None:
    """Let every gateway make its client anew."""
    for cached in (arm._client, event_topic._client, key_vault._client, identity.credential, identity.cloud):
        cached.cache_clear()
    forget_clients()


@pytest.mark.parametrize("name", CALLS)
def test_who_never_answers_is_given_up(azure: SlowAzure, name: str, caplog: pytest.LogCaptureFixture) -> None:
    call, limits, times = CALLS[name]
    with pytest.raises(Exception, match=r"timed out|failed to retrieve a token"):
        call(azure.url)
    assert azure.limits == {limits}
    assert len(azure.asked) == times
    assert_nothing_ignored(caplog)


@pytest.mark.parametrize("status", [503, 429])
@pytest.mark.parametrize("name", CALLS)
def test_who_is_busy_is_asked_no_more_often_than_we_say(
    azure: SlowAzure, name: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    call, _, times = CALLS[name]
    azure.status = status
    with pytest.raises(Exception, match=r"not now|failed to retrieve a token"):
        call(azure.url)
    assert len(azure.asked) == times
    assert_nothing_ignored(caplog)


def assert_nothing_ignored(caplog: pytest.LogCaptureFixture) -> None:
    """An SDK that does not know an option says so at best as a warning."""
    said = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert [text for text in said if "attribute" in text or "ignored" in text or "nexpected" in text] == []


def test_a_topic_is_given_one_cloud_event_and_nothing_is_logged(
    azure: SlowAzure, caplog: pytest.LogCaptureFixture
) -> None:
    azure.status = 200
    caplog.set_level(logging.INFO)
    event_topic.send(f"{azure.url}/api/events", "op-1-started", "Moor.OperationStarted", "operations/op", {"a": "ä"})
    (body,) = azure.bodies
    (event,) = json.loads(body)
    assert event.pop("time").endswith("Z")
    assert event == {
        "specversion": "1.0",
        "id": "op-1-started",
        "source": "moor",
        "type": "Moor.OperationStarted",
        "subject": "operations/op",
        "data": {"a": "ä"},
    }
    (headers,) = azure.headers
    assert headers["Authorization"] == "Bearer token"
    assert headers["Content-Type"].startswith("application/cloudevents-batch+json")
    assert caplog.records == []


def test_what_a_topic_refuses_is_an_error(azure: SlowAzure) -> None:
    azure.status = 400
    with pytest.raises(HttpResponseError, match="not now"):
        event_topic.send(f"{azure.url}/api/events", "1", "Moor.X", "operations/1", {})


def test_a_cluster_that_never_answers_is_given_up(azure: SlowAzure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_READ_SECONDS", 0.3)
    # The way to a cluster is the kubeconfig's, whatever proxy the rest of the app goes through (trust_env).
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    cluster = {"server": azure.url, "certificate-authority": str(azure.tls.ca)}
    config = {
        "current-context": "moor",
        "clusters": [{"name": "moor", "cluster": cluster}],
        "users": [{"name": "moor", "user": {"token": "t"}}],
        "contexts": [{"name": "moor", "context": {"cluster": "moor", "user": "moor"}}],
    }
    api = Api(connection._client(config))
    with pytest.raises(KubernetesError, match="ReadTimeout"):
        api.namespace("default")
    assert azure.asked == ["GET /api/v1/namespaces/default"]
    api.close()


def test_the_cloud_is_asked_within_ten_seconds(azure: SlowAzure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARM_CLOUD_METADATA_URL", f"{azure.url}/another?{azure.url}")
    with pytest.raises(Exception, match="timed out"):
        identity.cloud()
    assert azure.limits == {(10, 10)}
