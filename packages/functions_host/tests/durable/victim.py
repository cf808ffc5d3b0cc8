"""A program with a tiny app on a task hub, to be killed: ``python -m ...victim STATE_DIR EFFECTS_FILE [SECONDS]``.

Ends itself by ``kill -9`` after so many real seconds, if they are given: whoever does that from outside may be late.

Starts the instances on its first run, goes on with them on every later one, and leaves by itself once all have
finished.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from azure.durable_functions.orchestrator import Orchestrator

from packages.controls.clock import ScaledClock
from packages.functions_host.durable.api.extension import DurableExtension
from packages.functions_host.workers.errors import WorkerError

STEPS = 6
INSTANCES = 4
# A tenth of a real second: what a killed run had in hand is not lost on the next one.
VISIBILITY = ("controlQueueVisibilityTimeout", "workItemQueueVisibilityTimeout")


def journey(context: Any) -> Any:
    """Activities, a timer, a child that polls by continue-as-new, a fan-out."""
    done = []
    for number in range(STEPS):
        value = yield context.call_activity("effect", {"who": context.instance_id, "step": number})
        done.append(value)
    yield context.create_timer(context.current_utc_datetime + dt.timedelta(seconds=5))
    polls = yield context.call_sub_orchestrator("poll", {"n": 0}, f"{context.instance_id}:poll")
    fan = yield context.task_all(
        [context.call_activity("effect", {"who": context.instance_id, "step": 100 + n}) for n in range(3)]
    )
    return {"done": done, "polls": polls, "fan": fan}


def poll(context: Any) -> Any:
    """One look and one wait per generation."""
    state = context.get_input()
    yield context.call_activity("effect", {"who": context.instance_id, "step": state["n"]})
    if state["n"] == 4:
        return state["n"]
    wake = context.wait_for_external_event("wake")
    timer = context.create_timer(context.current_utc_datetime + dt.timedelta(seconds=3))
    won = yield context.task_any([wake, timer])
    if won is wake:
        timer.cancel()
    context.continue_as_new({"n": state["n"] + 1})
    return None


TABLE = {"journey": journey, "poll": poll}


async def orchestrate(name: str, context: str) -> str:
    try:
        return str(Orchestrator.create(TABLE[name])(context))
    except Exception as error:
        raise WorkerError(type(error).__name__, str(error), "") from error


async def main(state: Path, effects: Path) -> None:
    async def act(name: str, instance_id: str, text: str | None) -> str | None:
        value = json.loads(text or "{}")
        await asyncio.sleep(0.004)
        with effects.open("a") as file:
            file.write(f"{value['who']} {value['step']} {os.getpid()}\n")
        return json.dumps(value["step"] * 2)

    extension = DurableExtension(
        state_dir=state,
        clock=ScaledClock(1_700_000_000.0, 600.0),
        options={"storageProvider": dict.fromkeys(VISIBILITY, "00:01:00")},
        orchestrators=list(TABLE),
        activities=["effect"],
        invoke_orchestrator=orchestrate,
        invoke_activity=act,
        duplicate_share=0.2,
        seed=os.getpid(),
        base_url="http://127.0.0.1:1",
        system_key="KEY",
    )
    await extension.start()
    names = [f"j-{number}" for number in range(INSTANCES)]
    for name in names:
        if extension.client.get(name) is None:
            extension.client.start("journey", name, None)
    if len(sys.argv) > 3:
        timer = threading.Timer(float(sys.argv[3]), os.kill, (os.getpid(), signal.SIGKILL))
        timer.daemon = True
        timer.start()

    def finished() -> bool:
        rows = [extension.client.get(name) for name in names]
        return all(row is not None and row.finished for row in rows)

    assert await extension.engine.wait_for(finished, 60)
    await extension.stop()


if __name__ == "__main__":
    began = time.monotonic()
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
    print(f"done {time.monotonic() - began:.2f}", flush=True)
