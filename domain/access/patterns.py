"""Patterns over canonical ids: ``*`` stands for any text within one segment, never for more than one segment.

Letter case counts where what is compared has it: ARM ids and vaults have none, names of settings do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from domain.extension.secret_ids import parse_secret_id

ANY = "*"
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_GROUP = re.compile(r"[-\w._()*]{1,90}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9*][-\w.*]{0,127}", re.ASCII)
_SECRET = re.compile(
    r"https://(?P<host>[a-z0-9*-]+(?:\.[a-z0-9-]+){2,})/secrets/(?P<name>[0-9a-z*-]{1,127})(?:/(?P<version>[0-9a-f]{32}))?",
    re.IGNORECASE,
)


def arm_pattern(text: str, *types: str, any_subscription: bool = False) -> str:
    """A pattern over ids of resources of these types, in canonical spelling.

    Raises ValueError, with a sentence for whoever wrote it.
    """
    parts = text.split("/")
    if len(parts) != 9 or [part.lower() for part in (parts[0], parts[1], parts[3], parts[5])] != [
        "",
        "subscriptions",
        "resourcegroups",
        "providers",
    ]:
        raise ValueError(f"must be /subscriptions/<id>/resourceGroups/<group>/providers/{types[0]}/<name>")
    _, _, subscription, _, group, _, namespace, kind, name = parts
    if not _GUID.fullmatch(subscription) and not (any_subscription and subscription == ANY):
        raise ValueError(f"'{subscription}' is no subscription id: it is written out, a GUID")
    if not _GROUP.fullmatch(group):
        raise ValueError(f"'{group}' is no resource group, and no pattern of one")
    if not _NAME.fullmatch(name):
        raise ValueError(f"'{name}' is no name of a resource, and no pattern of one")
    given = f"{namespace}/{kind}"
    canonical = next((each for each in types if each.lower() == given.lower()), None)
    if canonical is None:
        raise ValueError(f"is about a {given}; expected {' or '.join(types)}")
    return f"/subscriptions/{subscription.lower()}/resourceGroups/{group}/providers/{canonical}/{name}"


def secret_pattern(text: str) -> str:
    """A pattern over ids of Key Vault secrets. Raises ValueError, with a sentence for whoever wrote it."""
    if not _SECRET.fullmatch(text):
        raise ValueError("must be https://<vault>/secrets/<name>, with * in the vault's own name or the secret's")
    return text.lower()


def fits_id(pattern: str, resource_id: str) -> bool:
    """Whether a pattern stands for an ARM id; letter case does not count."""
    return _fits(pattern.lower().split("/"), resource_id.lower().split("/"))


def fits_secret(pattern: str, secret_id: str) -> bool:
    """Whether a pattern stands for a Key Vault secret. One without a version stands for every version."""
    wanted = _SECRET.fullmatch(pattern.lower())
    try:
        found = parse_secret_id(secret_id)
    except ValueError:
        return False
    if wanted is None or wanted["version"] not in (None, found.version):
        return False
    return _fits([*wanted["host"].split("."), wanted["name"]], [*found.host.split("."), found.name])


def fits_name(pattern: str, name: str) -> bool:
    """Whether a pattern stands for a name whose segments are divided by dots; letter case counts."""
    return _fits(pattern.split("."), name.split("."))


def _fits(pattern: Sequence[str], segments: Sequence[str]) -> bool:
    if len(pattern) != len(segments):
        return False
    return all(fits_text(wanted, found) for wanted, found in zip(pattern, segments, strict=True))


def fits_text(pattern: str, text: str) -> bool:
    """Whether a text is as a pattern has it, in which ``*`` stands for any text.

    Piece by piece, in time that grows with the lengths alone: an expression could be made to run without end.
    """
    first, *rest = pattern.split(ANY)
    if not rest:
        return pattern == text
    *middle, last = rest
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in middle:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
