"""Lets an outside driver decide the fate of each call that reaches a local program.

When a program is given ``--call-hook URL`` it asks that URL before and after the work of every incoming call. The
answer says whether to let the call pass, to close the connection without an answer, or to answer with a status. A hook
that does not answer, or answers nonsense, never disturbs the program: the call passes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

import aiohttp

Action = Literal["pass", "error", "status"]


@dataclass(frozen=True)
class Verdict:
    """What to do with a call: let it pass, drop the connection, or answer with ``status``."""

    action: Action = "pass"
    status: int | None = None


PASS = Verdict()


class CallHook:
    """Client of the hook at ``url``; one instance per program, closed with ``close``."""

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None

    async def before(self, kind: str, method: str, path: str) -> Verdict:
        """Ask before the work of a call is done; ``kind`` is for example ``arm``, ``engine`` or ``function``."""
        return await self._ask({"phase": "before", "kind": kind, "method": method, "path": path})

    async def after(self, kind: str, method: str, path: str, status: int) -> Verdict:
        """Ask when the work of a call is done and ``status`` is about to be sent."""
        return await self._ask({"phase": "after", "kind": kind, "method": method, "path": path, "status": status})

    async def close(self) -> None:
        """Close the connection pool."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask(self, question: dict[str, object]) -> Verdict:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        try:
            async with self._session.post(self._url, json=question) as response:
                return _verdict(json.loads(await response.text()))
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
            return PASS


def _verdict(answer: object) -> Verdict:
    if not isinstance(answer, dict):
        return PASS
    action, status = answer.get("action"), answer.get("status")
    if action == "error":
        return Verdict("error")
    if action == "status" and isinstance(status, int):
        return Verdict("status", status)
    return PASS
