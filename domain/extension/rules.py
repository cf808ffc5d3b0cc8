"""What is refused without looking at a cluster or a vault: the CLI's rules, and traps that the CLI leaves open."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from domain.extension.keys import (
    CERTIFICATE,
    CHOICE,
    KEYS,
    PRIVATE_KEY,
    PROTECTED,
    SWITCH,
    is_documented,
    is_generated,
    looks_secret,
    right_spelling,
    secret_name,
)
from domain.extension.secret_ids import parse_secret_id
from domain.extension.wanted import is_on
from domain.violations import INVALID, Violation, pointer

PLAIN_PLACE, PROTECTED_PLACE = "configurationSettings", "configurationProtectedSettings"
_HOST_NAME = re.compile(r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+", re.IGNORECASE)
_OBJECT_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
_GENERATED = "is generated: Moor says which cluster, region and relay the extension is of. Leave it out"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check(
    settings: Mapping[str, str], protected: Mapping[str, str], place: tuple[str, ...] = ("extension",)
) -> list[Violation]:
    """Everything that is wrong with the settings of a request; targets are pointers below ``place``.

    No message repeats a value: it may be a secret in the wrong place.
    """
    found = _each(settings, protected)
    # What a misspelt key says is not known: rules about missing keys would only repeat the same mistake.
    if not any(right_spelling(name) for name in (*settings, *protected)):
        found += _together(settings, protected)
    return _violations(found, place)


def check_each(
    settings: Mapping[str, str], protected: Mapping[str, str], place: tuple[str, ...] = ("extension",)
) -> list[Violation]:
    """What is wrong with each of the settings alone: others, which are not named here, may go with them."""
    return _violations(_each(settings, protected), place)


_Found = tuple[tuple[str, ...], str]


def _each(settings: Mapping[str, str], protected: Mapping[str, str]) -> list[_Found]:
    return [*_plain(settings), *_protected(settings, protected)]


def _violations(found: Iterable[_Found], place: tuple[str, ...]) -> list[Violation]:
    return [Violation(INVALID, message, pointer((*place, *where))) for where, message in found]


def tls_material(protected: Mapping[str, str]) -> bool:
    """Whether certificate and key are both given."""
    return CERTIFICATE in protected and PRIVATE_KEY in protected


def _plain(settings: Mapping[str, str]) -> Iterator[_Found]:
    for name, value in settings.items():
        where = (PLAIN_PLACE, name)
        secret, right = secret_name(name), right_spelling(name)
        if secret is not None:
            yield where, f"is a secret: give the id of a Key Vault secret as {secret} in {PROTECTED_PLACE}"
        elif is_generated(name):
            yield where, _GENERATED
        elif right is not None:
            inside = PROTECTED_PLACE if right in PROTECTED else PLAIN_PLACE
            yield where, f"is not what the extension reads: write {right} in {inside}"
        elif not name or _CONTROL.search(name):
            yield where, "is no name of a setting"
        elif looks_secret(value):
            yield where, f"holds a secret: secrets go into {PROTECTED_PLACE}, as ids of Key Vault secrets"
        elif _CONTROL.search(value) or len(value) > 4096:
            yield where, "must be text of at most 4096 characters, without control characters"
        else:
            wrong = _value(name, value)
            if wrong:
                yield where, wrong


def _value(name: str, value: str) -> str | None:
    key = KEYS.get(name)
    if key is None:
        return None
    if not value.strip():
        return "must not be empty"
    if key.kind == SWITCH and value.lower() not in ("true", "false"):
        return "must be true or false: the extension reads everything else as false"
    if key.kind == CHOICE and value.lower() not in (choice.lower() for choice in key.choices):
        return f"must be {' or '.join(key.choices)}"
    if name == "sslCname" and not _HOST_NAME.fullmatch(value):
        return "must be a DNS name, without scheme, port or path"
    if name == "sslSecret" and not _OBJECT_NAME.fullmatch(value):
        return "must be the name of a Kubernetes secret in the namespace azureml"
    return None


def _protected(settings: Mapping[str, str], protected: Mapping[str, str]) -> Iterator[_Found]:
    for name, value in protected.items():
        where = (PROTECTED_PLACE, name)
        secret, right = secret_name(name), right_spelling(name)
        if secret is not None and name != secret:
            yield where, f"is not what is read here: write {secret}, the id of a Key Vault secret that holds the text"
        elif is_generated(name):
            yield where, _GENERATED
        elif right is not None:
            inside = PROTECTED_PLACE if right in PROTECTED else PLAIN_PLACE
            yield where, f"is not what the extension reads: write {right} in {inside}"
        elif is_documented(name):
            yield where, f"is no secret: give it in {PLAIN_PLACE}"
        elif not name or _CONTROL.search(name):
            yield where, "is no name of a setting"
        else:
            try:
                parse_secret_id(value)
            except ValueError as error:
                yield where, str(error)
        if name in settings:
            yield where, f"is in {PLAIN_PLACE} too: a key may be in one of them only"


def _together(settings: Mapping[str, str], protected: Mapping[str, str]) -> Iterator[_Found]:
    modes = [settings.get(name, "false") for name in ("enableTraining", "enableInference")]
    if all(mode.lower() == "false" for mode in modes):
        yield (PLAIN_PLACE, "enableTraining"), "or enableInference (or both) must be true"
    for one, other in ((CERTIFICATE, PRIVATE_KEY), (PRIVATE_KEY, CERTIFICATE)):
        if one in protected and other not in protected and other not in settings:
            yield (PROTECTED_PLACE, other), f"is required with {one}"
    if is_on(settings, "enableInference"):
        yield from _inference(settings, protected)


def _inference(settings: Mapping[str, str], protected: Mapping[str, str]) -> Iterator[_Found]:
    secure = tls_material(protected) or "sslSecret" in settings
    if not secure and not is_on(settings, "allowInsecureConnections") and not {CERTIFICATE, PRIVATE_KEY} & {*protected}:
        yield (
            (PLAIN_PLACE, "sslSecret"),
            f"is required for inference; or {CERTIFICATE} and {PRIVATE_KEY} in {PROTECTED_PLACE}; or, for development, "
            "allowInsecureConnections=true",
        )
    if secure and "sslCname" not in settings:
        yield (PLAIN_PLACE, "sslCname"), "is required with TLS, also when allowInsecureConnections is true"
    service = settings.get("inferenceRouterServiceType")
    if service is None:
        choices = " or ".join(KEYS["inferenceRouterServiceType"].choices)
        yield (PLAIN_PLACE, "inferenceRouterServiceType"), f"is required for inference: {choices}"
    elif service.lower() == "nodeport" and "internalLoadBalancerProvider" in settings:
        yield (
            (PLAIN_PLACE, "internalLoadBalancerProvider"),
            "and inferenceRouterServiceType=nodePort exclude each other",
        )
