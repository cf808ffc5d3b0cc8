"""The HTTP functions over fresh tables."""

from __future__ import annotations

import pytest

from tests.conftest import Tables
from tests.entra import Documents
from tests.entra import documents as documents
from tests.triggers.http.http_app import App


@pytest.fixture
def app(tables: Tables, documents: Documents) -> App:
    return App()
