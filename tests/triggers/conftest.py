"""The HTTP functions over fresh tables."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from gateways import clock
from tests.conftest import Tables
from tests.entra import Documents
from tests.entra import documents as documents
from tests.triggers.http.http_app import App


@pytest.fixture
def app(tables: Tables, documents: Documents) -> App:
    return App()


@pytest.fixture
def after(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Lets so much time pass."""
    present = clock.now

    def passes(much: timedelta) -> None:
        monkeypatch.setattr(clock, "now", lambda: present() + much)

    return passes
