"""Protected settings of the extension: read from Key Vault right before they are sent, checked, and kept nowhere.

What the record keeps of them are names and ids of secrets, by which they can be sent again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from domain.access.relay import OWN_CONNECTION_STRING
from domain.arm_ids import EXTENSION
from domain.catalogue.explain import make_problem
from domain.compute.attachment import protected_lost
from domain.extension.checks import FAIL, UNKNOWN, WARNING
from domain.extension.keys import CERTIFICATE, PRIVATE_KEY
from domain.extension.secret_ids import SecretId, parse_secret_id
from domain.extension.tls_material import BadMaterial, check_material, to_setting
from domain.extension.wanted import Wanted, wanted_extension
from domain.extension.wire import asked_name, protected_name, protected_to_send
from domain.operation.azure_errors import IDENTITY_REFUSED
from domain.operation.outcomes import Again, Finding, Stop
from domain.operation.record import SUCCEEDED, Operation
from domain.operation.results import ExtensionSent
from domain.problems import AzureAnswer, Problem
from domain.redaction import learn
from gateways import clock
from gateways.azure import key_vault
from gateways.azure.key_vault import VaultError
from gateways.storage import record_list
from gateways.storage.record_list import Filter

_TRANSIENT_STATUSES = frozenset({0, 408, 429, 500, 502, 503, 504})
_TLS_CHECK = "tlsCertificate"
_MOST_RECORDS = 50
_WITHHELD = (
    "Azure's words are left out: they may repeat a protected setting, and its Key Vault secret cannot be read to look."
)
# Sent again with every change (activities/access/relay.py).
_OF_THE_RELAY = frozenset({OWN_CONNECTION_STRING})


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
    for name in (CERTIFICATE, PRIVATE_KEY):
        learn(values[protected_name(name)])
    return Secrets(values, tuple(Finding(_TLS_CHECK, WARNING, text, remedy=remedy) for text in material.warnings))


def references(wanted: Wanted, names: Iterable[str]) -> dict[str, str]:
    """What a step keeps of protected settings: names and ids of secrets, by which they can be sent again."""
    return {name: wanted.protected[name] for name in names}


def references_sent(operation: Operation, wanted: Wanted, *, update: bool) -> dict[str, str]:
    """The same for an attempt that was cut short after it had sent them."""
    sent = references(wanted, protected_to_send(wanted))
    return {**sent_by_earlier_operations(operation, wanted), **sent} if update and sent else sent


def references_possible(operation: Operation) -> dict[str, str]:
    """The same of an extension that somebody else may have sent: by this request and by our own operations before."""
    wanted = wanted_extension(operation.attach_request)
    return {**sent_by_earlier_operations(operation, wanted), **wanted.protected}


def sent_by_earlier_operations(operation: Operation, wanted: Wanted) -> dict[str, str]:
    """Protected settings that our own earlier operations sent and this request does not name, newest first."""
    found: dict[str, str] = {}
    given = {protected_name(name) for name in wanted.protected}
    asked = Filter(cluster_id=operation.cluster_id)
    for earlier in record_list.page(asked, _MOST_RECORDS).operations:
        installed = earlier.step("install_extension")
        if earlier.id == operation.id or installed is None or installed.status != SUCCEEDED:
            continue
        made = [created for created in earlier.created if created.type == EXTENSION]
        if any(created.undone for created in made):
            break
        sent = earlier.result_of(ExtensionSent)
        for name, secret_id in (sent.protected if sent is not None else {}).items():
            if protected_name(name) not in given:
                found.setdefault(name, secret_id)
        if made:
            break  # It was installed then: nothing older is in it.
    return found


def protected_problem(operation: Operation, found: Mapping[str, Any], facts: Mapping[str, str]) -> Problem | None:
    """Why the extension may not be changed as asked: protected settings that are not sent again would be lost."""
    wanted, properties = wanted_extension(operation.attach_request), found.get("properties", {})
    sent = {*protected_to_send(wanted)}
    if not sent:
        return None
    sent |= {*sent_by_earlier_operations(operation, wanted)}
    before = properties.get("configurationSettings") or {}
    listed = {asked_name(name) for name in properties.get("configurationProtectedSettings") or {}} - _OF_THE_RELAY
    lost = protected_lost(before, wanted.settings, frozenset(listed), frozenset(map(asked_name, sent)))
    if not lost:
        return None
    return make_problem("ProtectedSettingsLost", {**facts, "lost": ", ".join(lost)})


def cannot_see_protected(names: Sequence[str]) -> Finding:
    """That a change replaces protected settings which Azure does not show."""
    return Finding(
        "protectedSettings",
        UNKNOWN,
        f"Protected settings are replaced as a whole; sent: {', '.join(sorted(names))}. Others, set without Moor, "
        "cannot be seen and are lost.",
        remedy="Name them in the request, too, if there are any.",
    )


def without_protected(references_sent: Mapping[str, str], said: Sequence[AzureAnswer]) -> list[AzureAnswer]:
    """Azure's answers without the values of the protected settings, which another process may have sent.

    Where a value cannot be read, and so not be looked for, the words are left out and the codes stay.
    """
    if not said:
        return []
    try:
        for reference in references_sent.values():
            key_vault.secret(parse_secret_id(reference))
    except (VaultError, ValueError):
        return [replace(answer, message=_WITHHELD) for answer in said]
    return [replace(answer) for answer in said]  # Made again, they are scrubbed of what has just been read.


def _bad_material(why: str, facts: Mapping[str, str]) -> Stop:
    return Stop(make_problem("TlsMaterialUnusable", {**facts, "reasons": why}), (Finding(_TLS_CHECK, FAIL, why),))


def _refused(setting: str, secret_id: SecretId, error: VaultError, facts: Mapping[str, str]) -> Again | Stop:
    if error.status in _TRANSIENT_STATUSES:
        detail = f"Key Vault did not give {setting} ({error.code})"
        return Again(error.retry_after, detail, outage=error.status != 500)
    if error.code == IDENTITY_REFUSED:
        return Stop(make_problem(IDENTITY_REFUSED, {**facts, "said": error.message}))
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
