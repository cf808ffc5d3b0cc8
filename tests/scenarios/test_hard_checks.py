"""MOOR_HARD_CHECKS, on a stack of its own: warnings that stop an attach, and names that there are not."""

from __future__ import annotations

import pytest

from local.stack import Options, running_stack
from tests.scenarios.conftest import BY_HAND, FACTOR, place_in
from tests.scenarios.helpers import changes, ended

pytestmark = pytest.mark.long

SMALL = [{"name": "system", "count": 2, "vmSize": "Standard_D4s_v5", "mode": "System", "osType": "Linux"}]


def test_a_warning_stops_an_attach_where_it_is_hard(tmp_path_factory: pytest.TempPathFactory) -> None:
    options = Options(factor=FACTOR, settings={**BY_HAND, "MOOR_HARD_CHECKS": "purposeCapacity"})
    with running_stack(options, state_dir=tmp_path_factory.mktemp("hard")) as stack:
        place = place_in(stack)
        stack.azure.change(place.cluster_id, {"properties": {"agentPoolProfiles": SMALL}})
        failed = ended(stack, stack.app.start("attach", place.attach_body())["id"])
        assert failed["error"]["code"] == "PreflightFailed"
        assert "12 vCPU" in failed["error"]["message"]
        assert changes(stack, place.cluster_id) == []
        planned = stack.app.call("POST", "/attach?plan=true", place.attach_body(clusterPurpose="devTest")).body
        assert ended(stack, planned["id"])["result"]["verdict"] == "ok"


def test_a_check_that_there_is_not_stops_every_attach(tmp_path_factory: pytest.TempPathFactory) -> None:
    options = Options(factor=FACTOR, settings={**BY_HAND, "MOOR_HARD_CHECKS": "purposeCapacities"})
    with running_stack(options, state_dir=tmp_path_factory.mktemp("wrong")) as stack:
        place = place_in(stack)
        failed = ended(stack, stack.app.start("attach", place.attach_body())["id"])
        assert failed["error"]["code"] == "SettingInvalid"
        assert "MOOR_HARD_CHECKS: 'purposeCapacities'" in failed["error"]["message"]
        assert "did you mean purposeCapacity?" in failed["error"]["message"]
