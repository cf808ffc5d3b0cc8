"""One running stack for all scenarios; each test has clusters, computes and a workspace of its own in it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local import engines
from local import world as worlds
from local.stack import Options, Stack, running_stack
from tests.extension import choice
from tests.faults import canary
from tests.faults.canary import KeptAnswers
from tests.faults.evidence import Tables
from tests.faults.invariants import Invariants
from tests.scenarios import role_use
from tests.scenarios.helpers import Place
from tests.scenarios.owners import Owners

# Simulated seconds per real second: an attach of a quarter of an hour takes some three seconds, and a poll of storage
# and ARM (some 20 ms) still less than the shortest pause.
FACTOR = 300.0
# At this pace the watch takes an operation for stuck when a busy machine stands still for some seconds, and every hour
# is over in twelve: these timers are run by hand, by the tests that are about them, and by themselves in stacks of
# their own (test_restarts.py).
TIMERS_BY_HAND = (
    *("watch_operations", "free_claims", "look_at_clusters", "list_clusters"),
    *("resume_stuck_detaches", "finish_undos"),
)
BY_HAND = {f"AzureWebJobs.{timer}.Disabled": "true" for timer in TIMERS_BY_HAND}
# What takes Azure minutes takes the stack less than a second; whoever looks at something meanwhile has Azure held.
DURATIONS = {
    "cluster.create": 120,
    "cluster.delete": 120,
    "cluster.start": 60,
    "cluster.stop": 60,
    "extension.create": 200,
    "extension.update": 100,
    "extension.delete": 200,
    "compute.attach": 100,
    "compute.detach": 60,
}
# Host names of clusters and vaults: those that the simulated Azure does not serve any more are none of others.
OWN_NAMES = (".azmk8s.io", ".vault.azure.test")
_numbers = itertools.count(1)
_owners = Owners()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On Microsoft's extension some scenarios are left out, on none at all when it is not there."""
    choice.leave_out(config, items, "tests/scenarios/", engines.chosen())


def pytest_testnodedown(node: Any) -> None:
    choice.remember(node.config, node)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    choice.say(terminalreporter, config)


def pytest_sessionfinish(session: pytest.Session) -> None:
    choice.succeed_without_any(session)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Stack]:
    """The running stack, shared by all scenarios: kill its host, but leave it running."""
    options = Options(factor=FACTOR, settings=BY_HAND)
    with running_stack(options, state_dir=tmp_path_factory.mktemp("stack")) as running:
        running.azure.settings(durations=DURATIONS)
        yield running
        role_use.tell(pytestconfig, running)


@pytest.fixture(scope="session")
def invariants(stack: Stack) -> Iterator[Invariants]:
    """The checker of the shared stack; a test that leaves something odd on purpose tells it with ``excuse``."""
    tables = Tables(stack)
    checker = Invariants(stack, tables)
    with KeptAnswers().kept() as answers:
        yield checker
    # What shows late only is told here, with the test whose place it is about.
    late = checker.check_at_end()
    tables.close()
    assert not late, "\n".join(_owners.told(violation) for violation in late)
    # Whatever the app was answered, it asked for no host but those of Azure and of clusters, gone ones included.
    assert [name for name in stack.azure.refused_names() if not name.endswith(OWN_NAMES)] == []
    # When all is done: no secret of the stack is in anything that was written, told or answered.
    assert canary.search(stack, answers) == []


@pytest.fixture(autouse=True)
def _invariants_hold(request: pytest.FixtureRequest) -> Iterator[None]:
    """Nothing twice and nothing lost, whatever the test did; only the test that broke something is told so."""
    test = request.node.nodeid
    _owners.begin(test)
    checker: Invariants | None = request.getfixturevalue("invariants") if "stack" in request.fixturenames else None
    yield
    if checker is not None:
        found = checker.check(concerns=_owners.concerns(test))
        assert not found, "\n".join(str(violation) for violation in found)


@pytest.fixture(autouse=True)
def _nothing_planted(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test plants in the simulated Azure ends with it."""
    yield
    if "stack" in request.fixturenames:
        running: Stack = request.getfixturevalue("stack")
        running.azure.clear_faults()
        running.azure.clear_scripts()


@pytest.fixture
def new_place(stack: Stack) -> Callable[[], Place]:
    """Makes clusters and workspaces that no other test knows."""
    return lambda: place_in(stack)


@pytest.fixture
def place(stack: Stack) -> Place:
    """A cluster and a workspace that no other test knows."""
    return place_in(stack)


def place_in(stack: Stack) -> Place:
    """A fresh cluster and workspace in any stack."""
    number = _next_number()
    stack.azure.seed(worlds.additions(f"aks-{number}", workspaces=(f"workspace-{number}",)))
    return Place(worlds.workspace_id(f"workspace-{number}"), worlds.cluster_id(f"aks-{number}"), f"compute-{number}")


def _next_number() -> int:
    number = next(_numbers)
    _owners.made(f"aks-{number}", f"workspace-{number}", f"compute-{number}")
    return number


@pytest.fixture
def new_event_place() -> Callable[[], Place]:
    """Makes names of clusters that are not there yet and of computes, in the workspace that events may attach to."""

    def make() -> Place:
        number = _next_number()
        return Place(worlds.WORKSPACE, worlds.cluster_id(f"aks-{number}"), f"compute-{number}")

    return make


@pytest.fixture
def event_place(new_event_place: Callable[[], Place]) -> Place:
    """Names of a cluster that is not there yet and of a compute, and the workspace that events may attach to."""
    return new_event_place()
