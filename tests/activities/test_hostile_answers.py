"""Whatever Azure's answers hold in the place of an id, a host or a URL: Moor connects to nobody else, ever."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from activities.access import relay, roles
from activities.checks import preflight
from activities.cluster import look_at_cluster
from activities.compute import attach, resolve
from activities.runtime import dependents, locks
from activities.runtime.step import StepAtWork
from activities.workloads import drain, endpoints, schedules, uses
from domain.arm_ids import checked_path
from domain.operation.codec import encode
from domain.operation.record import StepRecord
from domain.operation.results import Resolved
from gateways import clock
from gateways.azure import long_running
from gateways.kubernetes import connection
from gateways.storage import cluster_events, record_list
from gateways.storage.record_list import Page
from tests.activities.hostile_azure import (
    ARC_ID,
    EVIL,
    FQDN,
    HOSTILE,
    MANAGER,
    HostileAzure,
    forged,
    honest,
    install,
)
from tests.activities.making import at_work
from tests.making import CLUSTER_ID, WORKSPACE_ID

# Where the app may connect to: Azure Resource Manager, the API of the cluster itself.
OWN = {MANAGER, FQDN}
ATTACH = {"namespace": "ml", "grantRoles": True, "extension": {}, "identity": {"type": "SystemAssigned"}}
DETACH = {"workloads": {"policy": "cancel", "endpoints": "delete"}}


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    monkeypatch.setattr(StepAtWork, "intend", lambda *_: None)
    for name in ("obtain", "reserve", "changing"):
        monkeypatch.setattr(locks, name, lambda *_: None)
    monkeypatch.setattr(record_list, "page", lambda *_: Page((), None))
    monkeypatch.setattr(cluster_events, "read", lambda *_: None)
    monkeypatch.setattr(clock, "pause", lambda seconds: None)


def step(name: str, cluster: str, request: dict[str, Any]) -> StepAtWork:
    return at_work(name, cluster_id=cluster, request=request, earlier=_resolved(cluster, request))


def _resolved(cluster: str, request: dict[str, Any]) -> tuple[StepRecord, ...]:
    """What ``resolve`` leaves of the answers as they are at the moment."""
    left = None
    with suppress(Exception):
        left = resolve.resolve(at_work("resolve", cluster_id=cluster, request=request))
    value = getattr(left, "value", None) or Resolved(cluster_location="westeurope")
    return (StepRecord("resolve", "do", "Succeeded", value=encode(value)),)


# What reads answers, for an attach on a cluster and a detach.
ATTACHING: tuple[Callable[[StepAtWork], object], ...] = (
    relay.ensure_relay,
    roles.planned_grants,
    roles.grant_workspace_roles,
    roles.grant_compute_roles,
    attach.attach_compute,
    preflight.gather,
    lambda each: connection.connect(each.operation.cluster),
    lambda each: look_at_cluster._look(each.operation.cluster, {"now": "", "since": ""}),
)
DETACHING: tuple[Callable[[StepAtWork], object], ...] = (
    uses.survey,
    schedules.pause_schedules,
    drain.cancel_jobs,
    endpoints.delete_endpoints,
    lambda each: dependents.user_of_cluster(each.operation),
)
Work = tuple[Callable[[StepAtWork], object], dict[str, Any], str]
WORKS: list[Work] = [
    *((work, ATTACH, cluster) for work in ATTACHING for cluster in (CLUSTER_ID, ARC_ID)),
    *((work, DETACH, CLUSTER_ID) for work in DETACHING),
]


def take(works: Iterable[Work], azure: HostileAzure) -> list[set[str]]:
    """Do the works with what ``resolve`` makes of the answers; the paths that each of them read, and resolve before."""
    read = []
    steps: dict[tuple[int, str], StepAtWork] = {}
    resolving: dict[tuple[int, str], set[str]] = {}
    for work, request, cluster in works:
        key = (id(request), cluster)
        if key not in steps:
            azure.urls.clear()
            steps[key] = step("x", cluster, request)
            resolving[key] = azure.paths
        azure.urls.clear()
        with suppress(Exception):  # What an answer without sense comes to is another test's.
            work(steps[key])
        read.append(azure.paths | resolving[key])
    return read


def assert_own(azure: HostileAzure, place: str) -> None:
    assert azure.hosts <= OWN, place
    for path in azure.all_paths:
        checked_path(path)
    azure.all_paths.clear()


def test_the_honest_answers_are_read_to_the_end(monkeypatch: pytest.MonkeyPatch, quiet: None) -> None:
    azure = install(HostileAzure(honest()), monkeypatch)
    read = {path for paths in take(WORKS, azure) for path in paths}
    assert {*azure.bodies} - read == set()
    assert azure.hosts == {MANAGER}


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_no_text_in_an_answer_leads_to_another_host(monkeypatch: pytest.MonkeyPatch, quiet: None, number: int) -> None:
    """Each place of each answer is forged with every third of the texts, and each text stands in a third of the places.

    Only what reads the answer is done.
    """
    azure = install(HostileAzure(honest()), monkeypatch)
    readers = list(zip(WORKS, take(WORKS, azure), strict=True))
    tried = 0
    for position, (path, place, bodies) in enumerate(forged(honest(), HOSTILE[number])):
        if (position + number) % 3:
            continue
        azure.bodies = bodies
        take([work for work, read in readers if path in read], azure)
        assert_own(azure, f"{path} {place}")
        tried += 1
    assert tried > 25


@pytest.mark.parametrize("text", HOSTILE)
def test_no_operation_url_leads_to_another_host(monkeypatch: pytest.MonkeyPatch, quiet: None, text: str) -> None:
    honest_url = f"https://{MANAGER}{WORKSPACE_ID}/computeOperationsStatus/x"
    azure = install(HostileAzure({}, operation_url=text.replace("{}", honest_url)), monkeypatch)
    outcome = attach.attach_compute(step("attach_compute", CLUSTER_ID, ATTACH))
    long_running.poll(getattr(outcome, "operation_url", None))
    long_running.poll(text.replace("{}", honest_url))
    assert_own(azure, text)


def test_a_plan_on_an_arc_cluster_with_a_forged_relay_sends_the_token_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, quiet: None
) -> None:
    """The attack as it was seen."""
    bodies = honest()
    (extensions,) = (body for path, body in bodies.items() if path.startswith(ARC_ID.lower()) and "extensions" in path)
    settings = extensions["value"][0]["properties"]["configurationSettings"]
    settings["relayserver.hybridConnectionResourceID"] = f"@{EVIL}/namespaces/x/hybridConnections/y"
    azure = install(HostileAzure(bodies), monkeypatch)
    facts = preflight.gather(step("preflight", ARC_ID, ATTACH)).facts
    assert azure.hosts == {MANAGER}
    assert "RelayNotOwn" in str(facts.extension)


# Each is an answer to everything that Moor reads.
_MOST_EXAMPLES = 40


def examples() -> Iterator[tuple[str, Any]]:
    """The bodies of the official examples, where they are at hand (SIMULATED_AZURE_EXAMPLES)."""
    folder = Path(os.environ.get("SIMULATED_AZURE_EXAMPLES") or Path(__file__).parents[3] / "shared" / "azure-examples")
    for path in sorted(folder.rglob("*.json")) if folder.is_dir() else []:
        responses = json.loads(path.read_text("utf-8")).get("responses")
        for status, answer in (responses or {}).items():
            if isinstance(answer, dict) and isinstance(answer.get("body"), dict):
                yield f"{path.parent.name}/{path.stem} {status}", answer["body"]


def test_no_text_in_an_official_example_leads_to_another_host(monkeypatch: pytest.MonkeyPatch, quiet: None) -> None:
    """Each example is the answer to everything, with all of its texts forged at once."""
    found = list(examples())
    if not found:
        pytest.skip("no Azure examples (set SIMULATED_AZURE_EXAMPLES)")
    azure = install(HostileAzure({}), monkeypatch)
    for number, (name, body) in enumerate(found[:: max(1, len(found) // _MOST_EXAMPLES)]):
        text = HOSTILE[number % len(HOSTILE)]
        # Without a next page: each would be the same page again.
        page = {**(body if "value" in body else {**body, "value": [body]}), "nextLink": None}
        azure.anything = _all_forged(page, text)
        take(WORKS, azure)
        assert_own(azure, name)


def _all_forged(body: Any, text: str) -> Any:
    if isinstance(body, dict):
        return {key: _all_forged(value, text) for key, value in body.items()}
    if isinstance(body, list):
        return [_all_forged(value, text) for value in body]
    return text.replace("{}", body) if isinstance(body, str) and ("/" in body or "." in body) else body
