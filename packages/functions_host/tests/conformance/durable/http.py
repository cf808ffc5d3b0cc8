"""The management API and the RPC listener answer as recorded: http.jsonl and client.jsonl, over the real functions.

The functions' own calls are not in these files, so the engine runs freely between the requests, until nothing is left.
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
from packages.functions_host.durable.api.rpc import RPC_PATH
from packages.functions_host.durable.engine import Engine
from packages.functions_host.durable.replay import Names
from packages.functions_host.durable.store import Store
from packages.functions_host.tests.conformance.checks import Check, Tally
from packages.functions_host.tests.conformance.durable import masks
from packages.functions_host.tests.conformance.durable.driven_app import DrivenApp
from packages.functions_host.tests.conformance.durable.exchanges import (
    Front,
    compare_exchange,
    learn_id,
    masked,
    substitute,
)
from packages.functions_host.tests.conformance.durable.lockstep import WEBHOOKS
from packages.functions_host.tests.conformance.durable.recordings import load

_RPC_ORIGIN = "http://127.0.0.1:17071"
# Instances that were started without being written down, before the request of the given note or section.
_UNRECORDED: dict[str, list[tuple[str, str, str | None]]] = {
    "raiseEvent": [("o_wait", "h-ev", None)],
    "event name with a blank": [("o_wait", "h-ev2", None)],
    "suspend and resume": [("o_wait", "h-sus", "null")],
    "suspended": [("o_wait", "h-psus", None)],
    "list and purge by filter": [
        *(("o_echo", f"l-{number}", f'{{"k": {number}}}') for number in range(5)),
        ("o_fail_uncaught", "l-fail", '{"k": "f"}'),
        ("o_wait", "l-wait", '{"k": "w"}'),
    ],
}


class Free:
    """An engine with the driven app that runs by itself."""

    def __init__(self, folder: Path) -> None:
        app = DrivenApp()
        self.names = Names(tuple(app.activities), tuple(app.orchestrators))
        self.engine = Engine(
            store=Store(folder / "durable.db"),
            clock=ScaledClock(time.time()),
            names=self.names,
            invoke_orchestrator=app.invoke_orchestrator,
            invoke_activity=app.invoke_activity,
            max_orchestrators=10,
            max_activities=10,
        )
        self.client = Client(self.engine)
        self.api = ManagementApi(self.client, WEBHOOKS, None)

    async def settle(self) -> None:
        """Wait until no message and no activity is left."""
        store = self.engine.store
        deadline = time.monotonic() + 10
        while store.instances_with_messages() or store.activities():
            assert time.monotonic() < deadline, "the engine does not come to rest"
            await asyncio.sleep(0.002)


async def check_http() -> Tally:
    tally = Tally()
    known: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        free = Free(Path(folder))
        await free.engine.start()
        async with Front(free.api) as front:
            for number, record in enumerate(load("http.jsonl")):
                section = record.get("text") if record["kind"] == "section" else record.get("note")
                missing = _UNRECORDED.get(str(section), [])
                for name, instance_id, text in missing:
                    if free.client.get(instance_id) is None and not _too_early(record, instance_id):
                        free.client.start(name, instance_id, text)
                        await free.settle()
                        if instance_id == "h-psus":
                            free.client.suspend(instance_id, None)
                await free.settle()
                if record["kind"] == "http":
                    known |= await compare_exchange(front, number, record, known, tally)
                    await free.settle()
                elif record["kind"] == "durable-client-binding-string":
                    ours = WEBHOOKS.client_binding(f"{_RPC_ORIGIN}{RPC_PATH}/")
                    tally.compare(f"line {number + 1}: client binding", record["value"], ours)
                elif record["kind"] == "management-payload":
                    ours = json.dumps(WEBHOOKS.instance_urls("some id", rewind=True), separators=(",", ":"))
                    tally.compare(f"line {number + 1}: management payload", record["value"], ours)
        await free.engine.stop()
    return tally


def _too_early(record: dict[str, Any], instance_id: str) -> bool:
    """Notes repeat: only the request about the instance itself counts."""
    return record["kind"] == "http" and instance_id not in record["request"]["url"]


async def check_client() -> Tally:
    tally = Tally()
    known: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        free = Free(Path(folder))
        await free.engine.start()
        async with Front(free.api, RPC_PATH, _RPC_ORIGIN) as front:
            for number, record in enumerate(load("client.jsonl")):
                wires = record.get("wire", [])
                for index, wire in enumerate(wires):
                    await free.settle()
                    what = (
                        f"line {number + 1}: {record['call']} {wire['method']} {wire['url'].removeprefix(_RPC_ORIGIN)}"
                    )
                    if len(wires) > 1 and index < len(wires) - 1:
                        tally.left_out.append(
                            f"{what}: what a poll sees before the last one depends on how fast the other side is"
                        )
                        continue
                    known |= await _compare_wire(front, what, wire, known, tally)
        await free.engine.stop()
    return tally


async def _compare_wire(
    front: Front, what: str, wire: dict[str, Any], known: dict[str, str], tally: Tally
) -> dict[str, str]:
    # The client passes None on as "no body at all".
    body = None if wire["json_body"] in (None, "null") else wire["json_body"]
    headers = {} if body is None else {"Content-Type": "application/json"}
    status, _, text = await front.send(wire["method"], substitute(wire["url"], known), headers, body)
    parsed: Any = json.loads(text) if text.strip() else ("" if wire["method"] == "GET" else None)
    recorded_status, recorded = wire["result"]
    learnt = learn_id(json.dumps(recorded, separators=(",", ":")), text)
    known = {**known, **learnt}
    tally.compare(
        what,
        (recorded_status, _shown(recorded, known)),
        (status, _shown(parsed, {})),
    )
    return learnt


def _shown(body: Any, known: dict[str, str]) -> Any:
    """Lists are in the order of ids, some of which are generated: they are compared in an order of their own."""
    if isinstance(body, list):
        return sorted(str(_shown(item, known)) for item in body)
    return _masked(substitute(json.dumps(body, ensure_ascii=False), known))


def _masked(text: str) -> str:
    return masked(masks.times(text).replace('"StackTrace": "', '"StackTrace":"'))


CHECKS = [Check("http.jsonl", "requests", check_http), Check("client.jsonl", "requests", check_client)]
