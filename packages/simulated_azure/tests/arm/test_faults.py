"""Planted faults and the call hook: before or after the work was done, by route and by number."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from http.client import HTTPSConnection, RemoteDisconnected
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from packages.simulated_azure.control.client import ControlError, SimulatedAzure
from packages.simulated_azure.tests.conftest import FACTOR, REPOSITORY
from packages.simulated_azure.tests.webhook import Answer, Received, Webhook
from packages.simulated_azure.tests.world import (
    ARC,
    CLUSTER,
    EXTENSION,
    extension_body,
    finished,
    seed,
)

CUT = (ConnectionError, RemoteDisconnected, urllib.error.URLError, ssl.SSLError)


def test_status_before_the_work(azure: SimulatedAzure) -> None:
    azure.add_fault(method="PUT", path="/extensions/", status=503)
    answer = azure.arm("PUT", EXTENSION, extension_body())
    assert (answer.status, answer.body["error"]["code"]) == (503, "ServerTimeout")
    assert azure.operations() == []
    assert azure.arm("PUT", EXTENSION, extension_body()).status == 201


def test_status_after_the_work(azure: SimulatedAzure) -> None:
    azure.add_fault(method="PUT", path="/extensions/", when="after", status=500, body="<html>oops</html>")
    path = EXTENSION
    token = azure.token()
    assert token
    with pytest.raises(json.JSONDecodeError):
        azure.arm("PUT", path, extension_body())
    assert [item["kind"] for item in azure.operations()] == ["extension.create"]
    (entry,) = azure.requests(method="PUT")
    assert (entry["status"], entry["workStatus"], entry["fault"]["when"]) == (500, 201, "after")


@pytest.mark.parametrize(("when", "started"), [("before", 0), ("after", 1)])
def test_reset(azure: SimulatedAzure, when: str, started: int) -> None:
    azure.add_fault(method="PUT", path="/extensions/", when=when, action="reset")
    with pytest.raises(CUT):
        azure.arm("PUT", EXTENSION, extension_body())
    assert len(azure.operations()) == started
    (entry,) = azure.requests(method="PUT")
    assert (entry["status"], entry["fault"]["action"]) == (None, "reset")


def test_throttled_with_seconds_and_with_a_date(azure: SimulatedAzure) -> None:
    azure.add_fault(method="GET", path="managedClusters/aks-one", status=429, headers={"Retry-After": "17"})
    answer = azure.arm("GET", CLUSTER)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "17")
    azure.clear_faults()
    azure.add_fault(method="GET", path="managedClusters/aks-one", status=429, retryAfterDate=1e6)
    now = azure.clock()["timestamp"]
    told = parsedate_to_datetime(azure.arm("GET", CLUSTER).headers["Retry-After"]).timestamp()
    # The date is on the simulated clock, which ran on between the two calls.
    assert now + 1e6 - 1 <= told <= azure.clock()["timestamp"] + 1e6


def test_nth_and_every(azure: SimulatedAzure) -> None:
    azure.add_fault(method="GET", path="managedClusters/aks-one", nth=[2, 4], status=500)
    assert [azure.arm("GET", CLUSTER).status for _ in range(5)] == [200, 500, 200, 500, 200]
    azure.clear_faults()
    azure.add_fault(method="*", path="connectedClusters", every=True, status=502)
    assert {azure.arm("GET", ARC).status for _ in range(3)} == {502}
    assert azure.arm("GET", CLUSTER).status == 200
    (fault,) = azure.faults()
    assert (fault["seen"], fault["hits"]) == (3, 3)


def test_page_of_a_list_is_named_by_its_query(azure: SimulatedAzure) -> None:
    azure.settings(pageSizes={"clusters": 1})
    azure.seed({"clusters": [{"id": CLUSTER + "-two"}]})
    azure.add_fault(method="GET", path=r"managedClusters\?.*\$skip=1", status=500)
    first = azure.arm("GET", CLUSTER.rsplit("/", 1)[0])
    assert first.status == 200
    assert azure.arm("GET", first.body["nextLink"]).status == 500


def test_delay(azure: SimulatedAzure) -> None:
    azure.add_fault(method="GET", path="aks-one", action="delay", delaySeconds=0.5 * FACTOR)
    began = time.monotonic()
    assert azure.arm("GET", CLUSTER).status == 200
    assert time.monotonic() - began >= 0.5


def test_identity_can_fail(azure: SimulatedAzure) -> None:
    azure.add_fault(kind="identity", status=500, every=True)
    with pytest.raises(urllib.error.HTTPError):
        azure.token()
    azure.clear_faults()
    assert azure.token()


def test_bad_faults_are_refused(azure: SimulatedAzure) -> None:
    with pytest.raises(ControlError, match="unknown fields"):
        azure.add_fault(metod="GET")
    with pytest.raises(ControlError, match="when is"):
        azure.add_fault(when="later")
    with pytest.raises(ControlError, match="error"):
        azure.add_fault(path="(")


@pytest.fixture
def hook() -> Iterator[Webhook]:
    made = Webhook(lambda got: Answer(200, json.dumps({"action": "pass"})))
    yield made
    made.close()


@pytest.fixture
def hooked(tmp_path: Path, hook: Webhook) -> Iterator[SimulatedAzure]:
    azure = SimulatedAzure.start(tmp_path, clock_factor=FACTOR, cwd=REPOSITORY, arguments=("--call-hook", hook.url))
    azure.seed(seed())
    yield azure
    azure.stop()


def test_call_hook(hooked: SimulatedAzure, hook: Webhook) -> None:
    assert hooked.arm("GET", CLUSTER).status == 200
    asked = [item.body for item in hook.received]
    assert asked == [
        {"phase": "before", "kind": "identity", "method": "GET", "path": "/msi/token"},
        {"phase": "after", "kind": "identity", "method": "GET", "path": "/msi/token", "status": 200},
        {"phase": "before", "kind": "arm", "method": "GET", "path": CLUSTER},
        {"phase": "after", "kind": "arm", "method": "GET", "path": CLUSTER, "status": 200},
    ]

    def on(phase: str, action: dict[str, object]) -> None:
        def decide(got: Received) -> Answer:
            return Answer(200, json.dumps(action if got.body["phase"] == phase else {"action": "pass"}))

        hook.decide = decide

    on("before", {"action": "status", "status": 503})
    assert hooked.arm("PUT", EXTENSION, extension_body()).status == 503
    on("before", {"action": "error"})
    with pytest.raises(CUT):
        hooked.arm("PUT", EXTENSION, extension_body())
    assert hooked.operations() == []
    on("after", {"action": "error"})
    with pytest.raises(CUT):
        hooked.arm("PUT", EXTENSION, extension_body())
    assert len(hooked.operations()) == 1
    hook.decide = lambda got: Answer(200, json.dumps({"action": "pass"}))
    finished(hooked, hooked.arm("PATCH", CLUSTER, {"tags": {}}))


def test_an_answer_may_mean_harm(azure: SimulatedAzure) -> None:
    azure.add_fault(method="GET", path="/extensions", action="huge", nth=1)
    azure.add_fault(method="GET", path="/extensions", action="loop", nth=2)
    huge = azure.arm("GET", EXTENSION.rsplit("/", 1)[0])
    assert huge.headers["Content-Length"] == str(20 * 1024 * 1024)
    page = azure.arm("GET", EXTENSION.rsplit("/", 1)[0]).body
    assert (page["value"], page["items"], page["metadata"]) == ([], [], {"continue": "again"})
    assert page["nextLink"].endswith(azure.requests(method="GET")[-1]["path"] + "?api-version=2025-03-01")
    with pytest.raises(ControlError, match="drip"):
        azure.add_fault(action="poison")


@pytest.mark.parametrize("action", ["drip", "endless"])
def test_an_answer_without_an_end_ends_with_whoever_asked(azure: SimulatedAzure, action: str) -> None:
    azure.add_fault(method="GET", path="/extensions", action=action)
    place, context = urlsplit(azure.base_url), ssl.create_default_context(cafile=azure.about["authority"])
    connection = HTTPSConnection(str(place.hostname), place.port, context=context, timeout=5)
    connection.request("GET", f"{EXTENSION}?api-version=2025-03-01")
    answer = connection.getresponse()
    assert answer.read1(1) == b" "
    connection.close()
    assert azure.arm("GET", CLUSTER).status == 200
