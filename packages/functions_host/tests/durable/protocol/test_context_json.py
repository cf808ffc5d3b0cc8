"""What an orchestrator is called with."""

import json

from packages.functions_host.durable.protocol import context_json, history


def test_a_context_is_what_the_sdk_reads() -> None:
    events = [
        history.orchestrator_started("2026-11-20T22:08:18Z"),
        history.execution_started(
            instance_id="i",
            execution_id="e",
            name="o",
            input_text='{"ü": 1.0}',
            generation=0,
            timestamp="2026-11-20T22:08:17Z",
        ),
    ]
    text = context_json.render(
        history=events, input_text='{"ü": 1.0}', instance_id="i", parent_instance_id=None, source_instance_id=None
    )
    assert json.loads(text)["history"] == events
    assert '  "input": {\n    "ü": 1.0\n  },\n  "instanceId": "i",\n  "isReplaying": false,\n' in text
    again = context_json.render(
        history=[*events, history.orchestrator_started("2026-11-20T22:08:19Z")],
        input_text=None,
        instance_id="i",
        parent_instance_id="p",
        source_instance_id="s",
    )
    assert json.loads(again)["isReplaying"] is True
    assert json.loads(again)["parentInstanceId"] == "p"
    assert json.loads(again)["sourceInstanceId"] == "s"
