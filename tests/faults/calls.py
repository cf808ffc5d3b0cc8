"""The switchboard: numbers every call that leaves the app's process and decides the fate of one of them.

Calls are numbered by arrival between ``begin`` and ``end``. The app's timers are off (the driver fires them by hand),
nobody else calls meanwhile, and what a process does once only (tokens, tables, imports) is done by a warm-up: so the
same operation makes the same calls in the same order, but for neighbours that the app itself makes at the same time.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from aiohttp import web

Action = Literal["pass", "error", "status"]

# Labels of calls that ask ARM to change something, and of those that ask a cluster, too.
CHANGES = r"^arm (?!GET |POST .*/list\w+$)"
ALL_CHANGES = r"^(arm|kubernetes) (?!GET |POST .*/(list\w+|runCommand|selfsubjectaccessreviews)$)"
_REFUSAL = 400
_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_OWN_NAME = re.compile(r"(?<=[/;'-])(fault-[a-z]+-\d+|[0-9a-f]{40})")
# What the driver itself sends to ARM as a person: a cluster that comes to be.
_DRIVERS_OWN = re.compile(r"/managedClusters/[^/]+$", re.IGNORECASE)


class Fault(StrEnum):
    """What happens to the chosen call. Of the last two an operation does not recover.

    ``FAILED_LATER`` lets Azure accept the chosen long-running operation and fail it.
    """

    ERROR_BEFORE = "error-before"
    ERROR_AFTER = "error-after"
    KILL_BEFORE = "kill-before"
    KILL_AFTER = "kill-after"
    REFUSED = "refused"
    FAILED_LATER = "failed-later"

    @property
    def ends(self) -> bool:
        """Whether the operation ends by it, and has to take back what it made."""
        return self in (Fault.REFUSED, Fault.FAILED_LATER)

    @property
    def kills(self) -> bool:
        """Whether the app's process dies of it."""
        return self in (Fault.KILL_BEFORE, Fault.KILL_AFTER)

    @property
    def before(self) -> bool:
        """Whether it strikes before the work of the call is done."""
        return self in (Fault.ERROR_BEFORE, Fault.KILL_BEFORE, Fault.REFUSED)


@dataclass(frozen=True)
class Plan:
    """Which call is struck, and how. With ``match`` it is the ``number``-th of the calls whose label fits."""

    number: int
    fault: Fault
    match: str = ""


@dataclass(frozen=True)
class Call:
    """One call: ``label`` is its kind, method and path without the names of this run."""

    number: int
    kind: str
    method: str
    path: str

    @property
    def label(self) -> str:
        """Tells calls apart in print, alike for every run."""
        return f"{self.kind} {self.method} {short(self.path)}"

    @property
    def changes_azure(self) -> bool:
        """Whether it asks ARM to change something; a POST that lists credentials changes nothing."""
        return re.search(CHANGES, self.label) is not None


def short(path: str) -> str:
    """A path without what is new in every run: ids, names, hashes, and the long way to a resource."""
    bare = _OWN_NAME.sub("*", _GUID.sub("{id}", path))
    return bare.rsplit("/providers/", 1)[-1] if bare.startswith("/subscriptions/") else bare


class Switchboard:
    """Asked before and after every call, from several programs at once; all of it runs in one event loop."""

    def __init__(self) -> None:
        self.kill: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._counting = False
        self._calls: list[Call] = []
        self._plan: Plan | None = None
        self._fitting = 0
        self._marked: tuple[str, str, str] | None = None
        self._struck: Call | None = None
        self._striking = False

    def begin(self, plan: Plan | None = None) -> None:
        """Number calls from 1 again and strike the planned one."""
        with self._lock:
            self._counting, self._calls, self._plan = True, [], plan
            self._fitting, self._marked, self._struck = 0, None, None

    def end(self) -> list[Call]:
        """Stop numbering; what was called since ``begin``."""
        with self._lock:
            self._counting, self._plan, self._marked = False, None, None
            return list(self._calls)

    @property
    def struck(self) -> Call | None:
        """The call that the fault has struck, once it has."""
        with self._lock:
            return self._struck

    @property
    def striking(self) -> bool:
        """Whether the chosen call has come, and what happens to it is not over yet."""
        with self._lock:
            return self._marked is not None or self._striking

    async def before(self, kind: str, method: str, path: str) -> Action:
        """Called when a call has come in and nothing has been done."""
        with self._lock:
            strikes = self._arrived(kind, method, path)
            self._striking |= strikes
        return await self._strike() if strikes else "pass"

    async def after(self, kind: str, method: str, path: str) -> Action:
        """Called when the work of a call is done and its answer is not sent."""
        with self._lock:
            strikes = self._marked == (kind, method, path)
            if strikes:
                self._marked, self._striking = None, True
        return await self._strike() if strikes else "pass"

    def _arrived(self, kind: str, method: str, path: str) -> bool:
        if not self._counting or (kind == "arm" and method == "PUT" and _DRIVERS_OWN.search(path)):
            return False
        call = Call(len(self._calls) + 1, kind, method, path)
        self._calls.append(call)
        plan = self._plan
        if plan is None or self._struck is not None:
            return False
        self._fitting += 1 if not plan.match or re.search(plan.match, call.label) else 0
        if self._fitting != plan.number or (plan.match and not re.search(plan.match, call.label)):
            return False
        self._struck = call
        if plan.fault.before:
            return True
        self._marked = (kind, method, path)
        return False

    async def _strike(self) -> Action:
        plan = self._plan
        try:
            if plan is not None and plan.fault.kills:
                await asyncio.to_thread(self.kill)
        finally:
            with self._lock:
                self._striking = False
        return "status" if plan is not None and plan.fault is Fault.REFUSED else "error"

    def routes(self) -> list[web.RouteDef]:
        """The call hook, as the local programs ask it (packages/controls/call_hook.py)."""
        return [web.post("/", self._answer)]

    async def _answer(self, request: web.Request) -> web.Response:
        question: dict[str, Any] = await request.json()
        ask = self.before if question["phase"] == "before" else self.after
        action = await ask(question["kind"], question["method"], question["path"])
        return web.json_response({"action": action, "status": _REFUSAL})
