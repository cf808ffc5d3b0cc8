"""Operations that an older release began, in a deployment that is upgraded under them.

No release with other steps than these has run on Azure: the older one is planted, with lists of its own.
"""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from domain.operation.step_lists import DETACH
from domain.operation.steps import Step
from local.processes import REPOSITORY
from local.stack import Options, Stack, running_stack
from tests.scenarios.conftest import BY_HAND, FACTOR, place_in
from tests.scenarios.helpers import (
    Operation,
    assert_journal_whole,
    claims_of,
    deletes,
    eventually,
    instances,
    operations_on,
    put_in_place,
    succeeded,
)
from tests.scenarios.under_way import finish_all, start_all, wait_until_azure_is_at_work

OLDER = "2.9"
OLDER_STEPS = {
    "attach": (
        *("claim", "resolve", "preflight", "install_extension", "extension_ready", "ensure_namespace"),
        *("attach_compute", "compute_ready", "record", "notify", "release"),
    ),
    "detach": ("claim", "resolve", "survey", "detach_compute", "compute_gone", "record", "notify", "release"),
}
PLANTED = f"""
from domain.operation.steps import BY_NAME

EARLIER = {{
    {OLDER!r}: {{kind: tuple(BY_NAME[name] for name in names) for kind, names in {OLDER_STEPS!r}.items()}}
}}
"""


@pytest.mark.long
def test_what_the_release_before_began_goes_on_with_its_own_steps(tmp_path_factory: pytest.TempPathFactory) -> None:
    app = deployment(tmp_path_factory.mktemp("app"))
    deploy(app, version=OLDER)
    options = Options(factor=FACTOR, app=app, settings=BY_HAND)
    with running_stack(options, state_dir=tmp_path_factory.mktemp("upgrade")) as stack:
        under_way = start_all(stack, lambda: place_in(stack))
        wait_until_azure_is_at_work(stack, under_way)
        stack.stop_host()
        for resource_id in under_way.changing:
            assert [o["status"] for o in operations_on(stack, resource_id)] == ["InProgress"]
        deploy(app, version=present_version())
        stack.start_host()

        finish_all(stack, under_way)
        ended = [succeeded(stack, operation_id) for operation_id in under_way.ids]
        for operation in ended:
            assert steps(operation) == [*OLDER_STEPS[operation["kind"]]]
            assert_journal_whole(operation, stack.app.journal(operation["id"]))
            assert version_of(stack, operation) == OLDER
        assert claims_of(stack, *under_way.ids) == []
        assert deletes(stack, under_way.detaching) == ["Detach"]

        place = place_in(stack)
        put_in_place(stack, place)
        after = succeeded(stack, stack.app.start("detach", place.detach_body())["id"])
        assert steps(after) == names(DETACH, after["request"])
        assert version_of(stack, after) == present_version()


def deployment(folder: Path) -> Path:
    """The app in a folder of its own, with a host.json of its own, and with the steps of an older version."""
    for part in (*REPOSITORY.glob("*.py"), *(f.parent for f in REPOSITORY.glob("*/__init__.py"))):
        (folder / part.name).symlink_to(part)
    (folder / "domain").unlink()
    shutil.copytree(REPOSITORY / "domain", folder / "domain", ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "domain" / "operation" / "step_lists.py").open("a") as file:
        file.write(PLANTED)
    return folder


def deploy(app: Path, version: str) -> None:
    """Have new orchestrations stamped with this version."""
    host: dict[str, Any] = json.loads((REPOSITORY / "host.json").read_text())
    host["extensions"]["durableTask"]["defaultVersion"] = version
    (app / "host.json").write_text(json.dumps(host))


def present_version() -> str:
    host: dict[str, Any] = json.loads((REPOSITORY / "host.json").read_text())
    return str(host["extensions"]["durableTask"]["defaultVersion"])


def version_of(stack: Stack, operation: Operation) -> str:
    """The version that the engine has of the operation's instance."""
    name = f"{operation['id']}-1"
    found = eventually(partial(instances(stack, name).get, name), "the engine instance")
    return str(found.get("version"))


def steps(operation: Operation) -> list[str]:
    return [step["name"] for step in operation["steps"]]


def names(table: tuple[Step, ...], request: dict[str, Any]) -> list[str]:
    return [step.name for step in table if not step.undo and step.needed(request)]
