"""A user-assigned identity that is named as Microsoft's templates name it: for the host's storage, and nowhere else."""

from __future__ import annotations

import pytest

from local import world as worlds
from local.stack import Options, running_stack
from tests.scenarios.conftest import BY_HAND, FACTOR, place_in
from tests.scenarios.helpers import ended

CLIENT_ID = "5e5e5e5e-0000-4000-8000-00000000000c"


def test_everything_goes_by_that_identity(tmp_path_factory: pytest.TempPathFactory) -> None:
    world = worlds.world_of()
    # The system-assigned identity of this world has no role at all.
    principals = [
        {**each, "systemAssigned": False, "clientId": CLIENT_ID} if each.get("systemAssigned") else each
        for each in world["principals"]
    ]
    options = Options(
        factor=FACTOR,
        world={**world, "principals": principals},
        settings={**BY_HAND, "AzureWebJobsStorage__clientId": CLIENT_ID},
    )
    with running_stack(options, state_dir=tmp_path_factory.mktemp("identity")) as stack:
        assert stack.app.get("/health")["status"] == "healthy"
        place = place_in(stack)
        attached = ended(stack, stack.app.start("attach", place.attach_body())["id"])
        assert attached["status"] == "Succeeded", attached["error"]
        app = [each for each in stack.azure.requests(kind="identity") if each["path"] == "/msi/token"]
        assert {each["query"].get("client_id") for each in app if each["status"] == 200} >= {CLIENT_ID}
        calls = [each for each in stack.azure.requests(kind="arm") if each["principal"]]
        assert worlds.APP_OBJECT in {each["principal"]["objectId"] for each in calls}
        assert "0a0a0a0a-0000-4000-8000-000000000001" not in {each["principal"]["objectId"] for each in calls}
