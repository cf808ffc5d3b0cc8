"""All of this folder runs on Microsoft's extension, or is left out where it is not."""

from __future__ import annotations

from typing import Any

import pytest

from packages.functions_host.extension.options import EXTENSION
from tests.extension import choice


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    choice.leave_out(config, items, "tests/extension/", EXTENSION)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    choice.say(terminalreporter, config)


def pytest_sessionfinish(session: pytest.Session) -> None:
    choice.succeed_without_any(session)
