"""What the app's identity used of its rights in a run of the scenarios, held against infra/roles and docs/roles.md.

A pytest plugin: each process tells what its shared stack saw; the one that has them all judges, prints a table, and
fails the run. Whether an action is used by no scenario is judged by `make roles`, when all scenarios ran.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local import app_roles
from local.stack import Stack
from packages.simulated_azure.access.action_patterns import fits
from tests.scenarios.roles_page import beside_actions, unshown

_FOLDER = Path(__file__).parent
_KEY = pytest.StashKey["Seen"]()
_OUTPUT = "moor_role_use"
# Set by `make roles`: only then is what no scenario uses judged.
WHOLE = "JUDGE_UNUSED_ACTIONS"


@dataclass
class Seen:
    """What one process saw: actions (data actions apart) with the first scope of each; tests collected, and passed."""

    actions: dict[str, str] = field(default_factory=dict)
    data_actions: dict[str, str] = field(default_factory=dict)
    collected: set[str] = field(default_factory=set)
    passed: set[str] = field(default_factory=set)
    left_out: int = 0

    def add(self, other: Mapping[str, Any]) -> None:
        """Lay what another process saw over it."""
        self.actions |= other["actions"]
        self.data_actions |= other["dataActions"]
        self.collected |= set(other["collected"])
        self.passed |= set(other["passed"])
        self.left_out = max(self.left_out, other["leftOut"])

    def told(self) -> dict[str, Any]:
        """The same for another process."""
        return {
            "actions": self.actions,
            "dataActions": self.data_actions,
            "collected": sorted(self.collected),
            "passed": sorted(self.passed),
            "leftOut": self.left_out,
        }

    @property
    def complete(self) -> bool:
        """Whether every scenario that there is ran and passed."""
        files = {node.partition("::")[0].rsplit("/", 1)[-1] for node in self.collected}
        every = {path.name for path in _FOLDER.glob("test_*.py")}
        return files == every and self.collected <= self.passed and not self.left_out


def judge(
    granted: Iterable[str], beside: Iterable[str], used: Mapping[str, str], explained: Iterable[str], *, complete: bool
) -> list[str]:
    """What is wrong between the role, what is assigned beside it, what was used, and what the page explains."""
    granted, beside, explained = list(granted), list(beside), {each.lower() for each in explained}
    wrong = [
        f"{action} (first over {scope}) is used and neither in infra/roles/moor.json nor assigned beside it"
        for action, scope in sorted(used.items())
        if not fits([*granted, *beside], action)
    ]
    if not complete:
        return wrong
    for pattern in granted:
        shown = any(fits([pattern], action) for action in used)
        if not shown and pattern.lower() not in explained:
            wrong.append(f"{pattern} is granted, used by no scenario, and docs/roles.md does not say why")
        if shown and pattern.lower() in explained:
            wrong.append(f"{pattern} is used, and docs/roles.md says that no scenario shows it")
    return wrong


def table(granted: Iterable[str], used: Iterable[str]) -> list[str]:
    """Each granted action and whether it was used; what was used beside the role; counts."""
    granted, used = list(granted), sorted(used, key=str.lower)
    lines = [f"{'used' if any(fits([p], a) for a in used) else '-':5} {p}" for p in granted]
    count = sum(line.startswith("used") for line in lines)
    more = [f"used beside the role: {action}" for action in used if not fits(granted, action)]
    return [*lines, *more, f"{count} of {len(granted)} granted actions used"]


def tell(config: pytest.Config, stack: Stack) -> None:
    """Keep what a stack saw of the app's identity, before it goes."""
    seen = config.stash[_KEY]
    for use in stack.azure.uses(app_roles.APP_OBJECT):
        (seen.data_actions if use["data"] else seen.actions)[use["action"]] = use["scope"]


def granted() -> list[str]:
    """The actions of the shipped role."""
    actions: list[str] = json.loads((app_roles.FOLDER / "moor.json").read_text())["Actions"]
    return actions


def pytest_configure(config: pytest.Config) -> None:
    """Begin with nothing seen."""
    config.stash[_KEY] = Seen()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note which scenarios are to run."""
    ours = {item.nodeid for item in session.items if _FOLDER in item.path.parents}
    session.config.stash[_KEY].collected |= ours


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Note which will not."""
    ours = [item for item in items if _FOLDER in item.path.parents]
    if ours:
        ours[0].config.stash[_KEY].left_out += len(ours)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Note which passed."""
    report = yield
    if report.when == "call" and report.passed and _FOLDER in item.path.parents:
        item.config.stash[_KEY].passed.add(item.nodeid)
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker of xdist saw."""
    told = getattr(node, "workeroutput", {}).get(_OUTPUT)
    if told:
        node.config.stash[_KEY].add(told)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand over what was seen, or judge it."""
    seen = session.config.stash[_KEY]
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_OUTPUT] = seen.told()
    elif _judged(seen):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The table, and what is wrong."""
    seen = config.stash[_KEY]
    if not seen.actions:
        return
    terminalreporter.section("what the app's identity used of its role")
    lines = table(granted(), seen.actions)
    if not seen.complete:
        unused = ", ".join(pattern for pattern in granted() if not any(fits([pattern], a) for a in seen.actions))
        lines = [lines[-1], f"Not every scenario ran and passed; the run did not use: {unused or '-'}"]
    for line in lines:
        terminalreporter.line(line)
    for line in sorted(seen.data_actions):
        if seen.complete:
            terminalreporter.line(f"data action used: {line}")
    for line in _judged(seen):
        terminalreporter.line(f"WRONG: {line}", red=True)


def _judged(seen: Seen) -> list[str]:
    if not seen.actions:
        return []
    return judge(granted(), beside_actions(), seen.actions, unshown(), complete=seen.complete and WHOLE in os.environ)
