"""App settings. docs/settings.md lists them all."""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass
from datetime import timedelta

from domain.arm_ids import WORKSPACE, ArmId, parse_arm_id
from domain.preflight.table import CHECK_NAMES
from domain.requests.durations import duration

# A scheme, a host name, a port and a path: no user, no query, no dot segments, nothing to be escaped.
_PUBLIC_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*)",
)
_APPROVAL_WORKSPACES, _APPROVAL_FOR_FORCE = "MOOR_APPROVAL_WORKSPACES", "MOOR_APPROVAL_FOR_FORCE"
# A record that is removed while somebody still sends its request again would be an operation again.
_LEAST_KEPT, _MOST_KEPT = timedelta(days=1), timedelta(days=36_500)
_OWN_MACHINE = frozenset({"localhost", "127.0.0.1"})
# What MOOR_PAUSED may say: new operations wait, or everything that begins a run.
STARTS, ALL = "starts", "all"


class SettingError(ValueError):
    """An app setting cannot be used; the text names it."""


@dataclass(frozen=True)
class Settings:
    """What the app was configured with; read afresh on every use, so that a test or a restart sees changes."""

    event_workspaces: tuple[ArmId, ...]
    events_topic_endpoint: str | None
    history_days: int
    stack_clock: str | None
    hard_checks: frozenset[str] = frozenset()
    approval_workspaces: tuple[ArmId, ...] = ()
    approval_for_force: bool = False
    public_url: str | None = None
    paused: str | None = None


def read_settings() -> Settings:
    """Read the settings that begin with ``MOOR_``, all of them: to see whether they can be used, not to work by them.

    Whoever works by one reads that one alone: a mistake in a setting stops nothing but what needs it. Raises
    SettingError naming the setting that cannot be used.
    """
    return Settings(
        event_workspaces=read_event_workspaces(),
        events_topic_endpoint=read_events_topic(),
        history_days=read_history_days(),
        stack_clock=os.environ.get("MOOR_CLOCK") or None,
        hard_checks=read_hard_checks(),
        approval_workspaces=_workspaces(_APPROVAL_WORKSPACES),
        approval_for_force=_yes_or_no(_APPROVAL_FOR_FORCE),
        public_url=read_public_url(),
        paused=read_paused(),
    )


def check_settings() -> None:
    """Read every setting that any part of the app reads through this module. Raises SettingError."""
    read_settings()
    read_limits()
    read_retention()


def read_event_workspaces() -> tuple[ArmId, ...]:
    """The workspaces of ``MOOR_EVENT_WORKSPACES``. Raises SettingError."""
    return _workspaces("MOOR_EVENT_WORKSPACES")


def read_events_topic() -> str | None:
    """The topic to which the start and end of operations are published; None when there is none."""
    return os.environ.get("MOOR_EVENTS_TOPIC_ENDPOINT") or None


def read_history_days() -> int:
    """Days after which the engine's histories are purged. Raises SettingError."""
    return _whole_number("MOOR_HISTORY_DAYS", default=30, least=1)


def read_hard_checks() -> frozenset[str]:
    """Names of the checks whose warnings are failures here. Raises SettingError."""
    return _checks("MOOR_HARD_CHECKS")


def read_approval_settings() -> Settings:
    """What the settings say of approvals, and nothing of the others. Raises SettingError."""
    return Settings(
        *((), None, 0, None),
        approval_workspaces=_workspaces(_APPROVAL_WORKSPACES),
        approval_for_force=_yes_or_no(_APPROVAL_FOR_FORCE),
    )


@dataclass(frozen=True)
class Retention:
    """How long records of operations that have ended are kept; ``period`` None: without limit.

    ``removes`` False: the timer only says which it would remove.
    """

    period: timedelta | None
    removes: bool = False


def read_retention() -> Retention:
    """Read the settings about old records. Raises SettingError naming the one that cannot be used."""
    name = "MOOR_RECORDS_KEPT"
    text = os.environ.get(name, "").strip()
    period = None
    if text:
        try:
            period = duration(text)
        except ValueError:
            raise SettingError(f"{name}: '{text}' is not an ISO 8601 duration such as P90D or P2Y") from None
        if not _LEAST_KEPT <= period <= _MOST_KEPT:
            raise SettingError(f"{name}: '{text}' is not between one day and a hundred years")
    return Retention(period, _yes_or_no("MOOR_RECORDS_REMOVE"))


@dataclass(frozen=True)
class Limits:
    """How much one caller may ask for: operations that are not over, and requests within a minute."""

    operations: int
    requests: int


def read_limits() -> Limits:
    """Read the settings that limit a caller. Raises SettingError naming the one that cannot be used."""
    return Limits(
        operations=read_most_operations(),
        requests=read_most_requests(),
    )


def read_most_operations() -> int:
    """How many operations of one caller may be under way. Raises SettingError."""
    return _whole_number("MOOR_OPERATIONS_PER_CALLER", default=200, least=1)


def read_most_requests() -> int:
    """How many requests one caller may send within a minute. Raises SettingError."""
    return _whole_number("MOOR_REQUESTS_PER_MINUTE", default=600, least=1)


def read_public_url() -> str | None:
    """The URL under which the API is reached, its prefix included and without a slash at the end; None when not set.

    Read alone where links are made: a mistake in another setting costs no answer. Raises SettingError.
    """
    name = "MOOR_PUBLIC_URL"
    text = os.environ.get(name, "").strip().rstrip("/")
    if not text:
        return None
    found = _PUBLIC_URL.fullmatch(text)
    if found is None or not (found["port"] is None or 0 < int(found["port"]) < 65536):
        raise SettingError(f"{name} must be an absolute https URL such as https://moor.example.net/api, and no more")
    if found["scheme"] == "http" and found["host"] not in _OWN_MACHINE:
        raise SettingError(f"{name} must begin with https: only a developer's own machine is reached by http")
    return text


def read_app_names() -> dict[str, str]:
    """The function app's name and its resource group as facts for commands: what App Service tells, where it does."""
    told = {"app": os.environ.get("WEBSITE_SITE_NAME"), "app_group": os.environ.get("WEBSITE_RESOURCE_GROUP")}
    return {fact: name for fact, name in told.items() if name}


def read_paused() -> str | None:
    """What is paused, STARTS or ALL; None when nothing is. Raises SettingError."""
    name = "MOOR_PAUSED"
    text = os.environ.get(name, "").strip().lower()
    if text not in ("", STARTS, ALL):
        raise SettingError(f"{name}: '{text}' is neither {STARTS} nor {ALL}")
    return text or None


def _workspaces(name: str) -> tuple[ArmId, ...]:
    ids = [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]
    try:
        return tuple(parse_arm_id(text, WORKSPACE) for text in ids)
    except ValueError as error:
        raise SettingError(f"{name}: {error}") from error


def _checks(name: str) -> frozenset[str]:
    names = [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]
    wrong = next((text for text in names if text not in CHECK_NAMES), None)
    if wrong is not None:
        close = difflib.get_close_matches(wrong, CHECK_NAMES, n=1)
        hint = f"; did you mean {close[0]}?" if close else " (docs/preflight.md lists them)"
        raise SettingError(f"{name}: '{wrong}' is not the name of a check{hint}")
    return frozenset(names)


def _whole_number(name: str, *, default: int, least: int) -> int:
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or int(text) < least:
        raise SettingError(f"{name}: '{text}' is not a whole number of {least} or more")
    return int(text)


def _yes_or_no(name: str) -> bool:
    text = os.environ.get(name, "").strip().lower()
    if text not in ("", "true", "false"):
        raise SettingError(f"{name}: '{text}' is neither true nor false")
    return text == "true"
