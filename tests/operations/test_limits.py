from __future__ import annotations

from dataclasses import replace

import pytest

from domain.access.principal import KeyHolder
from domain.operation.record import RequestedBy
from gateways.storage import records
from gateways.storage.records import Change
from operations import limits
from operations.accept import accept
from operations.limits import TooMany, check_operations, count_request, owner_of
from tests.conftest import Tables
from tests.domain.access.policies import ADA, GRACE, person
from tests.making import NOW, accepted, make_submission

MINE, YOURS = person("operator"), person("operator", object_id=GRACE)
BY_ME, BY_YOU = (RequestedBy("http", caller.id) for caller in (MINE, YOURS))


@pytest.fixture(autouse=True)
def time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("operations.limits.time.monotonic", lambda: now[0])
    limits._asked.clear()
    limits._owners.clear()
    return now


def test_requests_are_counted_for_each_caller_within_a_minute(
    monkeypatch: pytest.MonkeyPatch, time: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MOOR_REQUESTS_PER_MINUTE", "3")
    for _ in range(3):
        count_request(MINE)
        time[0] += 10
    with pytest.raises(TooMany) as caught:
        count_request(MINE)
    assert (caught.value.code, caught.value.retry_after) == ("TooManyRequests", 31)
    assert MINE.id in caplog.text
    count_request(YOURS)
    count_request(KeyHolder())
    time[0] += caught.value.retry_after
    count_request(MINE)
    with pytest.raises(TooMany):
        count_request(MINE)


def test_callers_are_not_remembered_without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_MOST", 10)
    for number in range(50):
        count_request(person("reader", object_id=f"{number:08d}{ADA[8:]}"))
    assert len(limits._asked) == 10


def test_operations_that_are_not_over_are_counted_for_each_caller(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MOOR_OPERATIONS_PER_CALLER", "2")
    mine = [accepted(compute_name=name, requested_by=BY_ME, caller=KeyHolder()) for name in ("one", "two")]
    with pytest.raises(TooMany) as caught:
        accept(make_submission(compute_name="three", requested_by=BY_ME, caller=KeyHolder()))
    assert (caught.value.code, caught.value.retry_after) == ("TooManyOperations", 60)
    assert MINE.id in caplog.text
    accepted(compute_name="yours", requested_by=BY_YOU, caller=KeyHolder())
    accepted(compute_name="tagged", requested_by=RequestedBy("event"))
    records.change(mine[0].id, None, lambda o: Change(replace(o, status="Succeeded")), NOW)
    check_operations(BY_ME)


def test_the_same_request_under_its_id_is_answered_at_the_limit_too(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOOR_OPERATIONS_PER_CALLER", "1")
    first = accepted(operation_id="op", caller=KeyHolder())
    assert accepted(operation_id="op", caller=KeyHolder()).id == first.id


def test_records_are_not_read_while_there_is_room(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted()
    monkeypatch.setattr(records, "read", lambda _: pytest.fail("reads a record"))
    check_operations(BY_ME)


def test_an_owner_is_read_once(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOOR_OPERATIONS_PER_CALLER", "1")
    accepted()
    check_operations(BY_ME)
    monkeypatch.setattr(records, "read", lambda _: pytest.fail("reads a record again"))
    check_operations(BY_ME)


def test_whose_an_operation_is() -> None:
    assert owner_of(RequestedBy("http", "T:A")) == owner_of(RequestedBy("http", "t:a", reason="x"))
    assert owner_of(RequestedBy("http")) != owner_of(RequestedBy("event"))
    assert owner_of(RequestedBy("http")) != owner_of(RequestedBy("http", "t:a"))
