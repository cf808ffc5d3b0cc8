"""Every entry of the catalogue is met by an operation: Moor's code and cause first, Azure's own words second."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.catalogue.entry import MOOR, Entry
from domain.catalogue.explain import ENTRIES
from local import world as worlds
from local.stack import Options, Stack, running_stack
from tests.scenarios.catalogue_own_ways import OWN_UNMET, OWN_WAYS, OwnWay
from tests.scenarios.catalogue_ways import UNMET, Way, prepare, ways
from tests.scenarios.conftest import BY_HAND
from tests.scenarios.helpers import Operation

pytestmark = pytest.mark.long

FACTOR = 120.0
DURATIONS = {"extension.create": 20, "compute.attach": 20, "job.queue": 5, "job.run": 10}
WAYS = tuple(ways())
PATIENCE = 500.0
BY_KEY = {entry.key: entry for entry in ENTRIES}
Told = tuple[Operation, list[dict[str, Any]]]
# What Moor itself raises and other tests meet on the wire: where, below tests/scenarios.
MET_IN = {
    "WorkspaceIdentityLacksRole-moor": "test_roles.py::test_missing_roles_refuse_the_attach_with_the_commands",
    "ApprovalRejected": "test_approval.py::test_a_no_changes_nothing_and_says_why",
    "ApprovalTimedOut": "test_approval.py::test_nobody_answers",
    "DrainDeadlineExceeded": "test_drain.py::test_the_deadline_fails_by_default",
    "TlsMaterialUnusable": "test_extension.py::test_what_is_wrong_in_the_vault_is_told_before_anything_is_changed",
    "VaultForbidden": "test_extension.py::test_what_is_wrong_in_the_vault_is_told_before_anything_is_changed",
    "WorkspaceNotFound": "test_throttling.py::test_what_is_not_there",
    "ClusterNotFound": "test_throttling.py::test_what_is_not_there",
    "OperationCanceled": "test_undo.py::test_cancel_stops_and_takes_back",
    "PreflightFailed": "test_plans.py::test_a_stopped_cluster",
    "SettingInvalid": "test_hard_checks.py::test_a_check_that_there_is_not_stops_every_attach",
    "NotAKubernetesCompute": "test_detach_refuses.py::test_a_compute_of_another_type",
    "ComputeInUse": "test_detach.py::test_a_stock_poller_tells_of_a_failure",
    "NothingToReattach": "test_reattach.py::test_there_is_nothing_to_reattach",
    "ReattachRefused": "test_reattach.py::test_settings_that_do_not_go_together",
    "ProtectedSettingsLost": "test_reattach.py::test_protected_settings_that_would_be_lost",
    "DetachStuck": "test_compute_gone.py::test_stuck_says_so_and_is_gone_on_with_when_azure_is_done_at_last",
    "OperationConflict": "test_one_operation.py::test_asked_again_and_otherwise_while_it_runs",
    "RunTerminated": "test_watch.py::test_terminated_in_the_engine",
    "NamespaceMissing": "test_kubernetes.py::test_a_namespace_that_goes_after_preflight",
    "AppIdentityRefused": "test_bad_day.py::_the_identity_is_not_assigned",
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Told]]:
    """Every operation with its journal, by the entry's key: all started at once, in a stack of their own."""
    options = Options(factor=FACTOR, settings=BY_HAND, world=worlds.world_of())
    with running_stack(options, state_dir=tmp_path_factory.mktemp("catalogue")) as stack:
        stack.azure.settings(durations=DURATIONS, throttling={"enabled": False})
        for way in WAYS:
            prepare(stack, way)
        for own in OWN_WAYS:
            own.prepare(stack)
        by_moor = [(own, stack.app.start(own.kind, own.body)["id"]) for own in OWN_WAYS]
        _interfere(stack, [(own, operation_id) for own, operation_id in by_moor if own.at is not None])
        by_azure = [(way, stack.app.start(way.kind, way.body)["id"]) for way in WAYS]
        settled = {way.entry.key: _settled(stack, way.entry, operation_id) for way, operation_id in by_azure}
        yield settled | {own.key: _settled(stack, BY_KEY[own.key], operation_id) for own, operation_id in by_moor}


def _interfere(stack: Stack, pending: list[tuple[OwnWay, str]]) -> None:
    """What happens to each once its step waits: as soon as it does, because steps have their time."""
    deadline = time.monotonic() + PATIENCE
    while pending:
        assert time.monotonic() < deadline, f"{pending[0][0].key} did not come to {pending[0][0].at}"
        for own, operation_id in list(pending):
            operation = stack.app.operation(operation_id)
            assert operation["finishedDateTime"] is None, (own.key, operation["error"])
            if any((step["name"], step["status"]) == (own.at, "Waiting") for step in operation["steps"]):
                own.then(stack, own.place)
                # What Azure was held at for that.
                stack.azure.finish_operations(f"^({own.place.cluster_id}/|{own.place.compute_id}$)")
                pending.remove((own, operation_id))
        time.sleep(0.2)


def _settled(stack: Stack, entry: Entry, operation_id: str) -> Told:
    """An operation that has ended, or that waits for what passes by itself and says so."""
    deadline = time.monotonic() + PATIENCE
    while True:
        operation, journal = stack.app.operation(operation_id), stack.app.journal(operation_id)
        says_so = any(_cause(entry).search(str(line.get("message"))) for line in journal)
        if operation["finishedDateTime"] or (entry.transient and says_so and MOOR not in entry.situations):
            return operation, journal
        assert time.monotonic() < deadline, f"{entry.key} was not met in {PATIENCE:.0f} seconds"
        time.sleep(0.5)


def _cause(entry: Entry) -> re.Pattern[str]:
    """An entry's cause, whatever its placeholders say."""
    return re.compile(re.sub(r"\\{\w+\\}", ".*", re.escape(entry.cause)), re.DOTALL)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.entry.key)
def test_an_entry_is_met(told: dict[str, Told], way: Way) -> None:
    operation, journal = told[way.entry.key]
    error = operation["error"]
    if error is None or error["code"] != way.entry.code:
        # It passes by itself: the journal tells what is waited for.
        assert way.passes, error
        assert any(_cause(way.entry).search(str(entry.get("message"))) for entry in journal), (error, journal)
        return
    assert _cause(way.entry).match(error["message"]), error
    assert error["remedy"]
    assert error["command"]
    if way.sample.status != 0:
        said = error["azure"]
        # Of an answer without a text the code tells.
        wanted = [word for word in (way.sample.message, way.sample.code) if word]
        assert wanted, way.entry.key
        assert any(str(word) in str(said) for word in wanted), error


@pytest.mark.parametrize("own", OWN_WAYS, ids=lambda own: own.key)
def test_what_moor_finds_is_met(told: dict[str, Told], own: OwnWay) -> None:
    operation, _ = told[own.key]
    error, entry = operation["error"], BY_KEY[own.key]
    texts = [error["message"], *(finding["message"] for finding in operation["findings"])]
    assert operation["status"] == "Failed"
    assert error["code"] in (entry.code, "PreflightFailed")
    assert any(_cause(entry).match(text) for text in texts), texts
    assert error["remedy"]


def test_every_entry_is_met_or_listed_with_the_reason() -> None:
    lists = [{way.entry.key for way in WAYS}, {own.key for own in OWN_WAYS}, {*MET_IN}, {*UNMET}, {*OWN_UNMET}]
    assert sum(len(each) for each in lists) == len(set().union(*lists)), "each in one place"
    assert set().union(*lists) == {*BY_KEY}
    assert all({**UNMET, **OWN_UNMET}.values())


@pytest.mark.parametrize("key", MET_IN)
def test_what_others_meet_they_name(key: str) -> None:
    path, _, name = MET_IN[key].partition("::")
    source = (Path(__file__).parent / path).read_text()
    found = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef) and n.name == name]
    assert found, f"{path} has no {name}"
    assert BY_KEY[key].code in str(ast.get_source_segment(source, found[0]))
