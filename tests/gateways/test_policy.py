"""Where the policy comes from: the setting, or a blob that is read again, and what counts while it cannot be."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from azure.core.exceptions import (
    IncompleteReadError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseTimeoutError,
)

from domain.access.policy import LARGEST
from domain.arm_ids import RELAY, parse_arm_id
from gateways import clock, policy
from gateways.azure.identity import Cloud
from gateways.policy import FRESH, GOOD_FOR, PolicyUnavailable, current
from tests.domain.access.policies import document
from tests.making import WORKSPACE_ID

URL = "https://moorpolicies.blob.core.windows.net/policies/policy.json"
Answer = Any


def text(**changes: Any) -> bytes:
    return json.dumps(document(**changes)).encode()


class FakeBlob:
    """Answers as Get Blob does; ``says`` is the next answer, ``asked`` the requests so far."""

    def __init__(self) -> None:
        self.says: Answer = (200, text(), '"1"')
        self.asked: list[Any] = []

    def send_request(self, request: Any, **options: Any) -> Any:
        assert options["stream"]
        assert options["connection_timeout"] + options["read_timeout"] <= 15
        self.asked.append(request)
        if isinstance(self.says, Exception):
            raise self.says
        status, body, etag = self.says
        if etag is not None and request.headers.get("If-None-Match") == etag:
            status, body = 304, b""
        return _Response(status, body, {"ETag": etag, "x-ms-error-code": "Said"})


class _Response:
    def __init__(self, status: int, body: bytes, headers: dict[str, Any]) -> None:
        self.status_code, self._body = status, body
        self.headers = {name: value for name, value in headers.items() if value}

    def __enter__(self) -> _Response:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def iter_bytes(self) -> Any:
        for at in range(0, len(self._body), 1000):
            yield self._body[at : at + 1000]


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(clock, "steady", lambda: now[0])
    return now


@pytest.fixture
def blob(monkeypatch: pytest.MonkeyPatch, time: list[float]) -> FakeBlob:
    return serve(monkeypatch)


def serve(monkeypatch: pytest.MonkeyPatch) -> FakeBlob:
    fake = FakeBlob()
    policy.forget()
    monkeypatch.setenv(policy.SETTING, URL)
    monkeypatch.setattr(policy, "_client", lambda origin: fake if URL.startswith(f"{origin}/") else None)
    monkeypatch.setattr(policy, "cloud", lambda: Cloud("https://management.azure.com"))
    return fake


def events() -> bool:
    entry = current().entry_of(WORKSPACE_ID)
    assert entry is not None
    return entry.events


@pytest.mark.parametrize("value", [None, "", "  "])
def test_without_a_policy_nothing_is_allowed(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv(policy.SETTING) if value is None else monkeypatch.setenv(policy.SETTING, value)
    with pytest.raises(PolicyUnavailable, match="MOOR_POLICY is not set"):
        current()


def test_a_setting_that_cannot_be_used_says_where_it_is_wrong(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(policy.SETTING, text(events="yes", extra=1).decode())
    with pytest.raises(PolicyUnavailable, match=r"0/events: .*; /workspaces/0/extra: There is no"):
        current()
    policy.check_at_start()
    assert "/workspaces/0/events" in caplog.text
    monkeypatch.setenv(policy.SETTING, text(events=True).decode())
    assert events()


def test_a_blob_is_read_again_within_a_minute_and_by_its_etag(blob: FakeBlob, time: list[float]) -> None:
    assert not events()
    blob.says = (200, text(events=True), '"2"')
    assert not events()
    assert len(blob.asked) == 1
    time[0] += FRESH
    assert events()
    assert [request.headers.get("If-None-Match") for request in blob.asked] == [None, '"1"']
    assert all(request.url == URL and request.method == "GET" for request in blob.asked)
    time[0] += FRESH
    assert events()
    assert len(blob.asked) == 3


def test_a_machine_that_has_just_started_reads_it_at_once(blob: FakeBlob, time: list[float]) -> None:
    for moment in (0.0, 0.5, 54.0):
        policy.forget()
        time[0] = moment
        assert not events()
    assert len(blob.asked) == 3


def test_a_minute_is_one_of_the_apps_own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    blob, real = serve(monkeypatch), [1000.0]
    monkeypatch.setattr("gateways.clock.time.monotonic", lambda: real[0])
    monkeypatch.setenv("MOOR_CLOCK", "0,600")
    assert not events()
    real[0] += 0.05
    assert not events()
    assert len(blob.asked) == 1
    real[0] += 0.05
    assert not events()
    assert len(blob.asked) == 2
    blob.says = (404, b"", None)
    real[0] += GOOD_FOR / 600 + 0.01
    with pytest.raises(PolicyUnavailable, match="404"):
        current()


@pytest.mark.parametrize(
    "bad",
    [
        (404, b"", None),
        (403, b"", None),
        (503, b"", None),
        (302, b"", None),
        (200, b"{", '"2"'),
        (200, text(extra=1), '"2"'),
        (200, b" " * (LARGEST + 1), '"2"'),
        (200, b"", '"2"'),
        (200, b"\xff\xfe{}", '"2"'),
        (200, b"[]", None),
        (200, b"[" * 10_000, '"2"'),
        (500, b"", None),
        ServiceRequestError("no route to moorpolicies"),
        ServiceRequestTimeoutError("connect timed out"),
        ServiceResponseTimeoutError("read timed out"),
        IncompleteReadError("the connection was cut"),
        OSError("reset"),
    ],
)
def test_the_last_good_one_counts_for_a_quarter_of_an_hour(blob: FakeBlob, time: list[float], bad: Answer) -> None:
    assert not events()
    good, blob.says = blob.says, bad
    time[0] += GOOD_FOR
    assert not events()
    time[0] += 1
    with pytest.raises(PolicyUnavailable):
        current()
    blob.says = good
    time[0] += FRESH
    assert not events()


def test_a_blob_without_an_etag_is_read_whole_each_time(blob: FakeBlob, time: list[float]) -> None:
    blob.says = (200, text(), None)
    assert not events()
    blob.says = (200, text(events=True), None)
    time[0] += FRESH
    assert events()
    assert [request.headers.get("If-None-Match") for request in blob.asked] == [None, None]
    blob.says = (304, b"", None)  # Nobody asked by an ETag: this says nothing.
    time[0] += GOOD_FOR + 1
    with pytest.raises(PolicyUnavailable, match="the blob answers 304"):
        current()


def test_a_policy_that_is_wrong_is_not_the_one_that_later_answers_are_compared_with(
    blob: FakeBlob, time: list[float]
) -> None:
    """304 to the ETag of a wrong one would make the last good one count for as long as the wrong one stays."""
    assert not events()
    blob.says = (200, text(extra=1), '"2"')
    for _ in range(4):
        time[0] += FRESH
        assert not events()
    assert [request.headers.get("If-None-Match") for request in blob.asked] == [None, *['"1"'] * 4]
    blob.says = (200, text(events=True), '"3"')
    time[0] += FRESH
    assert events()


def test_time_begins_again_with_each_answer_that_nothing_has_changed(blob: FakeBlob, time: list[float]) -> None:
    assert not events()
    time[0] += GOOD_FOR - 1
    assert not events()
    blob.says = (404, b"", None)
    time[0] += GOOD_FOR - 1
    assert not events()
    time[0] += 2
    with pytest.raises(PolicyUnavailable, match="404"):
        current()


def test_what_was_never_read_allows_nothing_and_is_asked_for_again_soon(blob: FakeBlob, time: list[float]) -> None:
    blob.says = (403, b"", None)
    for _ in range(3):
        with pytest.raises(PolicyUnavailable, match=r"the blob answers 403 \(Said\)"):
            current()
    assert len(blob.asked) == 1
    blob.says = (200, text(), '"1"')
    time[0] += 5
    assert not events()


def test_a_blob_that_hangs_keeps_nobody_waiting_who_has_a_policy(blob: FakeBlob, time: list[float]) -> None:
    assert not events()
    time[0] += FRESH
    inside, leave = threading.Event(), threading.Event()

    def hang(request: Any, **_: Any) -> Any:
        inside.set()
        leave.wait(10)
        raise ServiceRequestError("gone")

    blob.send_request = hang  # type: ignore[method-assign]
    other = threading.Thread(target=events)
    other.start()
    assert inside.wait(10)
    assert not events()
    leave.set()
    other.join(10)


@pytest.mark.parametrize(
    "url",
    [
        "http://moorpolicies.blob.core.windows.net/policies/policy.json",
        "https://moorpolicies.blob.core.windows.net.evil.example/policies/policy.json",
        "https://evil.example/policies/policy.json",
        "https://a.b.blob.core.windows.net/policies/policy.json",
        "https://moorpolicies.blob.core.windows.net@evil.example/p/policy.json",
        "https://user@moorpolicies.blob.core.windows.net/p/policy.json",
        "https://moorpolicies.blob.core.windows.net:8443/p/policy.json",
        "https://moorpolicies.blob.core.windows.net/p/policy.json?sig=x",
        "https://moorpolicies.blob.core.windows.net/p/../policy.json",
        "https://moorpolicies.blob.core.windows.net/policy.json",
        "https://moorpolicies.blob.core.windows.net//",
        "https://moorpolicies.blob.core.chinacloudapi.cn/p/policy.json",
        "[1]",
        "nonsense",
        "ftp://moorpolicies.blob.core.windows.net/policies/policy.json",
    ],
)
def test_the_app_s_token_goes_to_a_blob_of_this_cloud_only(
    blob: FakeBlob, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv(policy.SETTING, url)
    with pytest.raises(PolicyUnavailable, match="MOOR_POLICY"):
        current()
    assert blob.asked == []


def test_the_old_setting_gives_events_to_workspaces_that_the_policy_names(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = WORKSPACE_ID + "2"
    monkeypatch.setenv(policy.SETTING, text().decode())
    assert policy.entry_for_events(WORKSPACE_ID) is None
    assert not policy.any_events()
    monkeypatch.setenv("MOOR_EVENT_WORKSPACES", f"{WORKSPACE_ID},{other}")
    assert policy.entry_for_events(WORKSPACE_ID) is not None
    assert policy.any_events()
    assert "MOOR_EVENT_WORKSPACES" in caplog.text
    assert policy.entry_for_events(other) is None
    monkeypatch.delenv("MOOR_EVENT_WORKSPACES")
    monkeypatch.setenv(policy.SETTING, text(events=True).decode())
    assert policy.entry_for_events(WORKSPACE_ID) is not None


def test_an_event_is_kept_while_the_policy_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(policy.SETTING, "{")
    assert policy.any_events()
    monkeypatch.delenv(policy.SETTING)
    assert not policy.any_events()


def test_relays_are_those_of_the_workspace_s_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    relay = WORKSPACE_ID.replace("Microsoft.MachineLearningServices/workspaces", RELAY)
    monkeypatch.setenv(policy.SETTING, text(relays=[relay]).decode())
    assert policy.relays_of(WORKSPACE_ID)(parse_arm_id(relay))
    assert not policy.relays_of(WORKSPACE_ID)(parse_arm_id(relay + "2"))
    assert not policy.relays_of(WORKSPACE_ID + "2")(parse_arm_id(relay))
