"""The whole report as tests: nothing may differ from what was recorded."""

import warnings

import pytest

from packages.functions_host.tests.conformance.checks import Check
from packages.functions_host.tests.conformance.durable.recordings import SCENARIOS
from packages.functions_host.tests.conformance.report import all_checks


@pytest.mark.parametrize("check", all_checks(), ids=lambda check: f"{check.file}:{check.aspect}")
async def test_agrees_with_the_recording(check: Check) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tally = await check.run()
    assert not tally.differing, "\n".join(tally.differing[:5])
    assert tally.agreeing or tally.left_out


def test_every_durable_recording_is_checked_by_the_sdk_and_the_engine() -> None:
    aspects = {(check.file, check.aspect) for check in all_checks()}
    for file in SCENARIOS:
        assert {(file, "sdk"), (file, "engine"), (file, "live")} <= aspects
    assert {("http.jsonl", "requests"), ("client.jsonl", "requests")} <= aspects
