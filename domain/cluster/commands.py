"""Commands in a cluster that a step has begun and whose results it polls.

They stand among the operation URLs of the record, because the URL of a result may carry a signature: that column is
never shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from domain.operation.record import Operation
from domain.times import from_text, to_text

_WITH_TOKEN, _WITHOUT = "entra", "plain"


@dataclass(frozen=True)
class Command:
    """What it asks of the cluster, since when, whether a token went along (``entra``), and where its result is."""

    asks: str
    begun: datetime
    entra: bool
    url: str = field(repr=False)


def commands_of(operation: Operation, step: str) -> tuple[Command, ...]:
    """The commands that a step has begun and not seen to their end."""
    found = []
    for name, url in operation.operation_urls.items():
        if name.startswith(_prefix(step)):
            begun, way, asks = name.removeprefix(_prefix(step)).split(" ", 2)
            found.append(Command(asks, from_text(begun), way == _WITH_TOKEN, url))
    return tuple(found)


def with_commands(operation: Operation, step: str, commands: Iterable[Command]) -> Operation:
    """The operation with these commands in the place of those that the step had begun before."""
    others = {name: url for name, url in operation.operation_urls.items() if not name.startswith(_prefix(step))}
    begun = {
        f"{_prefix(step)}{to_text(each.begun)} {_WITH_TOKEN if each.entra else _WITHOUT} {each.asks}": each.url
        for each in commands
    }
    if not begun and len(others) == len(operation.operation_urls):
        return operation
    return replace(operation, operation_urls={**others, **begun})


def _prefix(step: str) -> str:
    return f"{step}: "
