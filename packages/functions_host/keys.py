"""Access keys: master, host, per-function and system keys; made at first start and kept in the state folder."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any


class Level(IntEnum):
    """What a request's key allows, in the host's order."""

    ANONYMOUS = 0
    FUNCTION = 1
    SYSTEM = 2
    ADMIN = 3


@dataclass(frozen=True)
class KeyRing:
    """All keys of one app."""

    master: str
    host: Mapping[str, str] = field(default_factory=dict)
    system: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def level_of(self, key: str | None, function: str | None = None) -> Level:
        """The level that ``key`` gives, for ``function`` when one is named."""
        if not key:
            return Level.ANONYMOUS
        if _same(key, self.master):
            return Level.ADMIN
        own = self.functions.get(function.lower(), {}) if function else {}
        if any(_same(key, value) for value in (*self.host.values(), *own.values())):
            return Level.FUNCTION
        if any(_same(key, value) for value in self.system.values()):
            return Level.SYSTEM
        return Level.ANONYMOUS

    def opens_extension(self, key: str | None, extension: str) -> bool:
        """Whether ``key`` is the master key or the system key ``<extension>_extension``."""
        wanted = self.system.get(f"{extension.lower()}_extension")
        return bool(key) and (_same(key or "", self.master) or (wanted is not None and _same(key or "", wanted)))


def request_key(header: str | None, query: Sequence[tuple[str, str]]) -> str | None:
    """The key of a request: the ``x-functions-key`` header when it is present at all, else the first ``code``."""
    if header is not None:
        return header
    return next((value for name, value in query if name.lower() == "code"), None)


def allows(level: Level, needed: str) -> bool:
    """Whether a key of ``level`` may call a function of auth level ``needed``; a system key opens no function."""
    needed = needed.lower()
    if needed == "anonymous" or level is Level.ADMIN:
        return True
    return needed == "function" and level is Level.FUNCTION


def load_keys(state_dir: Path, given: Path | None = None) -> KeyRing:
    """The keys in ``given``, or those of the state folder (made now when there are none).

    ``given`` is JSON: ``master``, ``function`` (the default host key), ``eventgrid``, ``durabletask`` and optionally
    ``functions`` {name: {key name: key}}; what it leaves out is made and kept in the state folder. Raises ValueError
    when it is no JSON object.
    """
    store = state_dir / "keys.json"
    content = _read(store)
    content.setdefault("master", secrets.token_urlsafe(40))
    for name in ("function", "eventgrid", "durabletask"):
        content.setdefault(name, secrets.token_urlsafe(40))
    _write(store, content)
    if given is not None:
        overrides = json.loads(given.read_text(encoding="utf-8"))
        if not isinstance(overrides, dict):
            raise ValueError(f"{given}: must hold a JSON object")
        content |= overrides
    functions: dict[str, dict[str, str]] = content.get("functions") or {}
    return KeyRing(
        master=content["master"],
        host={"default": content["function"]},
        system={"eventgrid_extension": content["eventgrid"], "durabletask_extension": content["durabletask"]},
        functions={str(name).lower(): dict(keys) for name, keys in functions.items()},
    )


def _same(given: str, wanted: str) -> bool:
    return secrets.compare_digest(given.encode(), wanted.encode())


def _read(store: Path) -> dict[str, Any]:
    try:
        content = json.loads(store.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write(store: Path, content: Mapping[str, object]) -> None:
    """Replace the file in one step, so that a kill leaves the old or the new one."""
    store.parent.mkdir(parents=True, exist_ok=True)
    temporary = store.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
    temporary.replace(store)
