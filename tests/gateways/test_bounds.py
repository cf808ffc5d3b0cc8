"""What a call may cost: its time, its size, the pages of an activity."""

from __future__ import annotations

import contextvars
import gzip
import json
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateways import bounds
from gateways.bounds import CutOff, Pages, TooMuch, Watch, whole_body

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("method", "path", "seconds"),
    [
        ("GET", "/subscriptions/s", 30),
        ("HEAD", "/x", 30),
        ("POST", "/subscriptions/s/x/listClusterUserCredential", 30),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 30),
        ("POST", "/subscriptions/s/x/runCommand", 90),
        ("PUT", "/subscriptions/s/x/listed", 90),
        ("DELETE", "/x", 90),
        ("MERGE", "/table", 90),
    ],
)
def test_a_read_has_thirty_seconds_and_a_write_ninety(method: str, path: str, seconds: float) -> None:
    assert bounds.seconds_of(method, path) == seconds


def test_the_longest_activity_ends_before_the_host_ends_its_worker() -> None:
    hours, minutes, seconds = json.loads((ROOT / "host.json").read_text("utf-8"))["functionTimeout"].split(":")
    timeout = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    assert timeout - 30 >= bounds.ACTIVITY_SECONDS + bounds.WRITE_SECONDS


def test_a_watch_ends_a_connection_and_says_so() -> None:
    ours, theirs = socket.socketpair()
    began = time.monotonic()

    def receive() -> None:
        with Watch(0.1) as watch:
            watch.note(ours)
            assert ours.recv(1) == b""

    with ours, theirs, pytest.raises(CutOff, match=r"no whole answer within 0 seconds"):
        receive()
    assert time.monotonic() - began < 5


def test_a_watch_leaves_the_connection_of_a_call_that_ended_in_time() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with Watch(0.1) as watch:
            watch.note(ours)
        time.sleep(0.2)
        theirs.sendall(b"x")
        assert ours.recv(1) == b"x"


def test_a_connection_that_comes_after_the_time_is_not_used() -> None:
    def connect(late: socket.socket) -> None:
        with Watch(0.0) as watch:
            while not watch.over:
                time.sleep(0.01)
            with pytest.raises(CutOff, match="no connection"):
                watch.note(late)

    with socket.socket() as late, pytest.raises(CutOff):
        connect(late)


def test_a_body_is_whole_up_to_the_bound() -> None:
    assert whole_body([b"ab", b"c"], "", 3) == b"abc"
    assert whole_body([gzip.compress(b"abc")], "gzip", 100) == b"abc"
    members = gzip.compress(b"a") + gzip.compress(b"b")
    assert whole_body([members[:5], members[5:]], "x-gzip", 100) == b"ab"
    assert whole_body([], "gzip") == b""


@pytest.mark.parametrize(
    ("chunks", "encoding"),
    [
        ([b"a" * 50, b"b" * 51], ""),
        ([gzip.compress(b"a" * 101)], "gzip"),
        ([gzip.compress(b"a"), gzip.compress(b"a" * 100)], "gzip"),
        ([gzip.compress(bytes(range(101)))], "gzip"),
    ],
)
def test_a_larger_body_is_no_body(chunks: list[bytes], encoding: str) -> None:
    with pytest.raises(TooMuch):
        whole_body(chunks, encoding, 100)


@pytest.mark.parametrize(
    ("chunks", "encoding"), [([b"{}"], "br"), ([b"{}"], "gzip"), ([gzip.compress(b"abc")[:-4]], "gzip")]
)
def test_a_body_that_cannot_be_unpacked_is_no_body(chunks: list[bytes], encoding: str) -> None:
    with pytest.raises(ValueError, match="the answer"):
        whole_body(chunks, encoding)


def test_a_list_that_leads_back_is_no_list() -> None:
    pages = Pages()
    pages.turn("a")
    pages.turn("b")
    with pytest.raises(TooMuch, match="leads back"):
        pages.turn("a")
    Pages().turn("a")


def test_the_lists_of_an_activity_have_one_bound_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_PAGES", 3)
    with bounds.of_activity():
        first = Pages()
        first.turn("a")
        first.turn("b")
        Pages().turn("a")
        with pytest.raises(TooMuch, match="more than 3 pages"):
            Pages().turn("b")
    for number in range(3):
        Pages().turn(str(number))


def test_threads_of_an_activity_spend_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_PAGES", 1)
    with bounds.of_activity():
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(lambda: Pages().turn("a"),))
        thread.start()
        thread.join()
        with pytest.raises(TooMuch):
            Pages().turn("b")


def test_an_activity_whose_time_is_over_begins_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds.begin_call()
    with bounds.of_activity():
        bounds.begin_call()
    monkeypatch.setattr(bounds, "ACTIVITY_SECONDS", -1.0)
    with bounds.of_activity(), pytest.raises(CutOff, match="asks no more"):
        bounds.begin_call()
    bounds.begin_call()


def test_an_activity_knows_how_long_it_has_been_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bounds.elapsed() == 0.0
    with bounds.of_activity():
        assert 0.0 <= bounds.elapsed() < 10.0
        later = time.monotonic() + 40.0
        monkeypatch.setattr(bounds, "time", SimpleNamespace(monotonic=lambda: later))
        assert 40.0 <= bounds.elapsed() < 50.0
