from __future__ import annotations

import threading

from gateways.kubernetes.ways import Ways, open_ways, opened


def test_no_way_is_open_outside_of_a_step() -> None:
    assert open_ways() == Ways(administrator=False, commands=False)
    with opened(Ways(administrator=True)):
        assert open_ways() == Ways(administrator=True)
        other: list[Ways] = []
        thread = threading.Thread(target=lambda: other.append(open_ways()))
        thread.start()
        thread.join()
        assert other == [Ways()]
    assert open_ways() == Ways()
