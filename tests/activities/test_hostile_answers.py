"""Whatever Azure's answers, and callers, hold in the place of an id, a host or a URL: Moor connects to nobody else.

A sample; ``python -m tests.hostile`` tries everything and prints the figures.
"""

from __future__ import annotations

import logging

import pytest

from activities.checks import preflight
from activities.compute import attach
from domain.arm_ids import checked_path
from gateways.azure import long_running
from tests.activities.hostile_azure import ARC_ID, EVIL, HOSTILE, MANAGER, HostileAzure, forged, honest, install
from tests.hostile.answers import (
    ATTACH,
    OWN,
    WORKS,
    examples,
    quieten,
    step,
    take,
    try_answers,
    try_examples,
    try_types,
)
from tests.hostile.inputs import try_inputs
from tests.hostile.tally import Tally
from tests.making import CLUSTER_ID, WORKSPACE_ID


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    quieten(monkeypatch)


def assert_own(azure: HostileAzure, place: str) -> None:
    assert azure.hosts <= OWN, place
    for path in azure.all_paths:
        checked_path(path)
    azure.all_paths.clear()


def assert_harmless(tally: Tally) -> None:
    print(tally)
    assert (tally.foreign, dict(tally.odd)) == (set(), {})


def test_the_honest_answers_are_read_to_the_end(monkeypatch: pytest.MonkeyPatch, quiet: None) -> None:
    azure = install(HostileAzure(honest()), monkeypatch)
    read = {path for paths in take(WORKS, azure) for path in paths}
    assert {*azure.bodies} - read == set()
    assert azure.hosts == {MANAGER}


# Of all that ``python -m tests.hostile`` tries: some seconds.
_SHARE, _SHARE_OF_EXAMPLES, _SEED = 0.08, 0.01, 20261130


def test_no_text_in_an_answer_leads_to_another_host(caplog: pytest.LogCaptureFixture) -> None:
    """Only what reads the answer is done."""
    caplog.set_level(logging.CRITICAL)
    tally = Tally()
    try_answers(tally, _SHARE, _SEED)
    assert_harmless(tally)
    assert len(tally.texts) == len(HOSTILE)
    assert len(tally.places) > 70


def test_a_value_of_another_type_is_refused_in_words(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    tally = Tally()
    try_types(tally, _SHARE, _SEED)
    assert_harmless(tally)
    assert tally.inputs > 150


def test_no_text_in_an_official_example_leads_to_another_host(caplog: pytest.LogCaptureFixture) -> None:
    """Each example is the answer to everything."""
    if not list(examples()):
        pytest.skip("no Azure examples (set SIMULATED_AZURE_EXAMPLES)")
    caplog.set_level(logging.CRITICAL)
    tally = Tally()
    try_examples(tally, _SHARE_OF_EXAMPLES, _SEED)
    assert_harmless(tally)
    assert tally.inputs > 30


def test_no_text_of_a_caller_a_tag_an_event_a_record_or_a_kubeconfig_leads_to_another_host(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)
    tally = Tally()
    try_inputs(tally)
    assert_harmless(tally)
    assert len(tally.texts) == len(HOSTILE)
    assert tally.inputs > 500


def test_the_apps_own_pipelines_connect_to_nobody_else(monkeypatch: pytest.MonkeyPatch, quiet: None) -> None:
    """Some of the same with sessions, threads and all; elsewhere a thin client stands in for them."""
    azure = install(HostileAzure(honest()), monkeypatch)
    for number, (path, place, bodies) in enumerate(forged(honest(), HOSTILE[6])):
        if number % 12 == 0:
            azure.bodies = bodies
            take(WORKS[:12:3], azure)
            assert_own(azure, f"{path} {place}")


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
