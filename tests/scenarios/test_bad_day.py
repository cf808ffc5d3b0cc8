"""A bad day, on a stack of its own: an identity that is not assigned, hours of outage, and limits that are used up."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from local.stack import Options, Stack, running_stack
from packages.functions_host.durable.store import Store
from tests.scenarios.conftest import BY_HAND, place_in
from tests.scenarios.helpers import ended as at_its_end
from tests.scenarios.helpers import eventually, put_in_place, step_of, succeeded
from tests.scenarios.many_detaches import SETTINGS, ask, places, play, put_all

pytestmark = [pytest.mark.long, pytest.mark.own_engine]

FACTOR = 600.0
HOURS = 3 * 3600.0
NOT_ASSIGNED = "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bad-day")


def test_a_bad_day(folder: Path) -> None:
    with running_stack(Options(factor=FACTOR, settings={**BY_HAND, **SETTINGS}), state_dir=folder) as stack:
        operation_id = _the_identity_is_not_assigned(stack)
        _azure_has_an_outage(stack, operation_id, folder)
        _the_limits_are_used_up(stack)


def _the_identity_is_not_assigned(stack: Stack) -> str:
    place = place_in(stack)
    put_in_place(stack, place)
    body = {"statusCode": 400, "message": NOT_ASSIGNED}
    # The app reaches its tables with the same identity: it has that token still.
    stack.azure.add_fault(kind="identity", method="*", path=r"\?(?!.*storage)", every=True, status=400, body=body)
    operation = at_its_end(stack, ask(stack, place))
    stack.azure.clear_faults()
    assert (operation["status"], operation["error"]["code"]) == ("Failed", "AppIdentityRefused")
    assert operation["error"]["step"] == "resolve"
    assert NOT_ASSIGNED in operation["error"]["message"]
    assert step_of(operation, "resolve")["attempts"] == 1
    return str(operation["id"])


def _azure_has_an_outage(stack: Stack, operation_id: str, folder: Path) -> None:
    """Longer than the bound of any step; the operation is retried into it, and the run's own history stays short."""
    stack.azure.add_fault(kind="arm", method="*", path=".*", every=True, status=503)
    assert stack.app.call("POST", f"/operations/{operation_id}/retry", {}).status == 202
    eventually(lambda: step_of(stack.app.operation(operation_id), "resolve")["attempts"] > 6, "attempts in the outage")
    time.sleep(HOURS / FACTOR)
    # Between two polls, or in one.
    assert step_of(stack.app.operation(operation_id), "resolve")["status"] in ("Waiting", "Running")
    stack.azure.clear_faults()
    succeeded(stack, operation_id)
    store = Store(next(folder.rglob("durable.db")))
    try:
        assert len(store.history(f"{operation_id}-2")) < 200
        assert [i.instance_id for i in store.instances(f"{operation_id}-2:resolve")] == [f"{operation_id}-2:resolve"]
    finally:
        store.close()


def _the_limits_are_used_up(stack: Stack) -> None:
    """As by 250 detaches at Azure's own limits (many_detaches.py), in small."""
    found = places(5, "limits")
    put_all(stack, found)
    slow = {"size": 20, "perSecond": 0.05}
    stack.azure.settings(throttling={"enabled": True, "reads": slow, "writes": slow, "deletes": slow})
    played = play(stack, found, patience=300.0)
    assert played.ends == {"Succeeded": len(found)}, str(played)
    assert played.deletions == (1,) * len(found)
    # Some were refused, or held back before Azure had to refuse them.
    operations = stack.app.call("GET", "/operations?kind=detach").body["value"]
    assert len(operations) >= len(found)
    told = [str(line.get("message")) for each in operations for line in stack.app.journal(each["id"])]
    assert [message for message in told if "are used up for now" in message or "429" in message], told
