"""The switch for bad days: what waits, and what goes on."""

from __future__ import annotations

from typing import Any

import pytest

from gateways.settings import SettingError
from gateways.storage import claims
from operations.accept import accept
from operations.pausing import Paused, check_retry, check_start, starts_wait, timers_wait
from tests.conftest import Tables
from tests.making import accepted, make_submission


@pytest.mark.parametrize(
    ("setting", "start", "retry", "timers"),
    [("", False, False, False), (" starts ", True, False, False), ("ALL", True, True, True)],
)
def test_what_waits(monkeypatch: pytest.MonkeyPatch, setting: str, start: bool, retry: bool, timers: bool) -> None:
    monkeypatch.setenv("MOOR_PAUSED", setting)
    for check, waits in ((check_start, start), (check_retry, retry)):
        if waits:
            with pytest.raises(Paused, match=f"MOOR_PAUSED={setting.strip().lower()}"):
                check()
        else:
            check()
    assert (starts_wait(), timers_wait()) == (start, timers)


def test_a_value_that_cannot_be_used_stops_what_needs_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever types it wants a pause: nothing new is begun. What is under way is not left alone by mistake."""
    monkeypatch.setenv("MOOR_PAUSED", "true")
    for check in (check_start, check_retry):
        with pytest.raises(SettingError, match="MOOR_PAUSED: 'true' is neither starts nor all"):
            check()
    assert (starts_wait(), timers_wait()) == (True, False)
    assert "MOOR_PAUSED" in caplog.text


@pytest.mark.parametrize("asked", [{}, {"plan_only": True}, {"kind": "detach"}, {"operation_id": "mine"}])
def test_nothing_new_is_accepted_or_claimed(tables: Tables, monkeypatch: pytest.MonkeyPatch, asked: Any) -> None:
    monkeypatch.setenv("MOOR_PAUSED", "starts")
    with pytest.raises(Paused):
        accept(make_submission(**asked))
    assert list(claims.held()) == []
    assert "operations" not in tables.names() or tables.rows("operations") == []


def test_what_was_accepted_is_answered_as_ever(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    before = accepted(operation_id="mine")
    monkeypatch.setenv("MOOR_PAUSED", "all")
    assert accepted(operation_id="mine").id == before.id
