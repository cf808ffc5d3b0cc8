"""A stack whose every outgoing call passes the switchboard, with durations so short that a run takes a second."""

from __future__ import annotations

import asyncio
import threading
import urllib.request
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from local.stack import Options, Stack, running_stack
from tests.faults.calls import TIMERS, Switchboard
from tests.faults.table_proxy import TableProxy

T = TypeVar("T")

# A host needs some three seconds to start, which must stay far below the bounds of steps (30 minutes).
FACTOR = 150.0
# Simulated seconds. An operation is over when it is asked for the second time: the same calls in every run.
DURATIONS = {
    "cluster.create": 20,
    "cluster.delete": 20,
    "extension.create": 30,
    "extension.delete": 30,
    "compute.attach": 30,
    "compute.detach": 30,
    "job.queue": 5,
    "job.run": 10,
}
RETRY_AFTER = 45
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="faults", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=60)

    def close(self) -> None:
        """End the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()


@dataclass
class FaultStack:
    """A running stack, its switchboard and the proxy before its tables."""

    stack: Stack
    switchboard: Switchboard
    proxy: TableProxy
    loop: Loop
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 1_000_000)))

    def watch(self) -> None:
        """Fire the timers of the watch now. A host that is down is passed over."""
        headers = {"x-functions-key": self.stack.keys["master"], "Content-Type": "application/json"}
        for duty in TIMERS[:3]:
            url = f"{self.stack.url}/admin/functions/{duty}"
            request = urllib.request.Request(url, data=b"{}", headers=headers, method="POST")
            try:
                _OPENER.open(request, timeout=10).close()
            except OSError:
                return

    def storage_away(self) -> None:
        """Storage refuses connections from now on."""
        self.loop.run(self.proxy.go_away())

    def storage_back(self) -> None:
        """Storage serves again."""
        self.loop.run(self.proxy.come_back())


@contextmanager
def fault_stack(
    state_dir: Path,
    *,
    factor: float = FACTOR,
    durations: Mapping[str, float] = DURATIONS,
    retry_after: int = RETRY_AFTER,
    settings: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Iterator[FaultStack]:
    """A stack under a switchboard. Raises StackError when a part does not start."""
    loop, switchboard = Loop(), Switchboard()
    proxy = TableProxy(switchboard)
    tls = state_dir.resolve() / "azure" / "tls"
    runner = web.AppRunner(_hook_app(switchboard), access_log=None)

    def front_of_tables(port: int) -> int:
        return loop.run(proxy.start(port, tls / "localhost.pem", tls / "localhost-key.pem"))

    try:
        url = loop.run(_serve(runner))
        # The driver fires the timers itself, when it is to be.
        given = {f"AzureWebJobs.{name}.Disabled": "true" for name in TIMERS}
        chosen = Options(
            factor=factor,
            front_of_tables=front_of_tables,
            settings={**given, **(settings or {})},
            **{"call_hook": url, **(options or {})},
        )
        with running_stack(chosen, state_dir=state_dir) as stack:
            switchboard.kill = stack.kill_host
            stack.azure.settings(
                durations=dict(durations), retryAfterSeconds=retry_after, throttling={"enabled": False}
            )
            yield FaultStack(stack, switchboard, proxy, loop)
    finally:
        loop.run(proxy.close())
        loop.run(runner.cleanup())
        loop.close()


def _hook_app(switchboard: Switchboard) -> web.Application:
    app = web.Application()
    app.add_routes(switchboard.routes())
    return app


async def _serve(runner: web.AppRunner) -> str:
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}/"
