"""Whatever Azure's answers hold in the place of an id, a host or a URL: Moor connects to nobody else, ever."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from activities.access import relay, roles
from activities.checks import preflight
from activities.cluster import look_at_cluster
from activities.compute import attach, resolve
from activities.runtime import dependents, locks
from activities.runtime.step import StepAtWork
from activities.workloads import drain, endpoints, schedules, uses
from domain.arm_ids import CONNECTED_CLUSTER, checked_path
from domain.operation.codec import encode
from domain.operation.outcomes import Outcome
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
    monkeypatch.setattr(locks, "obtain", lambda *_: None)
    monkeypatch.setattr(record_list, "page", lambda *_: Page((), None))
    monkeypatch.setattr(cluster_events, "read", lambda *_: None)
    monkeypatch.setattr(clock, "pause", lambda seconds: None)


def step(name: str, cluster: str, request: dict[str, Any]) -> StepAtWork:
    return at_work(name, cluster_id=cluster, request=request, earlier=_resolved(cluster, request))


def _resolved(cluster: str, request: dict[str, Any]) -> tuple[StepRecord, ...]:
    """What ``resolve`` leaves of the answers as they are at the moment."""
    seen = at_work("resolve", cluster_id=cluster, request=request)
    try:
        left = resolve.resolve(seen)
    except Exception:
        left = None
    value = getattr(left, "value", None) or Resolved(cluster_location="westeurope")
    return (StepRecord("resolve", "do", "Succeeded", value=encode(value)),)


def steps(cluster: str) -> list[Callable[[], object]]:
    """What reads answers, for an attach on a cluster and a detach."""
    attaching = step("x", cluster, ATTACH)
    detaching = step("x", cluster, DETACH)
    works: list[tuple[Callable[[StepAtWork], Outcome | object], StepAtWork]] = [
        (relay.ensure_relay, attaching),
        (roles.look_ahead, attaching),
        (roles.planned_grants, attaching),
        (roles.grant_workspace_roles, attaching),
        (roles.grant_compute_roles, attaching),
        (attach.attach_compute, attaching),
        (preflight.gather, attaching),
        (uses.survey, detaching),
        (schedules.pause_schedules, detaching),
        (drain.cancel_jobs, detaching),
        (endpoints.delete_endpoints, detaching),
        (lambda each: dependents.user_of_cluster(each.operation), detaching),
        (lambda each: connection.connect(each.operation.cluster), attaching),
        (lambda each: look_at_cluster._look(each.operation.cluster, {"now": "", "since": ""}), attaching),
    ]
    return [lambda work=work, given=given: work(given) for work, given in works]  # type: ignore[misc]


def take(cluster: str) -> None:
    for work in steps(cluster):
        with suppress(Exception):  # What an answer without sense comes to is another test's.
            work()


def assert_own(azure: HostileAzure, place: str) -> None:
    assert azure.hosts <= OWN, place
    for url in azure.urls:
        checked_path(urlsplit(url).path.replace("%20", ""))


def test_the_honest_answers_are_read_to_the_end(monkeypatch: pytest.MonkeyPatch, quiet: None) -> None:
    azure = install(HostileAzure(honest()), monkeypatch)
    take(CLUSTER_ID)
    take(ARC_ID)
    read = {urlsplit(url).path.lower() for url in azure.urls}
    assert {*azure.bodies} <= read
    assert MANAGER in azure.hosts


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_in_an_answer_leads_to_another_host(monkeypatch: pytest.MonkeyPatch, quiet: None, text: str) -> None:
    azure = install(HostileAzure(honest()), monkeypatch)
    for place, bodies in forged(honest(), text):
        azure.bodies = bodies
        take(ARC_ID if CONNECTED_CLUSTER.lower() in place else CLUSTER_ID)
        assert_own(azure, place)
        azure.urls.clear()


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
    for number, (name, body) in enumerate(found):
        text = HOSTILE[number % len(HOSTILE)]
        azure.anything = body if "value" in body else {**body, "value": [body]}
        azure.anything = _all_forged(azure.anything, text)
        for cluster in (CLUSTER_ID, ARC_ID):
            take(cluster)
            assert_own(azure, name)
        azure.urls.clear()


def _all_forged(body: Any, text: str) -> Any:
    if isinstance(body, dict):
        return {key: _all_forged(value, text) for key, value in body.items()}
    if isinstance(body, list):
        return [_all_forged(value, text) for value in body]
    return text.replace("{}", body) if isinstance(body, str) and ("/" in body or "." in body) else body
