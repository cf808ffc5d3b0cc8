"""The switch for bad days, the setting MOOR_PAUSED: what waits until it is turned off."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from gateways.settings import ALL, STARTS, SettingError, read_paused

logger = logging.getLogger(__name__)

_WHAT = {STARTS: "New operations are", ALL: "New operations and retries are"}


@dataclass(eq=False)
class Paused(Exception):
    """Something is not begun, because whoever operates the app has paused it."""

    message: str
    # Seconds. Nobody knows how long a bad day is; a client that asks each five minutes costs nothing.
    retry_after: int = 300


def check_start() -> None:
    """Raise Paused where new operations wait, or SettingError where the setting cannot be used."""
    if (how := read_paused()) is not None:
        raise _paused(how)


def check_retry() -> None:
    """Raise Paused where operations that have stopped wait too, or SettingError where the setting cannot be used."""
    if read_paused() == ALL:
        raise _paused(ALL)


def starts_wait() -> bool:
    """Whether what an event calls for is put off. So it is where the setting cannot be used."""
    try:
        return read_paused() is not None
    except SettingError as error:
        logger.error("new operations wait: %s", error)
        return True


def timers_wait() -> bool:
    """Whether timers leave operations alone that have stopped. They do not where the setting cannot be used."""
    try:
        return read_paused() == ALL
    except SettingError:
        return False


def _paused(how: str) -> Paused:
    what = f"{_WHAT[how]} paused (MOOR_PAUSED={how}): nothing was begun."
    return Paused(f"{what} Send the same request again when the pause is over.")
