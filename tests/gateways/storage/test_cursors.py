from __future__ import annotations

from gateways.storage import cursors
from tests.conftest import Tables


def test_the_next_run_begins_with_what_the_last_one_left(tables: Tables) -> None:
    assert cursors.read("watch") == ""
    cursors.write("watch", "status;Running;1;op")
    cursors.write("other", "x")
    assert cursors.read("watch") == "status;Running;1;op"
    cursors.write("watch", "")
    assert cursors.read("watch") == ""


def test_a_position_is_kept_whatever_its_length(tables: Tables) -> None:
    position = '{"link":"https://x/' + "y" * 40_000 + '"}'
    cursors.write("list", position)
    assert cursors.read("list") == position
