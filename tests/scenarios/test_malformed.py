"""What nobody wrote as it should be, over the wire: events are acknowledged, requests are 400, and nothing answers 500.

What the host's own reader cannot take (nested deeper than 64, integers of more than 380 digits, no JSON) never reaches
the app, on Azure neither; packages/functions_host has that from the real host.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from local.app_client import AppClient
from local.stack import Stack
from tests.making import CLUSTER_ID
from tests.scenarios.event_reports import have_cluster
from tests.scenarios.helpers import Place, eventually, rows
from tests.triggers.test_event_reader import DEEP, SCHEMAS, good, malformed

NOTIFICATION = {"aeg-event-type": "Notification"}
# Texts of JSON, as they stand in a body.
VALUES = (
    *("[" * 60 + "]" * 60, '{"a":' * 900 + "1" + "}" * 900, "NaN", "Infinity", "1e999", "-1e-999", "9" * 300),
    *("9" * 5000, '"\\ud800"', '"\\u0000"', '{"a": 1, "a": 2}', '{"\\ud800": 1}', "null", "[[]]", '""', "-0", "1.5"),
)
BEYOND_THE_HOST = (VALUES[1], "9" * 5000)
BODIES = (b"", b"\xff\xfe{\x00}\x00", b'{"computeName": "\xc3\x28"}', b"[" * 60_000, b"{", b"\xef\xbb\xbf[]", b"\x00")


def test_no_malformed_event_and_no_malformed_request_answers_500(stack: Stack, event_place: Place) -> None:
    have_cluster(stack, event_place)
    answers = Counter(post(stack, body) for body in events_about(event_place.cluster_id))
    print(f"malformed events: {sum(answers.values())} deliveries, by status {dict(answers)}")
    assert set(answers) == {202}

    answers = Counter(requests(stack, event_place))
    print(f"malformed requests: {sum(answers.values())}, by status {dict(answers)}")
    # A question that nobody asks, of an operation that does not exist, may well be a sound request.
    assert set(answers) <= {400, 404}
    assert answers[400] > 100
    eventually(lambda: not any(row["seen"] > row["handled"] for row in told(stack, event_place)), "the looks to end")


def events_about(cluster_id: str) -> list[str]:
    """Bodies of deliveries: the table of events ten at a time, and texts that only a wire has."""
    table = [event for _, event in malformed() if isinstance(event, dict) and DEEP not in event.values()]
    table = [event for event in table if not isinstance(event.get("data"), dict) or DEEP not in event["data"].values()]
    texts = [json.dumps(event).replace(CLUSTER_ID, cluster_id) for event in table]
    texts = [text for text in texts if len(text) < 50_000]
    assert len(texts) > 250
    many = [f"[{','.join(texts[at : at + 10])}]" for at in range(0, len(texts), 10)]
    for schema in SCHEMAS:
        event = json.dumps({**good(schema), "mark": "@"}).replace(CLUSTER_ID, cluster_id)
        many += [event.replace('"@"', value) for value in VALUES if value not in BEYOND_THE_HOST]
        many += [event.replace('"mark"', name) for name in ('"data"', '"id"', '"specversion"', '"\\ud800"')]
    return [*many, "\ufeff[]", "[]", "{}", "[{}]"]


def post(stack: Stack, body: str) -> int:
    return AppClient(stack.url).call("POST", stack.event_webhook, body.encode(), NOTIFICATION).status


def requests(stack: Stack, place: Place) -> list[int]:
    """Statuses of requests with an odd value in each place, and of bodies that are no request."""
    attach = {**place.attach_body(), "tags": {"a": "b"}}
    found = _statuses(stack.app, "/attach", attach)
    return found + _statuses(stack.approver, "/operations/none/approve", {"questionId": "q", "reason": "r"})


def _statuses(app: AppClient, path: str, body: dict[str, Any]) -> list[int]:
    odd = [json.dumps({**body, name: "@"}).replace('"@"', value).encode() for name in body for value in VALUES]
    return [app.call("POST", path, data).status for data in (*odd, *BODIES)]


def told(stack: Stack, place: Place) -> list[dict[str, Any]]:
    return [row for row in rows(stack, "reactions") if row.get("cluster") == place.cluster_id.lower()]
