"""A short round of ``make prove-restart``, and outages of storage of every awkward length."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.faults.driver import ATTACH, Driver
from tests.faults.fault_stack import DURATIONS, fault_stack
from tests.make_program import said_by

FACTOR = 300.0
MINUTE = 60.0
SEED = 7


@pytest.mark.long
def test_a_nine_hour_drain_survives_three_kills_and_an_outage() -> None:
    said = said_by("prove-restart", f"--rounds 1 --kills 3 --outage 3 --factor 900 --seed {SEED}")
    assert "1 of 1 rounds as they should be; gaps in journals: 0" in said
    hours = re.search(r"detach Succeeded in run \d+ after ([\d.]+) h", said)
    assert hours, said
    assert float(hours[1]) >= 9
    # Three in the attach, three in the detach, and the first.
    ids = re.search(r"host processes ([\d ]+)", said)
    assert ids, said
    assert len(set(ids[1].split())) == 7


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    durations = {**DURATIONS, "extension.create": 40 * MINUTE}
    with fault_stack(tmp_path_factory.mktemp("outage") / "stack", factor=FACTOR, durations=durations) as faults:
        warm = Driver(faults)
        warm.calm(ATTACH)
        yield warm
        warm.close()


# Twenty errors in a row, with the pauses between them, take seventeen minutes: an operation that counted an outage as
# its own failure would fail for outages between that and twice that, and for no others.
@pytest.mark.parametrize("minutes", [pytest.param(20, marks=pytest.mark.long), 35])
def test_an_outage_of_storage_fails_no_operation(driver: Driver, minutes: int) -> None:
    target = driver.prepare(ATTACH)
    operation_id = f"outage-{minutes}"
    assert driver.ask(ATTACH, target, operation_id)
    driver.wait(operation_id, lambda head: (head.step("extension_ready") or {}).get("status") == "Waiting")
    driver.faults.storage_away()
    time.sleep(minutes * MINUTE / FACTOR)
    driver.faults.storage_back()
    head = driver.wait(operation_id, lambda head: head.at_rest)
    assert (head.status, head.run) == ("Succeeded", 1)
    assert driver.invariants.check() == []
