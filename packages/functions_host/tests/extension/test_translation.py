"""The documents between extension and app: their times are translated, and nothing else in them changes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from packages.controls.clock import ScaledClock
from packages.functions_host.durable.protocol.timestamps import ticks_from_text
from packages.functions_host.extension.moments import Moments
from packages.functions_host.extension.translation import STATE_LABEL, Translation

RECORDED = Path(__file__).resolve().parents[1] / "conformance" / "recorded"
ORIGIN = "2026-11-20T00:00:00Z"
STAMP, LATER = "2026-11-20T00:00:01.5Z", "2026-11-20T00:15:00Z"  # 1.5 s on: 900 s at a factor of 600
NOT_A_TIME_OF_OURS = {"Timestamp": STAMP, "createdTime": STAMP, "fireAt": STAMP, "text": "grüß\u2028"}


@pytest.fixture
def translation() -> Translation:
    return Translation(Moments(ScaledClock(origin=ticks_from_text(ORIGIN) / 10_000_000, factor=600.0)))


def test_the_history_is_in_the_apps_time(translation: Translation) -> None:
    events = [
        {"EventType": 12, "Timestamp": STAMP},
        {"EventType": 0, "Timestamp": STAMP, "ScheduledStartTime": None, "Input": json.dumps(NOT_A_TIME_OF_OURS)},
        {"EventType": 10, "FireAt": STAMP, "Timestamp": STAMP},
    ]
    context = {"history": events, "input": NOT_A_TIME_OF_OURS, "instanceId": "a:b", "isReplaying": False}
    found = json.loads(translation.context(json.dumps(context)))
    assert found == {
        **context,
        "history": [
            {"EventType": 12, "Timestamp": LATER},
            {**events[1], "Timestamp": LATER},
            {"EventType": 10, "FireAt": LATER, "Timestamp": LATER},
        ],
    }


def test_a_context_without_history_is_refused(translation: Translation) -> None:
    with pytest.raises(KeyError):
        translation.context("{}")


def test_timers_of_a_reply_are_in_real_time(translation: Translation) -> None:
    timer = {"actionType": 5, "fireAt": LATER.replace("Z", ".000000Z"), "isCanceled": False}
    activity = {"actionType": 0, "functionName": "a", "input": json.dumps(NOT_A_TIME_OF_OURS)}
    state = {
        "isDone": False,
        "schemaVersion": 2,
        "actions": [[timer, activity, {"actionType": 11, "compoundActions": [timer, {"compoundActions": [timer]}]}]],
        "customStatus": NOT_A_TIME_OF_OURS,
        "output": NOT_A_TIME_OF_OURS,
    }
    real = {**timer, "fireAt": STAMP}
    actions = [[real, activity, {"actionType": 11, "compoundActions": [real, {"compoundActions": [real]}]}]]
    assert json.loads(translation.state(json.dumps(state))) == {**state, "actions": actions}


def test_pauses_of_retries_are_real_ones(translation: Translation) -> None:
    options = {"firstRetryIntervalInMilliseconds": 60_000, "maxNumberOfAttempts": 3}
    state = {"actions": [[{"actionType": 12, "compoundActions": [{"actionType": 1, "retryOptions": options}]}]]}
    (found,) = json.loads(translation.state(json.dumps(state)))["actions"][0]
    assert found["compoundActions"][0]["retryOptions"] == {**options, "firstRetryIntervalInMilliseconds": 100}


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", "null", '{"actions": null}', '{"actions": [["x"]]}'])
def test_what_is_no_state_is_left_for_the_extension(translation: Translation, text: str) -> None:
    found = translation.state(text)
    assert found == text or json.loads(found) == json.loads(text)


def test_the_state_in_a_failure_is_in_real_time(translation: Translation) -> None:
    state = {"actions": [[{"actionType": 5, "fireAt": LATER}]], "error": f"broken at {LATER}"}
    text = f"Exception: broken at {LATER}\n\n{STATE_LABEL}{json.dumps(state)}\nand more"
    before, _, rest = translation.failure(text).partition(STATE_LABEL)
    assert before == f"Exception: broken at {LATER}\n\n"
    assert rest.endswith("}\nand more")
    assert json.loads(rest.removesuffix("\nand more")) == {**state, "actions": [[{"actionType": 5, "fireAt": STAMP}]]}


@pytest.mark.parametrize("text", ["ValueError: no", f"x {STATE_LABEL}", f"x {STATE_LABEL}{{", f"x {STATE_LABEL}7"])
def test_a_failure_without_state_stays(translation: Translation, text: str) -> None:
    assert translation.failure(text) == text


def test_a_status_is_in_the_apps_time(translation: Translation) -> None:
    status = {
        "input": NOT_A_TIME_OF_OURS,
        "customStatus": NOT_A_TIME_OF_OURS,
        "output": [NOT_A_TIME_OF_OURS],
        "createdTime": "2026-11-20T00:00:01Z",
        "lastUpdatedTime": "2026-11-20T00:00:02Z",
        "historyEvents": [{"EventType": "TimerFired", "FireAt": STAMP, "ScheduledTime": STAMP, "Timestamp": STAMP}],
    }
    told = {
        **status,
        "createdTime": "2026-11-20T00:10:00Z",
        "lastUpdatedTime": "2026-11-20T00:20:00Z",
        "historyEvents": [{"EventType": "TimerFired", "FireAt": LATER, "ScheduledTime": LATER, "Timestamp": LATER}],
    }
    assert json.loads(translation.answer(json.dumps(status).encode())) == told
    assert json.loads(translation.answer(json.dumps([status, status]).encode())) == [told, told]


@pytest.mark.parametrize("body", [b"", b"no JSON", b'{"instancesDeleted":1}', b'"text"', b"null", b"[]"])
def test_answers_without_times_stay(translation: Translation, body: bytes) -> None:
    assert translation.answer(body) == body


def test_a_query_is_in_real_time(translation: Translation) -> None:
    query = "taskHub=hub&createdTimeFrom=2026-11-20T00%3A15%3A00.000000Z&createdTimeTo=soon&runtimeStatus=Failed,Gone"
    assert translation.query(query) == (
        "taskHub=hub&createdTimeFrom=2026-11-20T00%3A00%3A01.5Z&createdTimeTo=soon&runtimeStatus=Failed,Gone"
    )
    assert translation.query("") == ""


def recorded_orchestrator_calls() -> list[dict[str, Any]]:
    lines = [line for file in sorted((RECORDED / "durable").glob("s*.jsonl")) for line in file.read_text().splitlines()]
    return [entry for entry in map(json.loads, lines) if entry["kind"] == "orchestrator"]


def test_a_clock_that_runs_with_the_real_one_changes_nothing_recorded() -> None:
    """Every recorded context and reply passes unchanged when there is nothing to translate."""
    same = Translation(Moments(ScaledClock(origin=0.0, factor=1.0)))
    contexts = [call["sent"] for call in recorded_orchestrator_calls()]
    assert len(contexts) > 100
    for text in contexts:
        assert json.loads(same.context(text)) == json.loads(text)
    for text in (call["returned"] for call in recorded_orchestrator_calls() if "returned" in call):
        # The SDK writes six decimals, .NET as many as are needed.
        assert json.loads(same.state(text)) == json.loads(re.sub(r"(fireAt\W+[\d:T.-]+?)0*Z", r"\1Z", text))
