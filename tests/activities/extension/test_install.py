"""The extension: adopted, installed, changed, waited for, planned, reverted, removed."""

from __future__ import annotations

from typing import Any

import pytest

from activities.extension import install
from activities.extension.install import (
    extension_ready,
    install_extension,
    outlook,
    planned_extension_removal,
    remove_extension,
    undo_extension,
)
from activities.runtime import locks
from activities.runtime.step import StepAtWork
from domain.arm_ids import EXTENSION
from domain.operation.codec import encode
from domain.operation.outcomes import Again, Created, Done, Finding, Outcome, Stop
from domain.operation.record import Intent, StepRecord
from domain.operation.results import ExtensionSent, Resolved
from gateways.storage import claims
from tests.activities.making import FakeArm, at_work, watch_intents
from tests.making import CLUSTER_ID, NOW, make_operation

PLACE = f"{CLUSTER_ID}/providers/{EXTENSION}"
TARGET = f"{PLACE}/azureml"
RESOLVED = StepRecord("resolve", "do", "Succeeded", value=encode(Resolved(cluster_location="westeurope")))
WORDS = "The compute cpu uses it."


def extension(state: str = "Succeeded", **settings: str) -> dict[str, Any]:
    properties = {
        "extensionType": "Microsoft.AzureML.Kubernetes",
        "provisioningState": state,
        "releaseTrain": "stable",
        "currentVersion": "1.2.3",
        "configurationSettings": {"enableTraining": "True", **settings},
    }
    return {"id": TARGET, "name": "azureml", "properties": properties}


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is held of the cluster's extension: a claim to change it, or a reservation to rely on it."""
    taken: list[str] = []
    for name in ("obtain", "reserve"):
        monkeypatch.setattr(locks, name, lambda target, operation_id, name=name: taken.append(name))
    monkeypatch.setattr(locks, "changing", lambda target, operation_id: None)
    monkeypatch.setattr(claims, "unreserve", lambda target, operation_id: taken.append("unreserve"))
    return taken


@pytest.fixture
def users(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Who uses the cluster: nobody, until a test says so."""
    found: list[str | None] = [None]
    monkeypatch.setattr(install, "user_of_cluster", lambda operation, without_own=False: found[0])
    monkeypatch.setattr(claims, "read", lambda target: None)
    monkeypatch.setattr(
        install, "attaches", lambda operation, cluster: iter([make_operation(created=(Created(EXTENSION, TARGET),))])
    )
    return found


def azure(monkeypatch: pytest.MonkeyPatch, found: dict[str, Any] | None) -> FakeArm:
    there = {} if found is None else {TARGET: found}
    return FakeArm(there, {PLACE: [*there.values()]}).install(monkeypatch)


def installing(**extension: Any) -> StepAtWork:
    return at_work("install_extension", earlier=(RESOLVED,), request={"namespace": "ml", "extension": extension})


def code(outcome: Outcome) -> str:
    assert isinstance(outcome, Stop)
    return outcome.problem.code


def test_it_is_installed_when_the_cluster_has_none(monkeypatch: pytest.MonkeyPatch, held: list[str]) -> None:
    intents, arm = watch_intents(monkeypatch), azure(monkeypatch, None)
    facts, change = outlook(installing())
    assert (facts.change, change and change.resource_id) == ("installed", TARGET)
    outcome = install_extension(installing())
    assert isinstance(outcome, Done)
    assert outcome.created == (Created(EXTENSION, TARGET),)
    assert (held, arm.calls, intents) == (["obtain"], [("PUT", TARGET)], [("create", TARGET)])
    sent = arm.bodies[TARGET]["properties"]
    assert (sent["autoUpgradeMinorVersion"], "version" in sent) == (True, False)


def test_one_that_serves_is_adopted(monkeypatch: pytest.MonkeyPatch, held: list[str]) -> None:
    arm = azure(monkeypatch, extension())
    assert outlook(installing())[1] is None
    outcome = install_extension(installing())
    assert isinstance(outcome, Done)
    assert (outcome.detail, outcome.created) == ("the extension exists already", ())
    assert (held, arm.calls) == (["reserve"], [])


def test_one_that_differs_is_refused_or_brought_in_line(monkeypatch: pytest.MonkeyPatch, held: list[str]) -> None:
    intents, arm = watch_intents(monkeypatch), azure(monkeypatch, extension(enableTraining="False"))
    assert code(install_extension(installing())) == "ExtensionDiffers"
    outcome = install_extension(installing(manage="update", configurationSettings={"enableTraining": "True"}))
    assert isinstance(outcome, Done)
    assert isinstance(outcome.value, ExtensionSent)
    assert outcome.value.updated
    assert (held, arm.calls, intents) == (["reserve", "unreserve", "obtain"], [("PATCH", TARGET)], [("update", TARGET)])


def test_none_where_none_may_be_installed(monkeypatch: pytest.MonkeyPatch, held: list[str]) -> None:
    azure(monkeypatch, None)
    assert code(install_extension(installing(manage="require"))) == "ExtensionMissing"
    problem = outlook(installing(manage="require"))[0].problem
    assert problem is not None
    assert problem.code == "ExtensionMissing"


@pytest.mark.parametrize(("state", "waits"), [("Updating", True), ("Failed", False)])
def test_one_that_is_not_ready(monkeypatch: pytest.MonkeyPatch, held: list[str], state: str, waits: bool) -> None:
    azure(monkeypatch, extension(state))
    monkeypatch.setattr(install, "references_possible", lambda operation: {})
    assert isinstance(install_extension(installing()), Again if waits else Stop)


def test_whoever_changes_it_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    azure(monkeypatch, None)
    monkeypatch.setattr(locks, "obtain", lambda target, operation_id: make_operation(id="other"))
    assert install_extension(installing()) == Again(30.0, "operation other has the cluster's extension in hand")


def test_what_an_earlier_attempt_installed_is_ours(monkeypatch: pytest.MonkeyPatch, held: list[str]) -> None:
    arm, step = azure(monkeypatch, extension("Creating")), installing()
    step.operation = step.operation.with_step(step.record.with_intent(Intent("create", TARGET, NOW)))
    outcome = install_extension(step)
    assert isinstance(outcome, Done)
    assert (outcome.created, arm.calls) == ((Created(EXTENSION, TARGET),), [])


def test_settings_that_fail_a_check_are_not_sent(monkeypatch: pytest.MonkeyPatch, held: list[str]) -> None:
    arm = azure(monkeypatch, None)
    refused = Finding("extensionSettings", "fail", "Inference needs more nodes.", "Add nodes.")
    monkeypatch.setattr(install, "check_on_cluster", lambda *_: [refused])
    outcome = install_extension(installing())
    assert isinstance(outcome, Stop)
    assert (outcome.problem.code, outcome.problem.remedy) == ("ExtensionSettingsRefused", "Add nodes.")
    assert arm.calls == []


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (extension(), Done()),
        (extension("Creating"), Again(None, "the extension is Creating")),
        (None, Again(None, "the extension does not show yet")),
    ],
)
def test_ready(monkeypatch: pytest.MonkeyPatch, found: dict[str, Any] | None, expected: Outcome) -> None:
    azure(monkeypatch, found)
    sent = StepRecord("install_extension", "do", "Succeeded", value=encode(ExtensionSent(TARGET)))
    assert extension_ready(at_work("extension_ready", kind="until", earlier=(RESOLVED, sent))) == expected


def test_ready_says_why_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = extension("Failed")
    failed["properties"]["statuses"] = [{"level": "Error", "code": "InstallationFailed", "message": "helm said no"}]
    azure(monkeypatch, failed)
    sent = StepRecord("install_extension", "do", "Succeeded", value=encode(ExtensionSent(TARGET)))
    outcome = extension_ready(at_work("extension_ready", kind="until", earlier=(RESOLVED, sent)))
    assert isinstance(outcome, Stop)
    assert "helm said no" in str(outcome.problem.azure)


def test_undo(monkeypatch: pytest.MonkeyPatch, held: list[str], users: list[str | None]) -> None:
    arm, step = azure(monkeypatch, extension()), at_work("undo_extension", created=(Created(EXTENSION, TARGET),))
    watch_intents(monkeypatch)
    users[0] = WORDS
    kept = undo_extension(step)
    assert isinstance(kept, Done)
    assert (kept.detail, arm.calls) == (f"kept. {WORDS}", [])
    users[0] = None
    assert undo_extension(step) == Again(7.0, "Azure is removing it")
    assert undo_extension(step) == Done(detail="is gone", undone=(TARGET,))
    assert arm.calls == [("DELETE", TARGET)]


def test_clean_up(monkeypatch: pytest.MonkeyPatch, held: list[str], users: list[str | None]) -> None:
    intents, arm = watch_intents(monkeypatch), azure(monkeypatch, extension())
    step = at_work("remove_extension", request={"cleanUp": {"extension": True}})
    users[0] = WORDS
    kept = remove_extension(step)
    assert isinstance(kept, Done)
    assert (kept.detail, planned_extension_removal(step)) == (f"kept. {WORDS}", [])
    users[0] = None
    assert [change.resource_id for change in planned_extension_removal(step)] == [TARGET]
    assert arm.calls == []
    assert remove_extension(step) == Done(detail="Azure is removing it")
    assert (arm.calls, intents) == ([("DELETE", TARGET)], [("delete", TARGET)])
    assert remove_extension(step) == Done(detail="Moor installed none that is still there", skipped=True)


def test_clean_up_leaves_what_another_operation_has_in_hand(
    monkeypatch: pytest.MonkeyPatch, users: list[str | None]
) -> None:
    arm = azure(monkeypatch, extension())
    monkeypatch.setattr(locks, "obtain", lambda target, operation_id: make_operation(id="other"))
    kept = remove_extension(at_work("remove_extension", request={"cleanUp": {"extension": True}}))
    assert isinstance(kept, Done)
    assert (kept.detail, arm.calls) == ("kept. Operation other relies on it.", [])


def test_r23_a_region_without_the_extension_type_is_told_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch, held: list[str]
) -> None:
    arm = azure(monkeypatch, None)
    arm.lists[f"{CLUSTER_ID}/providers/Microsoft.KubernetesConfiguration/extensionTypes"] = [{"name": "microsoft.flux"}]
    facts, change = outlook(installing())
    assert change is None
    assert facts.problem is not None
    assert facts.problem.code == "ExtensionTypeNotInRegion"
    assert arm.calls == []
    # One that exists already is not asked about.
    arm.lists[PLACE] = [extension()]
    assert outlook(installing())[0].problem is None
