"""The PATCH: only what differs, protected settings as a whole, and what an undo needs to know."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from activities.extension import update
from activities.extension.protected_settings import Secrets
from activities.extension.update import update_extension
from domain.arm_ids import EXTENSION
from domain.extension.wire import wire_settings
from domain.operation.outcomes import Again, Done, Finding
from domain.operation.results import ExtensionSent
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer
from tests.activities.making import at_work, watch_intents
from tests.domain.extension.making import aks, wanted
from tests.making import CLUSTER_ID

TARGET = f"{CLUSTER_ID}/providers/{EXTENSION}/azureml"
VAULT = "https://kv-one.vault.azure.net/secrets"
# What Moor generates and derives is as it was; two settings are not as asked for, a third is.
SENT_BEFORE = wire_settings(wanted({"enableTraining": True}), aks())[0]
BEFORE = {**SENT_BEFORE, "enableTraining": "False", "my.note": "old", "my.other": "same"}
FOUND = {"id": TARGET, "properties": {"releaseTrain": "stable", "configurationSettings": BEFORE}}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The properties of each PATCH. An earlier operation sent one protected setting."""
    bodies: list[dict[str, Any]] = []

    def patch(target: str, version: str, body: dict[str, Any]) -> ArmAnswer:
        bodies.append(body["properties"])
        return ArmAnswer(200, {}, "https://management.azure.com/subscriptions/s/operations/1")

    monkeypatch.setattr(arm, "patch", patch)
    monkeypatch.setattr(update, "sent_by_earlier_operations", lambda operation, wanted: {"my.older": f"{VAULT}/older"})
    monkeypatch.setattr(
        update, "protected_settings", lambda wanted, names, facts: Secrets(dict.fromkeys(names, "secret"))
    )
    monkeypatch.setattr(update, "relay_parts", lambda step: ({}, {}))
    return bodies


def run(monkeypatch: pytest.MonkeyPatch, **asked: Any) -> Any:
    watch_intents(monkeypatch)
    findings: list[Finding] = []
    settings = asked.pop("settings", {"enableTraining": True})
    this = wanted(settings, asked.pop("protected", None), manage="update", **asked)
    return update_extension(at_work("install_extension"), this, aks(), FOUND, findings)


def test_only_what_differs_is_sent(monkeypatch: pytest.MonkeyPatch, sent: list[dict[str, Any]]) -> None:
    outcome = run(monkeypatch, settings={"enableTraining": True, "my.note": "new", "my.other": "same"})
    assert isinstance(outcome, Done)
    assert sent == [{"configurationSettings": {"enableTraining": "True", "my.note": "new"}}]
    assert isinstance(outcome.value, ExtensionSent)
    assert outcome.value.replaced == {"enableTraining": "False", "my.note": "old"}
    assert (outcome.detail, outcome.operation_url is None) == ("changed: enableTraining, my.note", False)


def test_a_version_stays_as_named(monkeypatch: pytest.MonkeyPatch, sent: list[dict[str, Any]]) -> None:
    run(monkeypatch, version="1.1.50", release_train="preview")
    assert (sent[0]["autoUpgradeMinorVersion"], sent[0]["version"], sent[0]["releaseTrain"]) == (
        False,
        "1.1.50",
        "preview",
    )


def test_protected_settings_go_as_a_whole_and_only_their_ids_stay(
    monkeypatch: pytest.MonkeyPatch, sent: list[dict[str, Any]]
) -> None:
    outcome = run(monkeypatch, protected={"my.own": f"{VAULT}/own"})
    assert isinstance(outcome, Done)
    assert sent[0]["configurationProtectedSettings"] == {"my.own": "secret", "my.older": "secret"}
    assert isinstance(outcome.value, ExtensionSent)
    assert outcome.value.protected == {"my.own": f"{VAULT}/own", "my.older": f"{VAULT}/older"}
    assert "secret" not in str(replace(outcome.value, protected={}))
    assert "protectedSettings" in [finding.check for finding in outcome.findings]


def test_a_vault_that_does_not_answer_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, sent: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr(update, "protected_settings", lambda wanted, names, facts: Again(None, "silent"))
    assert run(monkeypatch, protected={"my.own": f"{VAULT}/own"}) == Again(None, "silent")
    assert sent == []
