"""What is known of a list of jobs: whether a page continues another, whether a page was read, how much is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from domain.operation.codec import decode, encode
from domain.workloads import jobs_seen
from domain.workloads.jobs_seen import Gap, JobsSeen, LiveJob, Reading, key_of
from domain.workloads.uses import JOB, Use
from tests.making import NOW, WORKSPACE_ID

URL = "https://management.azure.com/jobs?api-version=1&$skip="
FIRST = ["a", "b", "c", "d"]


def skip(reading: Reading) -> str:
    return parse_qs(urlsplit(str(reading.url)).query)["$skip"][0]


def test_the_next_page_overlaps_the_one_before_where_links_count() -> None:
    reading = Reading().after(FIRST, f"{URL}4")
    assert (skip(reading), reading.end, reading.shift) == ("3", 4, 0)
    assert "api-version=1" in str(reading.url)
    last = reading.after(["d", "e", "f"], None)
    assert (last.link, last.end, last.shift) == (None, 6, 0)


@pytest.mark.parametrize("link", ["token", "5", "3", "", "4&$skip=4", "99999999999"])
def test_a_link_that_does_not_count_is_taken_as_it_is(link: str) -> None:
    reading = Reading().after(FIRST, URL + link)
    assert reading.url == URL + link
    after = reading.after(["x", "y"], f"{URL}6")
    assert (after.url, after.end) == (f"{URL}6", None)


def test_what_moved_down_meanwhile_is_counted() -> None:
    reading = Reading().after(FIRST, f"{URL}4").after(["b", "c", "d", "e"], f"{URL}7")
    assert (reading.shift, skip(reading)) == (2, "6")


def test_a_page_that_shows_nothing_of_the_one_before_is_read_from_further_up() -> None:
    reading = Reading().after(FIRST, f"{URL}4").after(["d", "e", "f", "g"], f"{URL}7")
    back = reading.after(["i", "j"], f"{URL}8")  # Two above were deleted: h would be passed over.
    assert (skip(back), back.backs, back.link) == ("4", 1, reading.link)
    on = back.after(["g", "h", "i", "j"], f"{URL}8")
    assert (on.backs, on.shift, skip(on)) == (0, -2, "7")


def test_a_list_of_which_nothing_is_known_any_more_has_a_gap() -> None:
    reading = Reading().after(FIRST, f"{URL}4").after(["x", "y", "z", "w"], f"{URL}7")
    assert skip(reading) == "0"
    with pytest.raises(Gap):
        reading.after(["x", "y", "z", "w"], f"{URL}4")


def test_a_page_of_one_job_is_followed_by_its_link() -> None:
    assert Reading().after(["a"], f"{URL}1").url == f"{URL}1"
    assert Reading().after([], f"{URL}0").url == f"{URL}0"


@pytest.mark.parametrize("length", [1, 3, 499, 501, 2_000])
def test_a_circle_of_pages_is_found_and_what_is_kept_of_it_is_bounded(length: int) -> None:
    seen, read = JobsSeen(NOW), 0
    while not seen.has_read(f"{URL}x{read % length}"):
        seen = seen.with_page([], [], f"{URL}x{read % length}", Reading(f"{URL}y", None))
        read += 1
        assert read < 4 * length + 10
    assert len(seen.links) <= 500
    assert len(seen.marks) < 20


def test_bounds_of_the_whole_reading() -> None:
    seen = JobsSeen(NOW)
    assert seen.beyond(NOW + timedelta(hours=12)) is None
    assert "12 hours" in str(seen.beyond(NOW + timedelta(hours=12, seconds=1)))
    assert "1,000,000" in str(replace(seen, items=1_000_001).beyond(NOW))
    three = seen.broken_off(NOW).broken_off(NOW).broken_off(NOW)
    assert three.beyond(NOW) is None
    assert "more than 3 times" in str(three.broken_off(NOW).beyond(NOW))


def test_an_empty_page_counts_as_an_item() -> None:
    assert JobsSeen(NOW).with_page([], [], URL, Reading(URL, None)).items == 1


def test_a_look_is_over_when_it_meets_the_lower_half_of_what_was_on_top() -> None:
    seen = JobsSeen(NOW, newest=("a", "b", "c", "d"))
    assert not seen.reaches(["new", "a", "b"])
    assert seen.reaches(["new", "a", "b", "older", "c"])


def test_what_came_on_top_is_counted() -> None:
    seen = JobsSeen(NOW, newest=("a", "b", "c", "d"))
    after = seen.with_newest(["new", "a", "older", "b", "d", "e", "f"], [])
    assert (after.added, after.newest[0]) == (2, "new")  # e and f stand below all that was known.
    assert seen.with_newest([], []).newest == seen.newest


def test_more_live_jobs_than_are_kept_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_seen, "MOST_LIVE", 2)
    jobs = [LiveJob(name, "Running") for name in "abc"]
    seen = JobsSeen(NOW).with_page(["k"], jobs[:2], URL, Reading())
    assert (len(seen.live), seen.more) == (2, False)
    seen = seen.with_newest(["k"], jobs)
    assert (len(seen.live), seen.more) == (2, True)


def test_a_live_job_is_kept_without_what_all_have_in_common() -> None:
    use = Use(JOB, "train", "Running", True, f"{WORKSPACE_ID}/jobs/train", "2026-11-20T12:00:00Z")
    kept = LiveJob.of(use)
    assert WORKSPACE_ID not in str(kept)
    assert kept.use(WORKSPACE_ID) == use
    unclear = LiveJob.of(Use(JOB, "x" * 999, "S" * 999, clear=False))
    assert (unclear.readable, len(unclear.name), len(unclear.status)) == (False, 255, 80)
    assert unclear.use(WORKSPACE_ID).id == ""


def test_a_job_is_known_again_in_any_spelling_of_its_id() -> None:
    assert key_of({"id": "/Jobs/Train"}) == key_of({"id": "/jobs/train", "name": "x"})
    assert key_of({"name": "a"}) != key_of({"name": "b"})
    assert len(key_of({})) == 8


def test_it_is_stored_and_read() -> None:
    seen = JobsSeen(NOW).with_page(FIRST, [LiveJob("train", "Running")], URL, Reading().after(FIRST, f"{URL}4"))
    assert decode(JobsSeen, encode(seen)) == seen
    whole = seen.whole(NOW)
    assert (whole.length, whole.tail, whole.links, whole.reading.link) == (4, "d", (), None)
    assert decode(JobsSeen, {"began": "2026-11-20T12:00:00Z"}).ended is None
