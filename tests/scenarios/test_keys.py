"""What exists with function keys only: a stack of a developer's machine, and one without any way in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.app_client import AppClient
from local.stack import Options, Stack, running_stack
from tests.scenarios.conftest import BY_HAND, FACTOR, place_in
from tests.scenarios.helpers import changes, put_in_place, succeeded


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose app takes keys, and lets their holders use one privileged option."""
    options = Options(factor=FACTOR, settings={**BY_HAND, "MOOR_AUTH": "keys", "MOOR_KEYS_MAY": "force"})
    with running_stack(options, state_dir=tmp_path_factory.mktemp("keys")) as running:
        yield running


def test_a_key_is_an_operator_without_a_name(keyed: Stack) -> None:
    place = place_in(keyed)
    app = AppClient(keyed.url, keyed.function_key)
    assert app.call("GET", "/operations", key="wrong").status == 401
    assert AppClient(keyed.url, token=keyed.app.token).call("GET", "/operations").status == 401
    done = succeeded(keyed, app.start("attach", place.attach_body())["id"])
    assert (done["requestedBy"]["principal"], done["requestedBy"].get("name")) == (None, None)
    assert "principal" not in app.journal(done["id"])[0]["data"]

    refused = app.call("POST", "/attach", place.attach_body(grantRoles=True))
    assert (refused.status, refused.body["error"]["code"]) == (403, "NeedsIdentity")
    assert "grantRoles" in refused.body["error"]["message"]
    forced = app.start("detach", place.detach_body(workloads={"policy": "force"}))
    assert succeeded(keyed, forced["id"])["result"]["detached"] is True


def test_no_key_says_yes(keyed: Stack) -> None:
    place = place_in(keyed)
    put_in_place(keyed, place)
    app = AppClient(keyed.url, keyed.function_key)
    operation = app.start("detach", place.detach_body(approval="required"))
    app.wait_until(operation["id"], lambda o: bool(o["status"] == "NeedsApproval"))
    for answer in ("approve", "reject"):
        refused = app.call("POST", f"/operations/{operation['id']}/{answer}", {})
        assert (refused.status, refused.body["error"]["code"]) == (403, "NeedsIdentity")
    assert changes(keyed, place.compute_id) == []
    assert app.call("POST", f"/operations/{operation['id']}/cancel", {}).status == 202


def test_without_the_setting_every_route_but_health_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    options = Options(factor=FACTOR, settings={**BY_HAND, "MOOR_AUTH": ""})
    with running_stack(options, state_dir=tmp_path_factory.mktemp("unset")) as stack:
        for app in (AppClient(stack.url), stack.app):
            for method, path in (("GET", "/operations"), ("GET", "/openapi.json"), ("POST", "/attach")):
                answer = app.call(method, path, {} if method == "POST" else None)
                assert (answer.status, answer.body["error"]["code"]) == (503, "AuthNotConfigured")
                assert "MOOR_AUTH is not set" in answer.body["error"]["message"]
        assert AppClient(stack.url).call("GET", "/health").status == 200
