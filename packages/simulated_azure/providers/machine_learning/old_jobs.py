"""Jobs of long ago, which have ended: made when they are read, so that a workspace can have a hundred thousand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

from packages.simulated_azure.arm import resources
from packages.simulated_azure.world import World

_KIND = "oldJobs"
_PREFIX = "old-"
# One an hour, the newest a day ago.
_APART, _NEWEST = 3600.0, 86_400.0
_STATUSES = ("Completed", "Completed", "Failed", "Canceled")
Build = Callable[[World, str, dict[str, Any], float], dict[str, Any]]


class OldJobs(Sequence[dict[str, Any]]):
    """The old jobs of a workspace behind those that it really has, newest first, as a list shows them."""

    def __init__(self, world: World, workspace_id: str, build: Build, before: Sequence[dict[str, Any]] = ()) -> None:
        self._world, self._workspace, self._build, self._before = world, workspace_id, build, before
        self._given = world.store.get(_KIND, resources.key_of(workspace_id)) or {"count": 0}

    def __len__(self) -> int:
        return len(self._before) + int(self._given["count"])

    @overload
    def __getitem__(self, wanted: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, wanted: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, wanted: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(wanted, slice):
            return [self[index] for index in range(len(self))[wanted]]
        if wanted >= len(self):
            raise IndexError(wanted)
        return self._before[wanted] if wanted < len(self._before) else self._old(wanted - len(self._before))

    def named(self, name: str) -> dict[str, Any] | None:
        """The old job of that name."""
        number = name.removeprefix(_PREFIX)
        if not name.startswith(_PREFIX) or not number.isdecimal() or int(number) >= int(self._given["count"]):
            return None
        return self._old(int(number))

    def _old(self, number: int) -> dict[str, Any]:
        made = float(self._given["at"]) - _NEWEST - number * _APART
        given = {
            "computeId": self._given.get("computeId") if number % 2 else None,
            "status": _STATUSES[number % len(_STATUSES)],
            "isArchived": number % 10 == 9,
        }
        return self._build(self._world, f"{self._workspace}/jobs/{_PREFIX}{number}", given, made)


def put(world: World, workspace_id: str, item: dict[str, Any]) -> None:
    """Give a workspace ``count`` old jobs; every other one ran on ``computeId``."""
    kept = {"count": int(item["count"]), "computeId": item.get("computeId"), "at": world.clock.timestamp()}
    world.store.put(_KIND, resources.key_of(workspace_id), kept)
