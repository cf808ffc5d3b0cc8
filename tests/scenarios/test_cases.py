"""Scenarios as data: a folder each, with the state before, the request, the faults and the expected end.

``1-before.json``  ``azure``: a seed of the simulated Azure; ``objects``: what is in the cluster,
                   ``changed``: laid over what the seed made
``2-request.json`` ``kind`` and ``body`` of the request
``3-faults.json``  ``faults`` (of requests) and ``scripts`` (of long-running operations) of the simulated Azure
``4-end.json``     status and error (or ``http``: the refusal), findings, resources (a part of each), changes, absent

``{workspace}`` and its like stand for names that each run has for itself.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local import app_roles
from local.app_roles import APP_OBJECT
from local.stack import Stack
from local.world import SCOPE
from packages.simulated_azure.identity.metadata import KEY_VAULT_DNS
from tests.pem import make_pair
from tests.scenarios.helpers import Operation, ended

TESTS = Path(__file__).parents[1]
CASES = sorted(path for path in (Path(__file__).parent / "cases").iterdir() if path.is_dir())
FILES = ("1-before.json", "2-request.json", "3-faults.json", "4-end.json")
_READS = re.compile(r"/list\w+$")


@dataclass(frozen=True)
class Names:
    """What the placeholders of a case stand for."""

    words: dict[str, str]

    def read(self, path: Path) -> Any:
        """A file of the case with its placeholders filled."""
        return self._filled(json.loads(path.read_text()))

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._filled(name): self._filled(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._filled(inner) for inner in value]
        if isinstance(value, str):
            return re.sub(r"\{(\w+)\}", lambda found: self.words.get(found[1], found[0]), value)
        return value


def names_of(number: int) -> Names:
    group = f"{SCOPE}/resourceGroups/case-{number}"
    vault, pair = f"case-{number}-vault", make_pair("models.contoso.example")
    workspace = f"{group}/providers/Microsoft.MachineLearningServices/workspaces/case-{number}"
    return Names(
        {
            "group": group,
            "workspace": workspace,
            "compute": f"case-{number}",
            "computeId": f"{workspace}/computes/case-{number}",
            "cluster": f"{group}/providers/Microsoft.ContainerService/managedClusters/case-{number}",
            "arc": f"{group}/providers/Microsoft.Kubernetes/connectedClusters/case-{number}",
            "vault": f"{group}/providers/Microsoft.KeyVault/vaults/{vault}",
            "vaultUrl": f"https://{vault}.{KEY_VAULT_DNS}",
            "certificate": pair.certificate,
            "key": pair.key,
            "app": APP_OBJECT,
        }
    )


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_a_case(stack: Stack, folder: Path) -> None:
    names = names_of(CASES.index(folder) + 1)
    before, request, faults, end = (names.read(folder / name) for name in FILES)
    roles = app_roles.beside(names.words["group"])
    given = before["azure"].pop("roleAssignments", [])
    stack.azure.seed({**before["azure"], "roleAssignments": [*roles, *given]})
    for each in before.get("objects", []):
        stack.azure.kubernetes(names.words["cluster"]).put(each["kind"], each["name"], each.get("namespace"))
    for resource_id, part in before.get("changed", {}).items():
        stack.azure.change(resource_id, part)
    for fault in faults["faults"]:
        stack.azure.add_fault(**fault)
    for script in faults["scripts"]:
        stack.azure.script_operation(**script)

    answer = stack.app.call("POST", f"/{request['kind']}", request["body"])
    if "http" in end:
        assert answer.status == end["http"], answer.body
        _check_error(end["error"], answer.body["error"])
    else:
        assert answer.status == 202, answer.body
        _check_operation(end, ended(stack, answer.body["id"]))
    _check_azure(stack, names, end)


def _check_operation(end: dict[str, Any], operation: Operation) -> None:
    assert operation["status"] == end["status"], operation["error"]
    if "error" in end:
        _check_error(end["error"], operation["error"])
    found = {finding["check"]: finding["outcome"] for finding in operation["findings"]}
    wanted = end.get("findings", {})
    assert {check: found.get(check) for check in wanted} == wanted


def _check_error(wanted: dict[str, str], error: dict[str, Any]) -> None:
    for name in wanted.keys() & {"code", "step", "target", "command"}:
        assert error[name] == wanted[name], error
    assert wanted.get("says", "") in error["message"]
    if "azure" in wanted:
        assert wanted["azure"] in error["azure"]["message"]


def _check_azure(stack: Stack, names: Names, end: dict[str, Any]) -> None:
    for resource_id, part in end.get("resources", {}).items():
        found = stack.azure.resource(resource_id)
        assert found is not None, resource_id
        assert _part(found["body"], part) == part
    for resource_id in end.get("absent", []):
        assert stack.azure.resource(resource_id) is None, resource_id
    for resource_id, settings in end.get("protected", {}).items():
        found = stack.azure.resource(resource_id)
        assert found is not None, resource_id
        assert sorted(found["hidden"]["protected"]) == settings
    if "changes" in end:
        requests = stack.azure.requests(kind="arm", path=f"^{re.escape(names.words['group'])}/")
        writes = [[r["method"], r["path"]] for r in requests if r["method"] != "GET" and not _READS.search(r["path"])]
        assert writes == end["changes"]


def _part(found: Any, wanted: Any) -> Any:
    """As much of what was found as is wanted."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return {name: _part(found.get(name), inner) for name, inner in wanted.items()}
    return found


# What a file may hold. The test reads all of it, and nothing else: a word that is misspelt would be passed over.
KNOWN = {
    "1-before.json": {"azure", "objects", "changed"},
    "2-request.json": {"kind", "body"},
    "3-faults.json": {"faults", "scripts"},
    "4-end.json": {
        *("source", "status", "http", "error", "findings", "resources", "absent", "protected", "changes"),
    },
}
KNOWN_OF_ERRORS = {"code", "step", "target", "command", "says", "azure"}


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_a_folder_is_whole(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == list(FILES)
    assert re.fullmatch(r"00\d-\d+-[a-z0-9-]+", folder.name)
    files = {name: json.loads((folder / name).read_text()) for name in FILES}
    assert {name: {*file} - KNOWN[name] for name, file in files.items()} == {name: set() for name in FILES}
    end = files["4-end.json"]
    assert end["source"]
    # It ends in one way, and tells of something that is there, is not there, or was sent.
    assert ("status" in end) is not ("http" in end)
    assert {"resources", "absent", "changes"} & {*end}
    assert {*end.get("error", {})} <= KNOWN_OF_ERRORS
    assert end.get("status") == "Succeeded" or end["error"]["code"]


def test_a_case_is_data_and_no_program_knows_one() -> None:
    assert len(CASES) > 10
    programs = [*(TESTS / "scenarios").glob("*.py"), *TESTS.glob("*.py")]
    knowing = [(path.name, case.name) for path in programs for case in CASES if case.name in path.read_text()]
    assert knowing == []
