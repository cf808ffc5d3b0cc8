"""Rewind: the failures in a history are blanked, so that the next replay schedules the failed tasks again.

Source: the rewind algorithm of DurableTask.AzureStorage (AzureTableTrackingStore.RewindHistoryAsync) and recording
s19: the failure, the event that scheduled a failed activity and the failed completion become GenericEvents; children
that failed are rewound in turn and their creation stays; only the deepest failed instances get the message that wakes
them.
"""

from __future__ import annotations

from dataclasses import replace

from packages.functions_host.durable.protocol import history
from packages.functions_host.durable.protocol.history import Event
from packages.functions_host.durable.store import Store


def clear_failures(store: Store, instance_id: str) -> list[str]:
    """Blank the failures of an instance and of its failed children; the ids of the instances to wake.

    Must run inside a transaction of ``store``.
    """
    instance = store.instance(instance_id)
    if instance is None:
        return []
    events = store.history(instance_id)
    failed_tasks = {event["TaskScheduledId"] for event in events if event["EventType"] == 6}
    failed_children = {event["TaskScheduledId"] for event in events if event["EventType"] == 9}
    cleared: list[Event] = []
    leaves: list[str] = []
    for event in events:
        kind = event["EventType"]
        blank = (
            kind in (6, 9)
            or (kind == 4 and event["EventId"] in failed_tasks)
            or (kind == 1 and event["OrchestrationStatus"] == "Failed")
        )
        if kind == 7 and event["EventId"] in failed_children:
            leaves += clear_failures(store, event["InstanceId"])
        cleared.append(_blank(event) if blank else event)
    store.append_history(instance_id, 0, cleared)
    store.put_instance(replace(instance, status="Pending"))
    return leaves if failed_children else [instance_id]


def _blank(event: Event) -> Event:
    return history.generic(None, event["Timestamp"], event["EventId"], event["IsPlayed"])
