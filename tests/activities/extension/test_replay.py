"""An attachment as the request that makes it again, and what none makes; more in compute/test_snapshot.py."""

from __future__ import annotations

from typing import Any

import pytest

from activities.extension.replay import lost_with_it, request_again
from domain.arm_ids import EXTENSION
from gateways.azure.arm import ArmError
from gateways.storage import record_list
from gateways.storage.record_list import Page
from tests.activities.making import FakeArm, at_work
from tests.making import CLUSTER_ID, WORKSPACE_ID

TARGET = f"{WORKSPACE_ID}/computes/gpu"
PLACE = f"{CLUSTER_ID}/providers/{EXTENSION}"


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> FakeArm:
    monkeypatch.setattr(record_list, "page", lambda *_: Page((), None))
    properties: dict[str, Any] = {
        "computeType": "Kubernetes",
        "resourceId": CLUSTER_ID,
        "properties": {"namespace": "ml"},
    }
    return FakeArm({TARGET: {"id": TARGET, "properties": properties}}).install(monkeypatch)


def test_of_what_is_gone_nothing_is_lost(azure: FakeArm) -> None:
    del azure.bodies[TARGET]
    assert request_again(at_work("preflight")) is None
    assert lost_with_it(at_work("preflight")) == ()


def test_what_a_request_makes_again_is_not_lost(azure: FakeArm) -> None:
    found = request_again(at_work("preflight"))
    assert found is not None
    assert found.request is not None
    assert (found.request["namespace"], found.lost, found.aside) == ("ml", (), ())


def test_an_extension_that_cannot_be_read_is_asked_for_again_and_then_left_aside(azure: FakeArm) -> None:
    azure.lists[PLACE] = 500
    with pytest.raises(ArmError):
        lost_with_it(at_work("preflight", 1))
    assert lost_with_it(at_work("preflight", 4)) == ()
