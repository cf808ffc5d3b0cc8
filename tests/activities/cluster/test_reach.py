"""The one way into a cluster: tried four times, then the step ends; outages are waited out."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from activities.cluster import reach
from activities.cluster.reach import guarded, read_api, see_components, see_namespace, see_work, use_api
from activities.runtime import slots
from activities.runtime.slots import SlotsTaken, into
from activities.runtime.step import StepAtWork
from domain.arm_ids import parse_arm_id
from domain.operation.outcomes import Again, Done, Outcome, Stop
from gateways.azure.arm import ArmError
from gateways.kubernetes import connection, reader
from gateways.kubernetes.api import KubernetesError, Unreachable
from gateways.kubernetes.run_command import StillRunning
from tests.activities.making import FakeApi, at_work, reached
from tests.making import CLUSTER_ID

PRIVATE = Unreachable("it is private")
CLUSTER = parse_arm_id(CLUSTER_ID)


def use(step: StepAtWork, **more: int) -> Outcome:
    return use_api(step, lambda api: Done(detail="done"), lambda why: Done(detail=f"ended: {why.reason}"), **more)


def test_the_api_is_closed_after_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    api = FakeApi()
    reached(monkeypatch, api)
    assert (use(at_work("ensure_namespace")), api.closed) == (Done(detail="done"), 1)


@pytest.mark.parametrize(("attempt", "ends"), [(1, False), (3, False), (4, True), (9, True)])
def test_a_cluster_out_of_reach_is_tried_four_times(monkeypatch: pytest.MonkeyPatch, attempt: int, ends: bool) -> None:
    reached(monkeypatch, PRIVATE)
    outcome = use(at_work("ensure_namespace", attempt))
    again = Again(15.0, f"the cluster cannot be used from here (attempt {attempt} of 4): it is private")
    assert outcome == (Done(detail="ended: it is private") if ends else again)


def test_or_as_often_as_the_step_says(monkeypatch: pytest.MonkeyPatch) -> None:
    reached(monkeypatch, PRIVATE)
    assert use(at_work("remove_instance_types"), attempts=1) == Done(detail="ended: it is private")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KubernetesError(503, "ServiceUnavailable", "down"), None),
        (KubernetesError(0, "ReadTimeout", "no answer"), None),
        (KubernetesError(403, "Forbidden", "no"), "KubernetesForbidden"),
        (KubernetesError(401, "Unauthorized", "no"), "KubernetesForbidden"),
        (KubernetesError(422, "Invalid", "no"), "KubernetesRefused"),
    ],
)
def test_errors_of_the_api_are_outcomes(error: KubernetesError, code: str | None) -> None:
    @guarded
    def work(step: StepAtWork) -> Outcome:
        raise error

    outcome = work(at_work("ensure_namespace"))
    if code is None:
        assert outcome == Again(None, f"the cluster's API does not answer ({error.reason})")
    else:
        assert isinstance(outcome, Stop)
        assert outcome.problem.code == code


@pytest.mark.parametrize("status", [403, 422, 400])
def test_r31_a_policy_that_refuses_what_moor_makes_is_named(status: int) -> None:
    text = 'admission webhook "validation.gatekeeper.sh" denied the request: [must-have-owner] label owner is missing'

    @guarded
    def work(step: StepAtWork) -> Outcome:
        raise KubernetesError(status, "Forbidden", text)

    outcome = work(at_work("ensure_namespace"))
    assert isinstance(outcome, Stop)
    assert (outcome.problem.code, "must-have-owner" in outcome.problem.message) == ("DeniedInCluster", True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('failed calling webhook "x": no endpoints available for service "x"', Again),
        ('pods "x" is forbidden: exceeded quota: small, requested: cpu=2', "QuotaInCluster"),
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest": root', "DeniedInCluster"),
        ("namespaces is forbidden: User cannot create resource", "KubernetesForbidden"),
    ],
)
def test_a_403_of_a_cluster_is_no_missing_role_where_its_words_say_so(text: str, expected: Any) -> None:
    @guarded
    def work(step: StepAtWork) -> Outcome:
        raise KubernetesError(403, "Forbidden", text)

    outcome = work(at_work("ensure_namespace"))
    assert (outcome.problem.code if isinstance(outcome, Stop) else type(outcome)) == expected


def test_a_look_says_what_is_seen_or_that_nothing_is(monkeypatch: pytest.MonkeyPatch) -> None:
    reached(monkeypatch, PRIVATE)
    assert read_api(CLUSTER, lambda api: "seen", lambda why: why.reason) == "it is private"
    api = FakeApi()
    reached(monkeypatch, api)
    assert (read_api(CLUSTER, lambda api: "seen", lambda why: why.reason), api.closed) == ("seen", 1)


def test_an_outage_under_a_look_is_one_of_azure(monkeypatch: pytest.MonkeyPatch) -> None:
    reached(monkeypatch, FakeApi(refused=KubernetesError(503, "ServiceUnavailable", "down")))
    with pytest.raises(ArmError) as raised:
        read_api(CLUSTER, lambda api: api.namespace("default"), lambda why: None)
    assert (raised.value.status, raised.value.transient) == (503, True)


def test_what_cannot_be_written_comes_with_the_command() -> None:
    step = at_work("ensure_namespace", request={"namespace": "ml", "createNamespace": True})
    problem = reach.not_writable(step, PRIVATE).problem
    assert (problem.code, problem.command) == ("KubernetesNotWritable", "kubectl create namespace ml")


WAYS: list[Callable[[], Any]] = [
    lambda: use(at_work("ensure_namespace")),
    lambda: read_api(CLUSTER, lambda api: None, lambda why: None),
    lambda: see_components(CLUSTER),
    lambda: see_namespace(CLUSTER, "ml"),
    lambda: see_work(CLUSTER, "ml"),
]


@pytest.fixture
def _nobody_inside() -> Iterator[None]:
    slots.forget()
    yield
    slots.forget()


@pytest.mark.usefixtures("_nobody_inside")
@pytest.mark.parametrize("way", WAYS)
def test_every_way_into_a_cluster_needs_a_slot(monkeypatch: pytest.MonkeyPatch, way: Callable[[], Any]) -> None:
    monkeypatch.setattr(connection, "connect", None)
    with into(CLUSTER), into(CLUSTER), pytest.raises(SlotsTaken):
        way()


def test_there_is_no_other_way_into_a_cluster() -> None:
    """What an activity imports of the gateway connects to nothing, but for this one module."""
    activities = Path(reach.__file__).parents[1]
    connecting = {"connection", "reader", "run_command"}
    found = set()
    for path in activities.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("gateways.kubernetes"):
                names = {alias.name for alias in node.names} | {str(node.module).rsplit(".", 1)[-1]}
                if names & connecting:
                    found.add(path.relative_to(activities).as_posix())
    # Two read by an API that they are given; one names a type, one an error; one keeps the commands that were begun.
    given = {"checks/preflight.py", "cluster/legacy_objects.py"}
    assert found - given == {"cluster/reach.py", "workloads/uses.py", "runtime/step.py", "runtime/undo.py"}
    for name in given:
        tree = ast.parse((activities / name).read_text("utf-8"))
        used = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and ast.unparse(n.value) == "reader"}
        assert used <= {"legacy", "legacy_objects"}


@pytest.mark.usefixtures("_nobody_inside")
@pytest.mark.parametrize(
    "look", [lambda: see_work(CLUSTER, "ml", last=True).found, lambda: see_components(CLUSTER, last=True)]
)
def test_whoever_looks_for_the_last_time_waits_for_no_slot(look: Callable[[], Any]) -> None:
    with into(CLUSTER), into(CLUSTER):
        found = look()
    assert isinstance(found, Unreachable)
    assert found.reason == "other steps are in the cluster"


def test_r2_a_command_that_tells_nothing_is_waited_for_until_nobody_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: Any) -> Any:
        raise StillRunning(10.0, "no command can be run in the cluster yet (OperationNotAllowed: Updating)")

    monkeypatch.setattr(reader, "work_in", busy)
    monkeypatch.setattr(reader, "components", busy)
    for look in (
        lambda last: see_work(CLUSTER, "ml", last=last).found,
        lambda last: see_components(CLUSTER, last=last),
    ):
        with pytest.raises(StillRunning):
            look(False)
        found = look(True)
        assert isinstance(found, Unreachable)
        assert "OperationNotAllowed" in found.reason
