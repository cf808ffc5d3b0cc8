"""Token buckets by principal, subscription and kind of operation."""

from __future__ import annotations

from typing import Any

import pytest

from packages.simulated_azure.arm.errors import ArmError
from packages.simulated_azure.arm.throttling import Throttle
from packages.simulated_azure.control.client import SimulatedAzure
from packages.simulated_azure.settings import DEFAULTS
from packages.simulated_azure.tests.world import (
    CLUSTER,
    OWNER_OBJECT,
    READER,
    SUBSCRIPTION,
)

RULES: dict[str, Any] = DEFAULTS["throttling"]


def drain(throttle: Throttle, method: str, now: float, principal: str = "p", subscription: str = "s") -> int:
    taken = 0
    while True:
        try:
            throttle.take(RULES, method, principal, subscription, now)
        except ArmError:
            return taken
        taken += 1


def test_sizes_and_refill_of_arm() -> None:
    throttle = Throttle()
    assert drain(throttle, "GET", 0) == 250
    assert drain(throttle, "PUT", 0) == 200
    assert drain(throttle, "POST", 0) == 0
    assert drain(throttle, "DELETE", 0) == 200
    assert drain(throttle, "GET", 2) == 50
    assert drain(throttle, "PATCH", 2) == 20
    assert drain(throttle, "GET", 1000) == 250


def test_buckets_are_separate() -> None:
    throttle = Throttle()
    drain(throttle, "GET", 0)
    assert drain(throttle, "GET", 0, principal="other") == 250
    assert drain(throttle, "GET", 0, subscription="other") == 250


def test_remaining_counts_down() -> None:
    throttle = Throttle()
    header = "x-ms-ratelimit-remaining-subscription-reads"
    assert throttle.take(RULES, "GET", "p", "s", 0) == {header: "249"}
    assert throttle.take(RULES, "HEAD", "p", "s", 0) == {header: "248"}


@pytest.mark.parametrize(("rate", "wait"), [(10, "1"), (0.1, "10"), (0.3, "4")])
def test_retry_after_is_when_the_next_token_comes(rate: float, wait: str) -> None:
    rules = {**RULES, "writes": {"size": 1, "perSecond": rate}}
    throttle = Throttle()
    throttle.take(rules, "PUT", "p", "s", 0)
    with pytest.raises(ArmError) as caught:
        throttle.take(rules, "PUT", "p", "s", 0)
    assert caught.value.headers["Retry-After"] == wait
    assert caught.value.status == 429
    throttle.take(rules, "PUT", "p", "s", float(wait))


def test_answer(azure: SimulatedAzure) -> None:
    azure.settings(throttling={"reads": {"size": 2, "perSecond": 1e-7}})
    assert [azure.arm("GET", CLUSTER, client_id=READER).status for _ in range(3)] == [200, 200, 429]
    answer = azure.arm("GET", CLUSTER)
    while answer.status == 200:
        answer = azure.arm("GET", CLUSTER)
    assert answer.body["error"]["code"] == "SubscriptionRequestsThrottled"
    assert answer.body["error"]["message"].startswith(
        f"Number of 'read' requests for subscription '{SUBSCRIPTION}' actor '{OWNER_OBJECT}' exceeded. "
    )
    assert int(answer.headers["Retry-After"]) > 0
    assert azure.arm("PATCH", CLUSTER, {"tags": {}}).status == 200


def test_off_by_setting(azure: SimulatedAzure) -> None:
    azure.settings(throttling={"enabled": False, "reads": {"size": 1, "perSecond": 1e-7}})
    assert {azure.arm("GET", CLUSTER).status for _ in range(5)} == {200}
