"""What becomes of what a vault answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from activities.extension.protected_settings import (
    Secrets,
    protected_problem,
    protected_settings,
    references_sent,
    sent_by_earlier_operations,
    without_protected,
)
from domain.access.relay import OWN_CONNECTION_STRING as RELAY_SETTING
from domain.arm_ids import EXTENSION
from domain.extension.secret_ids import SecretId
from domain.extension.wanted import Wanted
from domain.operation.codec import encode
from domain.operation.outcomes import Again, Created, Stop
from domain.operation.record import Operation, StepRecord
from domain.operation.results import ExtensionSent
from domain.problems import AzureAnswer
from domain.redaction import learn
from gateways.azure import key_vault
from gateways.azure.key_vault import VaultError
from gateways.storage import record_list
from gateways.storage.record_list import Page
from tests.domain.extension.making import (
    CERT,
    PEM,
    TLS,
    wanted,
)
from tests.making import make_operation
from tests.pem import make_pair

PAIR = make_pair()
WANTED = wanted({**TLS, "sslCname": "models.contoso.example"}, {**PEM, "my.own": CERT + "-own"})
TEXTS = {"cert": PAIR.certificate, "key": PAIR.key, "cert-own": "mine"}


def vault(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    def secret(secret_id: SecretId) -> str:
        if isinstance(answer, VaultError):
            raise answer
        return str(answer[secret_id.name])

    monkeypatch.setattr(key_vault, "secret", secret)


def ask(this: Wanted = WANTED) -> Secrets | Again | Stop:
    return protected_settings(this, tuple(this.protected), {"cluster": "aks"})


def test_names_on_the_wire_and_nothing_in_a_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    vault(monkeypatch, TEXTS)
    secrets = ask()
    assert isinstance(secrets, Secrets)
    assert set(secrets.values) == {"scoringFe.sslCert", "scoringFe.sslKey", "my.own"}
    assert secrets.values["my.own"] == "mine"
    assert "mine" not in repr(secrets)


@pytest.mark.parametrize("status", [0, 429, 500, 503])
def test_an_outage_is_waited_out(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    vault(monkeypatch, VaultError(status, "Busy", "not now"))
    assert isinstance(ask(), Again)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (VaultError(404, "SecretNotFound", "gone"), "SecretNotFound"),
        (VaultError(403, "SecretDisabled", "disabled"), "SecretDisabled"),
        (VaultError(403, "ForbiddenByRbac", "no"), "VaultForbidden"),
        (VaultError(403, "ForbiddenByFirewall", "no"), "VaultForbidden"),
        (VaultError(400, "ForeignVault", "not ours"), "ForeignVault"),
        (VaultError(401, "ForeignChallenge", "not ours"), "ForeignVault"),
        (VaultError(401, "Unauthorized", "no"), "SecretRefused"),
        (VaultError(400, "BadParameter", "no"), "SecretRefused"),
    ],
)
def test_a_refusal_ends_the_step_and_names_the_secret(
    monkeypatch: pytest.MonkeyPatch, error: VaultError, code: str
) -> None:
    vault(monkeypatch, error)
    outcome = ask()
    assert isinstance(outcome, Stop)
    assert outcome.problem.code == code
    assert CERT in outcome.problem.message
    assert error.message in outcome.problem.message
    assert outcome.problem.command
    assert outcome.problem.azure is not None
    assert outcome.problem.azure.status == error.status


def test_material_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    vault(monkeypatch, {**TEXTS, "key": PAIR.encrypted_key})
    outcome = ask()
    assert isinstance(outcome, Stop)
    assert outcome.problem.code == "TlsMaterialUnusable"
    assert "with pass phrase is not supported" in outcome.problem.message
    assert [(f.check, f.outcome) for f in outcome.findings] == [("tlsCertificate", "fail")]
    assert "PRIVATE KEY" not in str(outcome)


def earlier(number: int, protected: dict[str, str], *, made: bool = False, undone: bool = False) -> Operation:
    step = StepRecord("install_extension", "do", "Succeeded", value=encode(ExtensionSent("x", protected)))
    created = (Created(EXTENSION, "x", undone=undone),) if made or undone else ()
    return make_operation(id=f"op-{number}", steps=(step,), created=created)


@pytest.mark.parametrize(
    ("operations", "found"),
    [
        ([], {}),
        ([earlier(1, {"my.own": "new", "my.older": "a"}), earlier(2, {"my.older": "b"})], {"my.older": "a"}),
        ([earlier(1, {"my.a": "a"}, made=True), earlier(2, {"my.b": "b"})], {"my.a": "a"}),
        ([earlier(1, {"my.a": "a"}), earlier(2, {"my.b": "b"}, undone=True)], {"my.a": "a"}),
        ([replace(earlier(1, {"my.a": "a"}), id="op")], {}),
    ],
    ids=["none", "newest first", "not before its installation", "not of one that is undone", "not its own"],
)
def test_what_earlier_operations_sent_is_sent_again(
    monkeypatch: pytest.MonkeyPatch, operations: list[Operation], found: dict[str, str]
) -> None:
    monkeypatch.setattr(record_list, "page", lambda asked, most: Page(tuple(operations), None))
    asked = wanted({}, {"my.own": CERT})
    assert sent_by_earlier_operations(make_operation(), asked) == found
    assert references_sent(make_operation(), asked, update=False) == {"my.own": CERT}
    assert references_sent(make_operation(), asked, update=True) == {**found, "my.own": CERT}


@pytest.mark.parametrize(("sent", "lost"), [({}, True), ({"my.older": CERT}, False)])
def test_a_change_that_would_lose_a_protected_setting_is_refused(
    monkeypatch: pytest.MonkeyPatch, sent: dict[str, str], lost: bool
) -> None:
    monkeypatch.setattr(record_list, "page", lambda asked, most: Page((earlier(1, sent),), None))
    protected = {"my.own": CERT}
    request = {"extension": {"manage": "update", "configurationProtectedSettings": protected}}
    found = {"properties": {"configurationProtectedSettings": {"my.own": "", "my.older": "", RELAY_SETTING: ""}}}
    problem = protected_problem(make_operation(request=request), found, {"cluster": "aks"})
    assert (problem is not None) is lost
    if problem is not None:
        assert "my.older" in problem.message


SAID = AzureAnswer("ExtensionOperationFailed", "Helm: value 'opaque words of the vault' is not valid")


def test_what_another_process_sent_is_left_out_of_what_azure_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def secret(secret_id: SecretId) -> str:
        learn("opaque words of the vault")
        return "opaque words of the vault"

    monkeypatch.setattr(key_vault, "secret", secret)
    (said,) = without_protected({"my.own": CERT + "-own"}, [SAID])
    assert said == AzureAnswer("ExtensionOperationFailed", "Helm: value 'REDACTED' is not valid")


def test_words_that_cannot_be_searched_for_a_secret_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    vault(monkeypatch, VaultError(403, "Forbidden", "no"))
    (said,) = without_protected({"my.own": CERT + "-own"}, [SAID])
    assert (said.code, "Helm" in str(said.message)) == ("ExtensionOperationFailed", False)
    assert without_protected({}, [SAID]) == [SAID]
    assert without_protected({"my.own": CERT}, []) == []
