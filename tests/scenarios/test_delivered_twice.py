"""An engine that delivers every activity message twice: each effect happens once all the same."""

from __future__ import annotations

from pathlib import Path

from local.stack import Options, running_stack
from local.stack import world as worlds
from tests.scenarios.conftest import FACTOR
from tests.scenarios.helpers import Place, assert_journal_whole, attached, changes, succeeded


def test_attach_and_detach(tmp_path: Path) -> None:
    options = Options(factor=FACTOR, world=worlds.world_of("aks-twice"), duplicate_activities=1.0, seed=7)
    place = Place(worlds.WORKSPACE, worlds.cluster_id("aks-twice"), "twice")
    with running_stack(options, state_dir=tmp_path) as stack:
        for operation in (
            attached(stack, place),
            succeeded(stack, stack.app.start("detach", place.detach_body())["id"]),
        ):
            assert_journal_whole(operation, stack.app.journal(operation["id"]))
        assert changes(stack, place.compute_id) == [("PUT", 201), ("DELETE", 202)]
        assert changes(stack, place.cluster_id) == [("PUT", 201)]
