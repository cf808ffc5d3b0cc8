"""An extension that has failed: what the cluster shows is read before the undo, and what was left before is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from activities.cluster import reach
from activities.extension import failed, install
from activities.extension.failed import left_failed, may_be_replaced, why_failed, with_evidence
from activities.extension.install import extension_ready, install_extension, outlook
from activities.runtime import locks
from activities.runtime.slots import SlotsTaken
from activities.runtime.step import StepAtWork
from domain.arm_ids import EXTENSION
from domain.cluster.components import PodState, Seen
from domain.extension.wanted import wanted_extension
from domain.operation.codec import encode
from domain.operation.outcomes import Again, Created, Done, Finding, Stop
from domain.operation.record import StepRecord
from domain.operation.results import ExtensionSent, Resolved
from domain.problems import Problem
from gateways.azure.arm import ArmError
from gateways.azure.long_running import OVER, Progress
from gateways.kubernetes.api import KubernetesError, Unreachable
from tests.activities.making import FakeArm, at_work, watch_intents
from tests.making import CLUSTER_ID

PLACE = f"{CLUSTER_ID}/providers/{EXTENSION}"
TARGET = f"{PLACE}/azureml"
RESOLVED = StepRecord("resolve", "do", "Succeeded", value=encode(Resolved(cluster_location="westeurope")))
HEALTH = "pre-install hooks failed: pod healthcheck failed"
REPORTS = [{"code": "E40001", "name": "LOAD_BALANCER"}, {"code": "E49990", "message": "the moon is wrong"}]


def extension(message: str = HEALTH, **more: Any) -> dict[str, Any]:
    error = {"code": "ExtensionOperationFailed", "message": message}
    properties = {
        "extensionType": "Microsoft.AzureML.Kubernetes",
        "provisioningState": "Failed",
        "errorInfo": error,
        "configurationSettings": {"enableTraining": "True", "odd": "x"},
        **more,
    }
    return {"id": TARGET, "name": "azureml", "properties": properties}


def azure(monkeypatch: pytest.MonkeyPatch, found: dict[str, Any]) -> FakeArm:
    monkeypatch.setattr(install, "poll", lambda url: Progress(OVER))
    monkeypatch.setattr(install, "references_possible", lambda operation: {})
    return FakeArm({TARGET: found}, {PLACE: [found]}).install(monkeypatch)


def ready() -> StepAtWork:
    sent = StepRecord("install_extension", "do", "Succeeded", value=encode(ExtensionSent(TARGET)))
    step = at_work("extension_ready", kind="until", earlier=(RESOLVED, sent), request={"namespace": "ml"})
    step.operation = step.operation.__class__(**{**vars(step.operation), "created": (Created(EXTENSION, TARGET),)})
    return step


def seen(monkeypatch: pytest.MonkeyPatch, answer: Any) -> list[str]:
    looked: list[str] = []

    def see(cluster: Any) -> Any:
        looked.append(str(cluster))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(reach, "see_components", see)
    return looked


def test_r17_the_reports_are_read_before_anything_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    azure(monkeypatch, extension())
    looked = seen(
        monkeypatch, Seen((), (), None, {"reports-pre-install": json.dumps(REPORTS), "reports-test": "E45001"})
    )
    outcome = extension_ready(ready())
    assert isinstance(outcome, Stop)
    assert looked == [CLUSTER_ID]
    assert outcome.problem.code == "LoadBalancerNotSupported"
    for words in ("cannot provide a load balancer", "(E40001)", "the moon is wrong", "(E49990)"):
        assert words in outcome.problem.message
    assert "E45001" not in outcome.problem.message
    assert outcome.problem.azure is not None
    assert outcome.problem.azure.message == HEALTH
    assert [(each.check, each.outcome) for each in outcome.findings] == [("healthCheck", "fail")] * 2


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Unreachable("it is private", remedy="Go there."), "it is private"),
        (KubernetesError(403, "Forbidden", "no"), "403 Forbidden"),
        (ArmError(503, "Down", "no"), "503 Down"),
        (RuntimeError("odd"), "RuntimeError"),
    ],
)
def test_r17_what_cannot_be_read_changes_nothing(monkeypatch: pytest.MonkeyPatch, answer: Any, why: str) -> None:
    azure(monkeypatch, extension())
    seen(monkeypatch, answer)
    outcome = extension_ready(ready())
    assert isinstance(outcome, Stop)
    assert outcome.problem.code == "HealthCheckFailed"
    (finding,) = outcome.findings
    assert (finding.outcome, why in finding.message) == ("unknown", True)


def test_r17_a_cluster_that_others_are_in_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    azure(monkeypatch, extension())
    seen(monkeypatch, SlotsTaken("two are inside"))
    with pytest.raises(SlotsTaken):
        extension_ready(ready())


def test_r17_a_change_is_told_by_the_reports_of_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    seen(monkeypatch, Seen((), (), None, {"reports-pre-install": "E40001", "reports-pre-upgrade": "E40002"}))
    problem, _ = with_evidence(ready(), Problem("HealthCheckFailed", "m"), updated=True)
    assert problem.code == "InsufficientNodes"


def test_r17_pods_say_why_it_timed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    azure(monkeypatch, extension("timed out waiting for the condition"))
    seen(monkeypatch, Seen((), (PodState("gateway-1", ("ImagePullBackOff",)),), None, None))
    outcome = extension_ready(ready())
    assert isinstance(outcome, Stop)
    assert outcome.problem.code == "ExtensionTimedOut"
    assert outcome.problem.message.endswith("In the cluster: pod gateway-1 is in ImagePullBackOff.")


def test_r17_a_cause_that_is_clear_needs_no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    azure(monkeypatch, extension("Failed in download the Chart path not found"))
    assert seen(monkeypatch, RuntimeError("nobody looks")) == []
    outcome = extension_ready(ready())
    assert isinstance(outcome, Stop)
    assert outcome.problem.code == "ExtensionVersionNotFound"


@pytest.fixture
def unused(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    found: list[str | None] = [None]
    monkeypatch.setattr(failed, "user_of_cluster", lambda operation: found[0])
    for name in ("obtain", "reserve", "changing"):
        monkeypatch.setattr(locks, name, lambda target, operation_id: None)
    monkeypatch.setattr("gateways.storage.claims.unreserve", lambda target, operation_id: None)
    return found


def installing(**asked: Any) -> StepAtWork:
    return at_work("install_extension", earlier=(RESOLVED,), request={"namespace": "ml", "extension": asked})


def test_r14_one_that_failed_before_is_to_be_deleted(monkeypatch: pytest.MonkeyPatch, unused: list[str | None]) -> None:
    azure(monkeypatch, extension("0/1 nodes are available: 1 Insufficient cpu"))
    for problem in (outlook(installing())[0].problem, _problem(install_extension(installing()))):
        assert problem is not None
        assert problem.code == "ExtensionLeftFailed"
        assert "had failed before this operation" in problem.message
        assert "lacks the resources" in problem.message
        assert str(problem.remedy).startswith("Delete the failed extension")
        assert str(problem.command).startswith("az k8s-extension delete --name azureml ")
        assert problem.azure is not None
        assert "Insufficient cpu" in str(problem.azure.message)


def _problem(outcome: Any) -> Problem:
    assert isinstance(outcome, Stop)
    return outcome.problem


def test_r14_where_the_request_allows_it_moor_deletes_and_installs(
    monkeypatch: pytest.MonkeyPatch, unused: list[str | None]
) -> None:
    arm, intents = azure(monkeypatch, extension()), watch_intents(monkeypatch)
    facts, change = outlook(installing(manage="update"))
    assert (facts.problem, facts.change, change and change.action) == (None, "installed", "create")
    (told,) = [each for each in facts.findings if each.check == "failedExtension"]
    assert told == Finding(
        "failedExtension",
        "warning",
        "The failed extension azureml is deleted and installed again. Settings that the request does not name: odd.",
    )
    assert arm.calls == []
    outcome = install_extension(installing(manage="update"))
    assert isinstance(outcome, Again)
    assert (arm.calls, intents) == ([("DELETE", TARGET)], [("delete", TARGET)])
    arm.lists[PLACE] = []
    outcome = install_extension(installing(manage="update"))
    assert isinstance(outcome, Done)
    assert (arm.calls[1:], outcome.created) == ([("PUT", TARGET)], (Created(EXTENSION, TARGET),))


@pytest.mark.parametrize(
    ("asked", "more", "user"),
    [
        ({"manage": "ensure"}, {}, None),
        ({"manage": "require"}, {}, None),
        ({"manage": "update"}, {}, "The compute cpu uses it."),
        ({"manage": "update"}, {"configurationProtectedSettings": {"sslKeyPemFile": ""}}, None),
        ({"manage": "update"}, {"provisioningState": "Succeeded"}, None),
    ],
)
def test_r14_it_is_deleted_only_where_nothing_is_lost(
    unused: list[str | None], asked: dict[str, Any], more: dict[str, Any], user: str | None
) -> None:
    unused[0] = user
    step = installing(**asked)
    assert not may_be_replaced(step, wanted_extension(step.operation.attach_request), extension(**more))
    assert left_failed(step, {}, extension(**more)).code == "ExtensionLeftFailed"


def test_why_it_failed_names_the_extension_that_did() -> None:
    problem = why_failed(installing(), {}, {**extension("odd"), "name": "other"})
    assert (problem.code, "--name other " in str(problem.command)) == ("ExtensionFailed", True)
