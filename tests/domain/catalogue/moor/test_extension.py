"""What Moor finds wrong with an extension's settings and secrets."""

from __future__ import annotations

import pytest

from domain.catalogue.entry import MOOR, Entry
from domain.catalogue.explain import make_problem
from domain.catalogue.moor import extension
from tests.domain.catalogue.shelf import unraised


@pytest.mark.parametrize("entry", extension.ENTRIES, ids=lambda e: e.key)
def test_what_moor_says_is_raised_by_it_alone_and_with_every_fact(entry: Entry) -> None:
    assert unraised(entry) == set()
    assert (entry.situations, entry.on) == ((MOOR,), ())


@pytest.mark.parametrize("key", ["SecretNotFound", "SecretDisabled", "VaultForbidden", "ForeignVault", "SecretRefused"])
def test_a_secret_that_cannot_be_read_is_named_with_the_setting_that_it_is_for(key: str) -> None:
    secret_id = "https://kv-1.vault.azure.net/secrets/cert"
    facts = {"secret_id": secret_id, "setting": "sslCertPemFile", "said": "no", "vault": "kv-1", "secret": "cert"}
    problem = make_problem(key, facts)
    assert problem.message == f"The secret {secret_id} for sslCertPemFile cannot be read: no"


def test_no_command_shows_what_a_secret_holds() -> None:
    shown = [entry.command for entry in extension.ENTRIES if "keyvault secret show" in entry.command]
    assert len(shown) == 3
    for command in shown:
        assert command.endswith("--query attributes")
    tls = next(entry.command for entry in extension.ENTRIES if entry.code == "TlsSecretNotKept")
    assert tls.endswith("jsonpath={.type}")


def test_only_a_vault_that_refuses_the_app_needs_a_role() -> None:
    granting = [entry for entry in extension.ENTRIES if "role assignment create" in entry.command]
    assert [entry.code for entry in granting] == ["VaultForbidden"]
    assert '"Key Vault Secrets User" --assignee {moor_principal}' in granting[0].command


def test_nothing_here_passes_alone() -> None:
    assert [entry.key for entry in extension.ENTRIES if entry.transient] == []
