"""Protected settings: read from Key Vault right before they are sent, checked, and held by nobody afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from domain.catalogue.explain import make_problem
from domain.extension.checks import FAIL, WARNING
from domain.extension.keys import CERTIFICATE, PRIVATE_KEY
from domain.extension.secret_ids import SecretId, parse_secret_id
from domain.extension.tls_material import BadMaterial, check_material, to_setting
from domain.extension.wanted import Wanted
from domain.extension.wire import protected_name
from domain.operation.outcomes import Again, Finding, Stop
from domain.problems import AzureAnswer
from gateways import clock
from gateways.azure import key_vault
from gateways.azure.key_vault import VaultError

_TRANSIENT_STATUSES = frozenset({0, 408, 429, 500, 502, 503, 504})
_TLS_CHECK = "tlsCertificate"


@dataclass(frozen=True)
class Secrets:
    """Protected settings as they are sent, by their names on the wire; never part of an outcome."""

    values: Mapping[str, str] = field(repr=False)
    findings: tuple[Finding, ...] = ()


def protected_settings(wanted: Wanted, names: Iterable[str], facts: Mapping[str, str]) -> Secrets | Again | Stop:
    """The protected settings of these names (as the request has them), or why they cannot be had.

    ``facts`` are the operation's, for the words of a problem.
    """
    texts: dict[str, str] = {}
    for name in names:
        secret_id = parse_secret_id(wanted.protected[name])
        try:
            texts[name] = key_vault.secret(secret_id)
        except VaultError as error:
            return _refused(name, secret_id, error, facts)
    if CERTIFICATE not in texts:
        return Secrets({protected_name(name): text for name, text in texts.items()})
    try:
        material = check_material(
            texts.pop(CERTIFICATE), texts.pop(PRIVATE_KEY), wanted.settings["sslCname"], clock.now()
        )
    except BadMaterial as error:
        return _bad_material(str(error), facts)
    values = {protected_name(name): text for name, text in texts.items()}
    values[protected_name(CERTIFICATE)] = to_setting(material.certificates)
    values[protected_name(PRIVATE_KEY)] = to_setting(material.key)
    remedy = "Put the right certificate into the vault, then run an attach with manage=update."
    return Secrets(values, tuple(Finding(_TLS_CHECK, WARNING, text, remedy=remedy) for text in material.warnings))


def _bad_material(why: str, facts: Mapping[str, str]) -> Stop:
    return Stop(make_problem("TlsMaterialUnusable", {**facts, "reasons": why}), (Finding(_TLS_CHECK, FAIL, why),))


def _refused(setting: str, secret_id: SecretId, error: VaultError, facts: Mapping[str, str]) -> Again | Stop:
    if error.status in _TRANSIENT_STATUSES:
        return Again(None, f"Key Vault did not give {setting} ({error.code})")
    key = "SecretRefused"
    if error.status == 404:
        key = "SecretNotFound"
    elif error.code == "SecretDisabled":
        key = "SecretDisabled"
    elif error.status == 403:
        key = "VaultForbidden"
    elif error.code in ("ForeignVault", "ForeignChallenge"):
        key = "ForeignVault"
    words = {
        **facts,
        "setting": setting,
        "secret_id": str(secret_id),
        "secret": secret_id.name,
        "vault": secret_id.host.partition(".")[0],
    }
    return Stop(make_problem(key, words, AzureAnswer(error.code, error.message, error.status)))
