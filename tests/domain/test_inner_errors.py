"""The errors inside an error: every shape that Azure nests them in, and none that goes on without measure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domain.inner_errors import Said, errors_in

CAUSE = {"code": "Cause", "message": "the disk is full"}
CAUSED = Said("Cause", "the disk is full")


def nested(depth: int, inner: dict[str, Any]) -> dict[str, Any]:
    for _ in range(depth):
        inner = {"code": "Wrapper", "message": "An error occurred.", "innererror": inner}
    return inner


@pytest.mark.parametrize(
    "error",
    [
        {"error": CAUSE},
        {"code": "A", "details": [{"code": "B", "details": [CAUSE]}]},
        {"code": "A", "innererror": {"innerError": CAUSE}},
        {"code": "A", "InnerError": {"code": "B", "innererror": CAUSE}},
        {"code": "A", "errors": [{"code": "B"}, CAUSE]},
        {"code": "A", "additionalInfo": [{"type": "T", "info": CAUSE}]},
        {"code": "A", "statuses": [{"code": "B", "level": None, "message": None}, CAUSE]},
        {"code": "A", "details": [{"code": "B", "statusMessage": json.dumps({"error": CAUSE})}]},
        {"code": "A", "message": f"Status 400: {json.dumps({'error': CAUSE})} (see above)"},
        {"code": "A", "message": json.dumps([CAUSE])},
        {"code": "A", "message": json.dumps(json.dumps({"error": CAUSE}))},
        {"code": "A", "message": json.dumps(json.dumps(json.dumps({"error": CAUSE})))},
        {"code": "A", "message": {"lang": "en-us", "value": f"failed: {json.dumps(CAUSE)}"}},
        {"code": "A", "message": "braces {not json} and [neither] before " + json.dumps(CAUSE)},
        nested(8, CAUSE),
        nested(30, CAUSE),
        {"code": "A", "details": CAUSE},
        {"code": "A", "inner_error": {"inner-error": CAUSE}},
        {"code": "A", "exception": {"innerExceptions": [CAUSE]}},
        {"code": "A", "debugInfo": {"message": "x", "errorResponse": {"error": CAUSE}}},
        {"code": "A", "rootError": CAUSE},
        {"code": "A", "provisioningError": {"errorCode": "Cause", "errorMessage": "the disk is full"}},
        {"code": "A", "message": "Status 400: {'error': {'code': 'Cause', 'message': 'the disk is full'}} (see above)"},
        {"code": "A", "message": "{'error': {'message': \"the disk is full\", 'code': 'Cause'}}"},
        {"code": "A", "message": 'Service returned an error. Status=409 Code="Cause" Message="the disk is full"'},
        {
            "code": "A",
            "message": "(A) x\nCode: A\nMessage: x\nException Details:\t(Cause) y\n\tCode: Cause\n"
            "\tMessage: the disk is full",
        },
        {"code": "A", "message": json.dumps({"error": CAUSE, "then": ["x"] * 9})[:-20]},
        {"code": "A", "message": json.dumps(json.dumps({"error": {**CAUSE, "target": "x"}}))[:-15]},
    ],
)
def test_a_cause_is_found_wherever_it_stands(error: dict[str, Any]) -> None:
    assert CAUSED in errors_in(error)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"code": "A", "details": ["the disk is full"]}, "the disk is full"),
        ({"code": "A", "details": "the disk is full"}, "the disk is full"),
        ({"code": "A", "innererror": "the disk is full"}, "the disk is full"),
        ({"title": "One or more errors occurred.", "detail": "the disk is full", "status": 400}, "the disk is full"),
        ({"title": "T", "errors": {"location": ["is not one", "of ours"]}}, "location: is not one of ours"),
        ({"error": "invalid_client", "error_description": "the secret has expired"}, "the secret has expired"),
        ({"code": 409, "reason": "X", "details": {"causes": [{"message": "the disk is full"}]}}, "the disk is full"),
    ],
)
def test_words_without_a_code_are_heard(error: dict[str, Any], words: str) -> None:
    assert words in [each.message for each in errors_in(error)]


@pytest.mark.parametrize(
    "text",
    [
        "Set the environment variable code to 5 and read the message below.",
        "The status code: 5 is not what it should be, says the message.",
        "No code here, and no braces.",
    ],
)
def test_a_sentence_is_no_error_of_its_own(text: str) -> None:
    assert errors_in({"code": "A", "message": text}) == [Said("A", text)]


def test_what_violates_a_policy_is_told_by_its_names() -> None:
    info = {"policyAssignmentName": "no-public-ip", "policyDefinitionDisplayName": "No public addresses", "n": 5}
    found = errors_in({"code": "A", "additionalInfo": [{"type": "PolicyViolation", "info": info}]})
    words = "policyAssignmentName: no-public-ip; policyDefinitionDisplayName: No public addresses"
    assert found == [Said("A", None), Said("PolicyViolation", words)]


@pytest.mark.parametrize(
    "error", [None, "text", 5, [], {}, {"details": " "}, {"innererror": None}, {"message": {"value": {}}}]
)
def test_what_says_nothing_gives_nothing(error: Any) -> None:
    assert errors_in(error) == []


@pytest.mark.parametrize(
    "error",
    [
        nested(5000, CAUSE),
        {"details": [{"code": str(n), "details": [{"code": "X"}] * 50} for n in range(5000)]},
        {"message": "[" * 200_000},
        {"message": '{"a":' * 50_000 + '\\"'},
        {"message": json.dumps([CAUSE] * 5000)},
        {str(n): n for n in range(100_000)},
        {"message": "\\" * 32_000},
        {"message": "code: '" * 5000},
        {"message": "'code': '" + "x" * 32_000},
        {"details": ["x" * 5000] * 5000},
        {"errors": {str(n): ["x"] * 50 for n in range(5000)}},
        {"additionalInfo": [{"type": "T", "info": {str(n): "x" * 5000 for n in range(5000)}}]},
    ],
)
def test_an_error_without_measure_is_read_within_bounds(error: dict[str, Any]) -> None:
    found = errors_in(error)
    assert len(found) <= 48
    assert sum(len(each.message or "") for each in found) < 1_000_000
