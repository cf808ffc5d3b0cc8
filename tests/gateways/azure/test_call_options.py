"""Every option that the gateways give to an SDK takes effect: time limits, retries, and not a word in the log.

Each client talks to a real server over TLS, which never answers or is always busy.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from domain.arm_ids import ArmPath
from gateways.azure import arm, event_topic, identity, key_vault, machine_learning
from gateways.kubernetes import connection
from gateways.kubernetes.api import Api, KubernetesError
from gateways.storage import tables
from tests.gateways.azure.slow_azure import SlowAzure
from tests.making import WORKSPACE_ID

ROW = {"PartitionKey": "a", "RowKey": "b"}
# What is called, its limits in seconds (to connect, to answer), and how often it asks a server that is busy.
CALLS: dict[str, tuple[Callable[[str], object], tuple[float, float], int]] = {
    "arm": (lambda url: arm.get(ArmPath("/subscriptions/s"), "2020-01-01"), (10, 30), 1),
    "topic": (lambda url: event_topic.send(f"{url}/api/events", "1", "Moor.X", "operations/1", {}), (5, 15), 1),
    "vault": (lambda url: key_vault._client(url).get_secret("s"), (10, 30), 1),
    "new table": (lambda url: tables.table("x"), (5, 15), 1),
    "query": (lambda url: list(tables._service().get_table_client("x").query_entities("RowKey eq 'a'")), (5, 15), 1),
    "transaction": (
        lambda url: tables._service().get_table_client("x").submit_transaction([("create", ROW)]),
        (5, 15),
        1,
    ),
    "token": (lambda url: identity.credential().get_token("https://vault.azure.net/.default"), (5, 15), 2),
    "compute": (lambda url: machine_learning.compute_state(WORKSPACE_ID, "gpu"), (10, 30), 1),
    "job": (lambda url: machine_learning.submit_command(WORKSPACE_ID, "j", "gpu", "ls", "image:1"), (10, 90), 1),
    "job's error": (lambda url: machine_learning.job_error(WORKSPACE_ID, "j"), (10, 30), 1),
}


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


def test_a_cluster_that_never_answers_is_given_up(azure: SlowAzure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_READ_SECONDS", 0.3)
    monkeypatch.setenv("NO_PROXY", "localhost")
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
