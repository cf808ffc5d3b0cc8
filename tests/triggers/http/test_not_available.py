"""Paths of later work: refused by name, whatever is sent, and nothing is started."""

from __future__ import annotations

from typing import Any

import pytest

from tests.triggers.http.http_app import App, functions
from triggers.http.not_available import PATHS

LATER = [(method, f"/{path}") for path, method in PATHS]


def test_they_are_those_of_the_contract_that_nothing_else_serves() -> None:
    assert sorted(LATER) == [("GET", "/attachments"), ("POST", "/fleet/attach"), ("POST", "/fleet/detach")]
    routes = [(method, f"/{each.route}") for each in functions() for method in each.methods]
    assert [routes.count(each) for each in LATER] == [1, 1, 1]
    names = [each.name for each in functions() if each.name.startswith("http_later_")]
    assert sorted(names) == ["http_later_attachments", "http_later_fleet_attach", "http_later_fleet_detach"]


@pytest.mark.parametrize("body", [None, {"anything": 1}, b"{"], ids=["no body", "a body", "no JSON"])
@pytest.mark.parametrize(("method", "path"), LATER)
async def test_they_are_refused_by_name(app: App, method: str, path: str, body: Any) -> None:
    answer = await app.call(method, path, body)
    assert (answer.status, answer.error["code"], answer.error["target"]) == (400, "NotAvailableYet", path)
    assert path in answer.error["message"]
    assert app.engine.started == []


@pytest.mark.parametrize(("method", "path"), [("GET", "/fleet/attach"), ("POST", "/attachments")])
async def test_other_methods_of_these_paths_are_unknown(app: App, method: str, path: str) -> None:
    with pytest.raises(AssertionError, match="the host answers 404"):
        await app.call(method, path)
