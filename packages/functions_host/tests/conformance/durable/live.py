"""The recorded requests made again to a freely running engine with the app's real functions: every instance ends alike.

Here nothing is scripted: how fast activities end and which events share an episode is up to our engine. Pauses between
requests are kept, three times as fast; an answer counts as soon as it is the recorded one, within a deadline. Of
entries that several activities wrote at once only the order may differ.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from packages.controls.clock import ScaledClock
from packages.functions_host.durable.api.client import Client
from packages.functions_host.durable.api.management import ManagementApi
from packages.functions_host.durable.engine import Engine
from packages.functions_host.durable.protocol.timestamps import ticks_from_text
from packages.functions_host.durable.replay import Names
from packages.functions_host.durable.store import Store
from packages.functions_host.tests.conformance.checks import Check, Tally, first_difference
from packages.functions_host.tests.conformance.durable import masks
from packages.functions_host.tests.conformance.durable.driven_app import DrivenApp
from packages.functions_host.tests.conformance.durable.exchanges import (
    Front,
    learn_id,
    masked,
    substitute,
)
from packages.functions_host.tests.conformance.durable.lockstep import WEBHOOKS
from packages.functions_host.tests.conformance.durable.recordings import SCENARIOS, load

FACTOR = 3.0
_DEADLINE = 15.0
# Left out here, each is checked by the lock step.
_SKIPPED = {
    "s15-call-http.jsonl": "the server that was called is not part of the recording",
    "s16-nondeterminism.jsonl": "the code changes between two calls",
    "s22-wait-loops.jsonl": "the requests were not written down",
}
_LEFT_OUT = {
    "instances/s02-o_notjson": "the failure's text holds the address of an object",
    "instances/s06-o_all_fail_uncaught": "which of two failures arrives first is chance",
    "instances/s10b-a": "the output is a traceback with the frames of the recording's own worker",
}


class Live:
    """All scenarios share one engine, as they did when they were recorded."""

    def __init__(self, folder: Path) -> None:
        app = DrivenApp()
        self.engine = Engine(
            store=Store(folder / "durable.db"),
            clock=ScaledClock(time.time(), FACTOR),
            names=Names(tuple(app.activities), tuple(app.orchestrators)),
            invoke_orchestrator=app.invoke_orchestrator,
            invoke_activity=app.invoke_activity,
            max_orchestrators=10,
            max_activities=10,
        )
        self.api = ManagementApi(Client(self.engine), WEBHOOKS, None)

    async def play(self, front: Front, file: str) -> Tally:
        tally, known = Tally(), dict[str, str]()
        records = [record for record in load(file) if record["kind"] == "http"]
        before = ticks_from_text(records[0]["t"])
        for record in records:
            pause = ticks_from_text(record["t"]) - before
            before += pause
            if record["request"]["method"] != "GET":
                await asyncio.sleep(min(pause / 1e7, 1.5) / FACTOR)
            reason = next((text for part, text in _LEFT_OUT.items() if part in record["request"]["url"]), None)
            if reason is None:
                known |= await self._exchange(front, record, known, tally)
            else:
                tally.left_out.append(reason)
        return tally

    async def _exchange(
        self, front: Front, record: dict[str, Any], known: dict[str, str], tally: Tally
    ) -> dict[str, str]:
        request, recorded = record["request"], record["response"]
        deadline = time.monotonic() + (_DEADLINE if request["method"] == "GET" else 0)
        while True:
            status, _, body = await front.send(
                request["method"], substitute(request["url"], known), request["headers"], request["body"]
            )
            learnt = learn_id(recorded["body"], body)
            expected = (recorded["status"], _loose(substitute(recorded["body"], known | learnt)))
            ours = (status, _loose(body))
            if expected == ours:
                tally.agreeing += 1
                return learnt
            if time.monotonic() > deadline:
                tally.differing.append(f"{request['method']} {request['url']}\n{first_difference(expected, ours)}")
                return learnt
            await asyncio.sleep(0.02)


def _loose(body: str) -> str:
    """Times that are data differ in a second run too; entries of parallel activities come in any order."""
    text = masked(masks.times(body))
    if '"historyEvents"' not in text:
        return text
    value = json.loads(text)
    value["historyEvents"].sort(key=json.dumps)
    return json.dumps(value)


async def check_all() -> dict[str, Tally]:
    real_sleep = time.sleep
    with tempfile.TemporaryDirectory() as folder:
        before, tempfile.tempdir = tempfile.tempdir, folder
        time.sleep = lambda seconds, /: real_sleep(float(seconds) / FACTOR)
        live = Live(Path(folder))
        await live.engine.start()
        try:
            async with Front(live.api) as front:
                files = [file for file in SCENARIOS if file not in _SKIPPED]
                tallies = await asyncio.gather(*(live.play(front, file) for file in files))
        finally:
            await live.engine.stop()
            time.sleep = real_sleep
            tempfile.tempdir = before
    return dict(zip(files, tallies, strict=True))


class _Once:
    """The scenarios run together once; each file's check takes its part."""

    result: dict[str, Tally] | None = None

    async def tally(self, file: str) -> Tally:
        if file in _SKIPPED:
            return Tally(left_out=[_SKIPPED[file]])
        if self.result is None:
            self.result = await check_all()
        return self.result[file]


_once = _Once()


def _make(file: str) -> Check:
    async def run() -> Tally:
        return await _once.tally(file)

    return Check(file, "live", run)


CHECKS = [_make(file) for file in SCENARIOS]
