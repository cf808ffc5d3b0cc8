"""The switchboard: numbers every call that leaves the app's process and decides the fate of one of them.

Calls are numbered by arrival between ``begin`` and ``end``. The app's timers are off (the driver fires them by hand),
nobody else calls meanwhile, and what a process does once only (tokens, tables, imports) is done by a warm-up: so the
same operation makes the same calls in the same order, but for neighbours that the app itself makes at the same time.

The host says which function runs: that is the step of a call. A step, a label and an occurrence name a call in every
run, however many calls came before it.
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
FUNCTION = "function"  # The kind of what the host says of a function that runs: that is no call.
TIMERS = (
    *("watch_operations", "free_claims", "look_at_clusters", "list_clusters"),
    *("purge_histories", "resume_stuck_detaches", "finish_undos", "remove_records"),
)
_REFUSAL = 400
_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_OWN_NAME = re.compile(r"(?<=[/;'-])(fault-[a-z]+-\d+|faultaks[0-9a-f]+|moor-[0-9a-f]{12}-\d+|[0-9a-f]{40})")
# What the driver itself sends to ARM as a person: a cluster that comes to be, or goes.
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
    """Which call is struck, and how: the ``number``-th of those whose label fits ``match``.

    With ``step`` only calls of the function of that name count.
    """

    number: int
    fault: Fault
    match: str = ""
    step: str | None = None

    def fits(self, call: Call) -> bool:
        """Whether a call is one of those that are counted."""
        return self.step in (None, call.step) and re.search(self.match, call.label) is not None


@dataclass(frozen=True)
class Call:
    """One call: ``label`` is its kind, method and path without the names of this run.

    ``step`` is the function that runs: a step's activity, or what answers a request or an event.
    """

    number: int
    kind: str
    method: str
    path: str
    step: str = ""

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


@dataclass
class _Planned:
    """A plan under way: how many calls have fitted, and the one that is struck, once it has come."""

    plan: Plan
    fitting: int = 0
    struck: Call | None = None
    # The call has come, and is struck when its work is done.
    marked: bool = False


class Switchboard:
    """Asked before and after every call, from several programs at once; all of it runs in one event loop."""

    def __init__(self) -> None:
        self.kill: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._counting = False
        self._calls: list[Call] = []
        self._planned: list[_Planned] = []
        self._striking = 0
        self._functions: list[str] = []

    def begin(self, *plans: Plan) -> None:
        """Number calls from 1 again and strike the planned ones."""
        with self._lock:
            self._counting, self._calls = True, []
            self._planned = [_Planned(plan) for plan in plans]
            self._functions = []

    def end(self) -> list[Call]:
        """Stop numbering; what was called since ``begin``."""
        with self._lock:
            self._counting = False
            for planned in self._planned:
                planned.marked = False
            return list(self._calls)

    @property
    def struck(self) -> list[Call | None]:
        """For each plan the call that its fault has struck, once it has."""
        with self._lock:
            return [planned.struck for planned in self._planned]

    @property
    def striking(self) -> bool:
        """Whether a chosen call has come, and what happens to it is not over yet."""
        with self._lock:
            return self._striking > 0 or any(planned.marked for planned in self._planned)

    async def before(self, kind: str, method: str, path: str) -> Action:
        """Called when a call has come in and nothing has been done."""
        with self._lock:
            if kind == FUNCTION:
                self._functions.append(path)
                return "pass"
            plan = self._arrived(kind, method, path)
            self._striking += plan is not None
        return await self._strike(plan) if plan is not None else "pass"

    async def after(self, kind: str, method: str, path: str) -> Action:
        """Called when the work of a call is done and its answer is not sent."""
        with self._lock:
            if kind == FUNCTION:
                if path in self._functions:  # Those of a host that was killed are forgotten.
                    self._functions.remove(path)
                return "pass"
            plan = self._done(kind, method, path)
            self._striking += plan is not None
        return await self._strike(plan) if plan is not None else "pass"

    def _arrived(self, kind: str, method: str, path: str) -> Plan | None:
        if not self._counting or (kind == "arm" and method in ("PUT", "DELETE") and _DRIVERS_OWN.search(path)):
            return None
        call = Call(len(self._calls) + 1, kind, method, path, self._step)
        self._calls.append(call)
        chosen: Plan | None = None
        for planned in self._planned:
            if planned.struck is not None or not planned.plan.fits(call):
                continue
            planned.fitting += 1
            if planned.fitting == planned.plan.number and chosen is None:
                chosen, planned.struck = planned.plan, call
                planned.marked = not chosen.fault.before
        return chosen if chosen is not None and chosen.fault.before else None

    @property
    def _step(self) -> str:
        """The function that began last. Timers run beside it, when the driver fires them: they are no steps."""
        return next((name for name in reversed(self._functions) if name not in TIMERS), "")

    def _done(self, kind: str, method: str, path: str) -> Plan | None:
        for planned in self._planned:
            call = planned.struck
            if planned.marked and call is not None and (call.kind, call.method, call.path) == (kind, method, path):
                planned.marked = False
                return planned.plan
        return None

    async def _strike(self, plan: Plan) -> Action:
        try:
            if plan.fault.kills:
                await asyncio.to_thread(self.kill)
        finally:
            with self._lock:
                self._striking -= 1
                if plan.fault.kills:
                    self._forget_the_dead()
        return "status" if plan.fault is Fault.REFUSED else "error"

    def _forget_the_dead(self) -> None:
        """What ran in the host runs no more, and no answer of a call that was under way has reached it."""
        self._functions = []
        for planned in self._planned:
            planned.marked = False

    def routes(self) -> list[web.RouteDef]:
        """The call hook, as the local programs ask it (packages/controls/call_hook.py)."""
        return [web.post("/", self._answer)]

    async def _answer(self, request: web.Request) -> web.Response:
        question: dict[str, Any] = await request.json()
        ask = self.before if question["phase"] == "before" else self.after
        action = await ask(question["kind"], question["method"], question["path"])
        return web.json_response({"action": action, "status": _REFUSAL})
