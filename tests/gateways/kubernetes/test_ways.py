from __future__ import annotations

import threading

from gateways.kubernetes.ways import Ways, open_ways, opened


def test_no_way_is_open_outside_of_a_step() -> None:
    assert open_ways() == Ways(administrator=False, commands=False)
    with opened(lambda: Ways(administrator=True)):
        assert open_ways() == Ways(administrator=True)
        other: list[Ways] = []
        thread = threading.Thread(target=lambda: other.append(open_ways()))
        thread.start()
        thread.join()
        assert other == [Ways()]
    assert open_ways() == Ways()


def test_nobody_is_asked_which_before_somebody_goes_in() -> None:
    asked = []

    def ways() -> Ways:
        asked.append(1)
        return Ways(commands=True)

    with opened(ways):
        assert asked == []
        assert open_ways() == Ways(commands=True)
    assert asked == [1]
