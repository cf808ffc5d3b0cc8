"""Drives the real engine along a recording, one recorded step at a time, with a worker that replies what was recorded.

Each recorded context says by its last episode which events it brought. The harness lets exactly these reach the
instance - a timer fires, an activity returns its recorded result - then runs one episode of the engine and compares the
context that Python would get, byte for byte but for time stamps. Requests in between go through the real management API
when their turn comes. Generated ids are learnt as they appear, so that they must be used alike on both sides.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from pathlib import Path
from typing import Any

from packages.controls.clock import ScaledClock
from packages.functions_host.durable.api.client import Client
from packages.functions_host.durable.api.management import ManagementApi
from packages.functions_host.durable.api.urls import Webhooks
from packages.functions_host.durable.engine import Engine
from packages.functions_host.durable.protocol.history import RESULT_KEYS, Event
from packages.functions_host.durable.protocol.timestamps import ticks_from_text
from packages.functions_host.durable.replay import HTTP_ACTIVITY, Names
from packages.functions_host.durable.store import ActivityMessage, Message, Store
from packages.functions_host.tests.conformance.checks import Tally
from packages.functions_host.tests.conformance.durable import masks
from packages.functions_host.tests.conformance.durable.driven_app import DrivenApp, recorded_failure
from packages.functions_host.tests.conformance.durable.exchanges import Front, compare_exchange
from packages.functions_host.tests.conformance.durable.recordings import (
    ORIGIN,
    Call,
    app_of,
    as_call,
    load,
)

WEBHOOKS = Webhooks(ORIGIN, "probe", "Storage", "SYSTEMKEY")


class SteppedEngine(Engine):
    """An engine that does nothing by itself and whose clock stands where the recording is."""

    time = 0

    def wake(self, instance_id: str) -> None:
        """The harness decides whose turn it is."""

    def now(self) -> int:
        self.time += 1
        return self.time

    def at(self, stamp: str) -> None:
        self.time = ticks_from_text(stamp) - 1


class LockStep:
    """One scenario."""

    def __init__(self, file: str, folder: Path, tally: Tally) -> None:
        self._records = load(file)
        self._tally = tally
        self._app = DrivenApp(app_of(file))
        # Files recorded with 3.14.1 know neither sourceInstanceId nor the single blank.
        self._old = file.startswith("s22")
        self.engine = SteppedEngine(
            store=Store(folder / "durable.db"),
            clock=ScaledClock(0),
            names=Names(tuple(self._app.activities), tuple(self._app.orchestrators)),
            invoke_orchestrator=self._reply,
            invoke_activity=self._result,
            max_orchestrators=1,
            max_activities=1,
        )
        self._store = self.engine.store
        self._client = Client(self.engine)
        self._api = ManagementApi(self._client, WEBHOOKS, None)
        self._ours: dict[str, str] = {}
        self._calls: dict[str, deque[Call]] = defaultdict(deque)
        self._results: dict[tuple[str, str, str | None], deque[dict[str, Any]]] = defaultdict(deque)
        for number, record in enumerate(self._records):
            if record["kind"] == "orchestrator":
                self._calls[record["instanceId"]].append(as_call(number, record))
            elif record["kind"] == "activity":
                self._results[record["instanceId"], record["function"], record["sent"]].append(record)
        self._scripted = set(self._calls)
        self._current = ""

    async def run(self) -> None:
        async with Front(self._api) as front:
            for number, record in enumerate(self._records):
                if "t" in record:
                    self.engine.at(record["t"])
                if record["kind"] == "orchestrator":
                    await self._step(number, record["instanceId"])
                elif record["kind"] == "http":
                    await self._free_run(record["request"]["url"])
                    learnt = await compare_exchange(front, number, record, self._ours, self._tally)
                    self._ours.update(learnt)
        self._store.close()

    # -- one episode -------------------------------------------------------------------------------------------------

    async def _step(self, number: int, recorded_id: str) -> None:
        waiting = self._calls[recorded_id]
        if not waiting or waiting[0].number != number:
            return  # the first call after continue-as-new: it was made in the episode before
        call, own_id = waiting[0], self._own(recorded_id)
        held = await self._deliver(call, own_id)
        self.engine.at(call.history[call.first_new]["Timestamp"])
        self._current = recorded_id
        await self.engine.episodes.run(own_id)
        for message in held:
            self._store.add_message(own_id, message.execution_id, message.event)
        if waiting and waiting[0].number == number:
            waiting.popleft()
            self._tally.differing.append(f"{_title(call)}\n  the engine did not call the orchestrator")

    async def _reply(self, name: str, context: str) -> str:
        if self._current not in self._scripted:
            return self._app.answer(name, context)
        waiting = self._calls[self._current]
        if not waiting:
            self._tally.differing.append(f"{self._current}\n  called once more than recorded")
            return '{"isDone": false, "schemaVersion": 2, "actions": [[]]}'
        call = waiting.popleft()
        recorded, ours = self._own(call.sent), context
        if self._old:
            recorded = recorded.replace("failed:  ", "failed: ")
            ours = ours.replace('  "sourceInstanceId": null,\n', "")
        self._tally.compare(_title(call), _masked(recorded), _masked(ours))
        mine = json.loads(context)["history"]
        for theirs, own in zip(call.history, mine, strict=False):
            if theirs["EventType"] == own["EventType"] == 0:
                self._learn(theirs, own)
        if call.raised is not None:
            raise recorded_failure({key: self._own(text) for key, text in call.raised.items()})
        return self._own(call.returned or "")

    def _learn(self, theirs: Event, own: Event) -> None:
        recorded, mine = theirs["OrchestrationInstance"]["ExecutionId"], own["OrchestrationInstance"]["ExecutionId"]
        self._ours[recorded] = mine

    def _own(self, text: str) -> str:
        for recorded, own in self._ours.items():
            text = text.replace(recorded, own)
        return text

    # -- what an episode brings --------------------------------------------------------------------------------------

    async def _deliver(self, call: Call, own_id: str) -> list[Message]:
        """Let the recorded events reach the instance, in their order; what has come too early is held back."""
        wanted = call.history[call.first_new + 1 :]
        for index, event in enumerate(wanted):
            if event["EventType"] in (5, 6):
                await self._finish_activity(call, own_id, event)
            elif event["EventType"] in (0, 15):
                self._ask_unrecorded(own_id, event, sum(_same(other, event) for other in wanted[: index + 1]))
            elif event["EventType"] == 11:
                for timer in self._store.timers():
                    if timer.instance_id == own_id and timer.timer_id == event["TimerId"]:
                        self.engine.fire(timer)
        held = self._store.messages(own_id)
        chosen: list[Message] = []
        for event in wanted:
            match = next((message for message in held if _same(message.event, event)), None)
            if match is None:
                self._tally.differing.append(f"{_title(call)}\n  nothing sent event {event['EventType']} {event}"[:400])
                continue
            chosen.append(match)
            held.remove(match)
        with self._store.transaction():
            self._store.delete_messages([*chosen, *held])
            for message in chosen:
                self._store.add_message(own_id, message.execution_id, message.event)
        return held

    def _ask_unrecorded(self, own_id: str, event: Event, needed: int) -> None:
        """One file holds no requests: a start or an event that nobody sent is sent now."""
        waiting = sum(_same(message.event, event) for message in self._store.messages(own_id))
        if waiting >= needed or not self._old:
            return
        if event["EventType"] == 0 and event["ParentInstance"] is None:
            self._client.start(event["Name"], own_id, event["Input"])
        elif event["EventType"] == 15:
            self._client.raise_event(own_id, event["Name"], event["Input"])

    async def _finish_activity(self, call: Call, own_id: str, event: Event) -> None:
        for message in self._store.activities():
            if message.instance_id == own_id and message.task_id == event["TaskScheduledId"]:
                if message.name == HTTP_ACTIVITY:
                    self._answer_http(message, event)
                else:
                    self._current = call.instance_id
                    await self.engine.run_activity(message)
                return

    def _answer_http(self, message: ActivityMessage, event: Event) -> None:
        """The server that was called is gone; its recorded answer is put in (the call itself has a test of its own)."""
        with self._store.transaction():
            self._store.delete_activity(message)
            self._store.add_message(message.instance_id, message.execution_id, {**event, "IsPlayed": False})

    async def _result(self, name: str, instance_id: str, text: str | None) -> str | None:
        if self._current not in self._scripted:
            return self._app.run(name, text)
        record = self._results[self._current, name, text].popleft()
        if "raised" in record:
            raise recorded_failure(record["raised"])
        returned: str | None = record["returned"]
        return returned

    async def _free_run(self, url: str) -> None:
        """Instances whose calls are not in the file (a restart's new id) run with the real functions."""
        for row in self._store.instances():
            own = row.instance_id
            if any(self._own(known) == own for known in self._scripted) or self._own(url).find(own) < 0:
                continue
            self._current = own
            while self._store.messages(own) or any(item.instance_id == own for item in self._store.activities()):
                await self.engine.episodes.run(own)
                for message in self._store.activities():
                    if message.instance_id == own:
                        await self.engine.run_activity(message)


def _masked(context: str) -> str:
    return masks.frame_places(masks.ids(masks.stamps(context)))


def _title(call: Call) -> str:
    return f"line {call.number + 1}: {call.function} {call.instance_id}"


def _same(ours: Event, recorded: Event) -> bool:
    kind = recorded["EventType"]
    if ours["EventType"] != kind:
        return False
    if kind in RESULT_KEYS:
        return bool(ours[RESULT_KEYS[kind]] == recorded[RESULT_KEYS[kind]])
    return kind != 15 or bool(ours["Name"] == recorded["Name"] and ours["Input"] == recorded["Input"])
