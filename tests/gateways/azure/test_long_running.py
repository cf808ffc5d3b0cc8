from __future__ import annotations

import logging
from typing import Any

import pytest

from domain.problems import AzureAnswer
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer, ArmError
from gateways.azure.long_running import OVER, WAITING, Progress, poll

URL = "https://management.azure.com/subscriptions/s/x?api-version=1&t=1&c=2&s=secret&h=4"


def answering(monkeypatch: pytest.MonkeyPatch, answer: ArmAnswer | ArmError) -> list[str]:
    asked: list[str] = []

    def get_url(url: str) -> ArmAnswer:
        asked.append(url)
        if isinstance(answer, ArmError):
            raise answer
        return answer

    monkeypatch.setattr(arm, "get_url", get_url)
    return asked


def test_the_url_is_asked_as_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, ArmAnswer(200, {"status": "InProgress"}, retry_after=7.0))
    assert poll(URL) == Progress(WAITING, 7.0)
    assert asked == [URL]


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (202, {}, WAITING),
        (200, {"status": "Creating"}, WAITING),
        (200, {"properties": {"provisioningState": "Creating"}}, WAITING),
        (200, {"status": "Succeeded"}, OVER),
        (200, {"properties": {"provisioningState": "Succeeded"}}, OVER),
        (200, {"properties": None}, OVER),
        (200, {"properties": "odd"}, OVER),
        (204, {}, OVER),
    ],
)
def test_what_the_operation_says(
    monkeypatch: pytest.MonkeyPatch, status: int, body: dict[str, Any], state: str
) -> None:
    answering(monkeypatch, ArmAnswer(status, body))
    assert poll(URL) == Progress(state)


def test_a_failure_is_told_without_what_a_url_in_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    error = {"code": "Denied", "message": f"no: {URL}"}
    answering(monkeypatch, ArmAnswer(200, {"status": "Failed", "error": error}))
    told = poll(URL).error
    assert told is not None
    assert (told.code, told.status) == ("Denied", 200)
    assert "no: https://management.azure.com/subscriptions/s/x?" in str(told.message)
    assert "secret" not in str(told)
    answering(monkeypatch, ArmAnswer(200, {"status": "Canceled", "error": "odd"}))
    assert poll(URL).error == AzureAnswer("Canceled", "the operation ended as Canceled", 200)


@pytest.mark.parametrize(("status", "code"), [(401, "InvalidAuthenticationToken"), (403, "X"), (400, arm.FOREIGN_URL)])
def test_an_operation_that_may_not_be_read_leaves_the_word_to_the_resource(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, status: int, code: str
) -> None:
    caplog.set_level(logging.INFO)
    answering(monkeypatch, ArmError(status, code, f"no: {URL}"))
    assert poll(URL) == Progress(OVER, refused=f"{status} {code}")
    assert "secret" not in caplog.text


@pytest.mark.parametrize("status", [0, 400, 429, 500, 503])
def test_other_errors_are_the_caller_s(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    answering(monkeypatch, ArmError(status, "X", "no"))
    with pytest.raises(ArmError):
        poll(URL)


@pytest.mark.parametrize("status", [404, 410])
def test_without_a_url_and_after_its_end_the_resource_tells(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    asked = answering(monkeypatch, ArmError(status, "OperationNotFound", "no"))
    assert poll(None) == Progress(OVER)
    assert asked == []
    assert poll(URL) == Progress(OVER)


def test_r10_the_errors_inside_that_of_an_operation_come_along(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = {"code": "ClusterNotReachable", "message": f"no: {URL}"}
    error = {"code": "InternalServerError", "message": "An error occurred.", "details": [{"innererror": inner}]}
    for body in ({"status": "Failed", "error": error}, {"properties": {"provisioningState": "Failed", "error": error}}):
        answering(monkeypatch, ArmAnswer(200, body))
        progress = poll(URL)
        assert [each.code for each in progress.answers] == ["InternalServerError", "ClusterNotReachable"]
        assert "secret" not in str(progress)
    # Where no error object stands, whatever else tells of the failure.
    bodies: list[dict[str, Any]] = [
        {"status": "Failed", "error": "the disk is full"},
        {"status": "Failed", "error": {}, "message": "the disk is full"},
        {"status": "Failed", "properties": {"statusMessage": '{"error": {"message": "the disk is full"}}'}},
        {"status": "Failed", "properties": {"provisioningError": {"code": "X", "message": "the disk is full"}}},
    ]
    for other in bodies:
        answering(monkeypatch, ArmAnswer(200, other))
        assert "the disk is full" in [each.message for each in poll(URL).answers]
    answering(monkeypatch, ArmAnswer(200, {"status": "Failed", "error": {"details": [inner]}}))
    assert [each.code for each in poll(URL).answers] == ["Failed", "ClusterNotReachable"]
    assert Progress(OVER).answers == []
