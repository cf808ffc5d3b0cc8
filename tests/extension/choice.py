"""Which scenarios run on Microsoft's extension: all but those about our own engine, and none where it is not there.

What does not run is left out when tests are collected, and the summary of the run says how many and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from local import engines
from packages.functions_host.extension.options import EXTENSION

OWN_ENGINE = "own_engine"
ABSENT = "durable-host is not there: neither on the PATH nor in ../shared/tools"
ABOUT_OWN = "they look inside our own engine, or have it misbehave"
_OUTPUT = "left_out_of_extension"
_LEFT_OUT = pytest.StashKey[dict[str, int]]()


def choose(
    items: Sequence[pytest.Item], folder: str, engine: str, there: bool
) -> tuple[list[Any], dict[str, list[Any]]]:
    """The tests that run, and those of ``folder`` that do not, by reason."""
    kept: list[Any] = []
    left: dict[str, list[Any]] = {}
    for item in items:
        reason = None
        if engine == EXTENSION and item.nodeid.startswith(folder):
            if not there:
                reason = ABSENT
            elif item.get_closest_marker(OWN_ENGINE):
                reason = ABOUT_OWN
        if reason is None:
            kept.append(item)
        else:
            left.setdefault(reason, []).append(item)
    return kept, left


def leave_out(config: pytest.Config, items: list[pytest.Item], folder: str, engine: str) -> None:
    """Take out of ``items`` what does not run on this engine, and remember how many."""
    kept, left = choose(items, folder, engine, engine != EXTENSION or engines.is_there())
    if not left:
        return
    items[:] = kept
    config.hook.pytest_deselected(items=[item for part in left.values() for item in part])
    counts = {reason: len(part) for reason, part in left.items()}
    config.stash[_LEFT_OUT] = counts
    output = getattr(config, "workeroutput", None)
    if output is not None:
        output[_OUTPUT] = counts


def remember(config: pytest.Config, node: Any) -> None:
    """A process that ran tests side by side with others has ended: each has collected the same."""
    counts = getattr(node, "workeroutput", {}).get(_OUTPUT)
    if counts:
        config.stash[_LEFT_OUT] = counts


def say(terminal: Any, config: pytest.Config) -> None:
    """Tell what was left out."""
    for reason, count in config.stash.get(_LEFT_OUT, {}).items():
        terminal.write_line(f"{count} left out on Microsoft's extension: {reason}")


def succeed_without_any(session: pytest.Session) -> None:
    """A run of which everything was left out for want of the program has not failed."""
    if session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and session.config.stash.get(_LEFT_OUT, {}):
        session.exitstatus = pytest.ExitCode.OK
