"""What becomes of what a vault answers."""

from __future__ import annotations

from typing import Any

import pytest

from activities.extension.protected_settings import Secrets, protected_settings
from domain.extension.secret_ids import SecretId
from domain.extension.wanted import Wanted
from domain.operation.outcomes import Again, Stop
from gateways.azure import key_vault
from gateways.azure.key_vault import VaultError
from tests.domain.extension.making import (
    CERT,
    PEM,
    TLS,
    wanted,
)
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
