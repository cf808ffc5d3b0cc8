"""What the app's own settings say, and what is refused by name."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from domain.arm_ids import parse_arm_id
from domain.preflight.table import CHECK_NAMES
from gateways import settings
from gateways.settings import (
    Retention,
    SettingError,
    Settings,
    check_settings,
    read_public_url,
    read_retention,
    read_settings,
)
from tests.making import WORKSPACE_ID

OTHER_ID = WORKSPACE_ID + "2"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MOOR_")]:
        monkeypatch.delenv(name)


def test_nothing_has_to_be_set() -> None:
    assert read_settings() == Settings((), None, 30, None)


def test_an_empty_setting_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        *("MOOR_EVENT_WORKSPACES", "MOOR_EVENTS_TOPIC_ENDPOINT", "MOOR_HISTORY_DAYS", "MOOR_CLOCK"),
        *("MOOR_HARD_CHECKS", "MOOR_APPROVAL_WORKSPACES", "MOOR_APPROVAL_FOR_FORCE", "MOOR_PUBLIC_URL"),
    ):
        monkeypatch.setenv(name, "")
    assert read_settings() == Settings((), None, 30, None)


@pytest.mark.parametrize("name", ["MOOR_EVENT_WORKSPACES", "MOOR_APPROVAL_WORKSPACES"])
def test_workspaces_are_listed_with_commas(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, f" {WORKSPACE_ID} ,, {OTHER_ID},")
    settings = read_settings()
    read = {
        "MOOR_EVENT_WORKSPACES": settings.event_workspaces,
        "MOOR_APPROVAL_WORKSPACES": settings.approval_workspaces,
    }
    assert read.pop(name) == (parse_arm_id(WORKSPACE_ID), parse_arm_id(OTHER_ID))
    assert list(read.values()) == [()]
    monkeypatch.setenv(name, f"{WORKSPACE_ID},ws")
    with pytest.raises(SettingError, match=name):
        read_settings()


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "1e3", "²", "٣"])
def test_days_are_a_whole_number_of_one_or_more(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("MOOR_HISTORY_DAYS", text)
    with pytest.raises(SettingError, match=f"MOOR_HISTORY_DAYS: '{text}'"):
        read_settings()


def test_the_least_number_of_days_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOOR_HISTORY_DAYS", " 1 ")
    assert read_settings().history_days == 1


@pytest.mark.parametrize(("text", "on"), [("true", True), (" TRUE ", True), ("False", False)])
def test_a_switch_is_true_or_false(monkeypatch: pytest.MonkeyPatch, text: str, on: bool) -> None:
    monkeypatch.setenv("MOOR_APPROVAL_FOR_FORCE", text)
    assert read_settings().approval_for_force is on


@pytest.mark.parametrize("text", ["yes", "1", "on"])
def test_no_other_word_is_a_switch(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("MOOR_APPROVAL_FOR_FORCE", text)
    with pytest.raises(SettingError, match="MOOR_APPROVAL_FOR_FORCE"):
        read_settings()


@pytest.mark.parametrize("name", sorted(CHECK_NAMES))
def test_every_check_can_be_hard(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("MOOR_HARD_CHECKS", f" {name} , purposeCapacity")
    assert read_settings().hard_checks == {name, "purposeCapacity"}


@pytest.mark.parametrize(("text", "hint"), [("localAcounts", "did you mean localAccounts"), ("?", "docs/preflight.md")])
def test_a_check_that_there_is_not_is_an_error_of_the_setting(
    monkeypatch: pytest.MonkeyPatch, text: str, hint: str
) -> None:
    monkeypatch.setenv("MOOR_HARD_CHECKS", f"localAccounts,{text}")
    with pytest.raises(SettingError, match="MOOR_HARD_CHECKS") as error:
        read_settings()
    assert hint in str(error.value)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://moor.example.net/api", "https://moor.example.net/api"),
        (" https://moor.example.net/ ", "https://moor.example.net"),
        ("https://gateway.example.net:8443/ml/moor/v1.0", "https://gateway.example.net:8443/ml/moor/v1.0"),
        ("http://localhost:7071/api", "http://localhost:7071/api"),
        ("http://127.0.0.1:7071/api", "http://127.0.0.1:7071/api"),
    ],
)
def test_the_public_url_is_where_links_lead(monkeypatch: pytest.MonkeyPatch, text: str, url: str) -> None:
    monkeypatch.setenv("MOOR_PUBLIC_URL", text)
    assert (read_public_url(), read_settings().public_url) == (url, url)


@pytest.mark.parametrize(
    "text",
    [
        "moor.example.net/api",
        "http://moor.example.net/api",
        "ftp://moor.example.net",
        "https://",
        "https:///api",
        "https://user:pass@moor.example.net/api",
        "https://moor.example.net/api?code=x",
        "https://moor.example.net/api#x",
        "https://moor.example.net/../x",
        "https://moor.example.net//x",
        "https://moor.example.net:0/api",
        "https://moor.example.net:65536/api",
        "https://moor.example.net:x/api",
        "https://moor example.net/api",
        "https://möör.example.net/api",
        "https://moor.example.net/a%2fb",
        "https://moor.example.net/api\\x",
        "javascript:alert(1)",
    ],
)
def test_what_is_no_public_url_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("MOOR_PUBLIC_URL", text)
    with pytest.raises(SettingError, match="MOOR_PUBLIC_URL"):
        read_settings()


@pytest.mark.parametrize(
    ("text", "days"), [("P90D", 90), ("P2Y", 730), ("P6M", 180), ("P12W", 84), ("P1DT12H", 1.5), ("", None)]
)
def test_how_long_records_are_kept(monkeypatch: pytest.MonkeyPatch, text: str, days: float | None) -> None:
    monkeypatch.setenv("MOOR_RECORDS_KEPT", text)
    assert read_retention() == Retention(None if days is None else timedelta(days=days), removes=False)
    monkeypatch.setenv("MOOR_RECORDS_REMOVE", "true")
    assert read_retention().removes


@pytest.mark.parametrize("text", ["90", "90 days", "PT1H", "P0D", "-P90D", "P200Y", "P", "P9D or so"])
def test_a_period_that_is_none_names_its_setting(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("MOOR_RECORDS_KEPT", text)
    for reads in (read_retention, check_settings):
        with pytest.raises(SettingError, match="MOOR_RECORDS_KEPT: "):
            reads()


@pytest.mark.parametrize(
    ("wrong", "alone"),
    [
        ("MOOR_HARD_CHECKS", "read_hard_checks"),
        ("MOOR_HISTORY_DAYS", "read_history_days"),
        ("MOOR_EVENT_WORKSPACES", "read_event_workspaces"),
        ("MOOR_APPROVAL_WORKSPACES", "read_approval_settings"),
        ("MOOR_APPROVAL_FOR_FORCE", "read_approval_settings"),
        ("MOOR_PUBLIC_URL", "read_public_url"),
        ("MOOR_OPERATIONS_PER_CALLER", "read_most_operations"),
        ("MOOR_REQUESTS_PER_MINUTE", "read_most_requests"),
        ("MOOR_RECORDS_KEPT", "read_retention"),
        ("MOOR_RECORDS_REMOVE", "read_retention"),
    ],
)
def test_a_mistake_in_one_setting_stops_what_needs_it_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, wrong: str, alone: str
) -> None:
    monkeypatch.setenv(wrong, "a typo")
    stopped = []
    for name in (
        *("read_hard_checks", "read_history_days", "read_event_workspaces", "read_approval_settings"),
        *("read_public_url", "read_most_operations", "read_most_requests", "read_retention", "read_events_topic"),
    ):
        try:
            getattr(settings, name)()
        except SettingError as error:
            stopped.append((name, wrong in str(error)))
    assert stopped == [(alone, True)]
    with pytest.raises(SettingError, match=wrong):
        check_settings()
