"""The policy as the app has it now: of the setting MOOR_POLICY, or of the blob that it names.

A blob is read with the app's identity, and again by its ETag at most a minute later. One that cannot be read, or holds
no policy, changes nothing for fifteen minutes: the last good one counts. Then nothing is allowed until it is mended.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from azure.core import PipelineClient
from azure.core.exceptions import AzureError
from azure.core.pipeline.policies import BearerTokenCredentialPolicy, HeadersPolicy, UserAgentPolicy
from azure.core.rest import HttpRequest

from domain.access.decisions import relay_allowed
from domain.access.patterns import fits_id
from domain.access.policy import LARGEST, Entry, Policy, parse_policy
from domain.arm_ids import ArmId, same_resource
from domain.violations import Refused
from gateways import clock
from gateways.azure.identity import cloud, credential
from gateways.azure.own_host import OwnHostPolicy, OwnHostTransport, origin_of
from gateways.settings import read_event_workspaces

logger = logging.getLogger(__name__)

SETTING = "MOOR_POLICY"
# Seconds of the app's own clock. Those of a call are real ones.
FRESH, GOOD_FOR, _PAUSE = 60.0, 15 * 60.0, 5.0
# Get Blob, https://learn.microsoft.com/rest/api/storageservices/get-blob
_VERSION, _SCOPE = "2024-11-04", "https://storage.azure.com/.default"
_CALL: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 10}
_MOST_SAID = 5
_NEVER = float("-inf")


class PolicyUnavailable(Exception):
    """No policy can be gone by; the text says why, for those who look after the app."""


@dataclass(frozen=True)
class _Held:
    """A blob's policy as last read. ``seen``: when it was known to be so; ``asked``: when it was last asked for."""

    policy: Policy | None = None
    etag: str | None = None
    seen: float = _NEVER
    asked: float = _NEVER
    why: str = "it was not read yet"


_held: dict[str, _Held] = {}
_reading = threading.Lock()


def current() -> Policy:
    """The policy that counts now. Raises PolicyUnavailable."""
    given = os.environ.get(SETTING, "").strip()
    if not given:
        raise PolicyUnavailable(f"{SETTING} is not set: without a policy nothing is allowed")
    return _of_blob(given) if given.startswith("https:") else _of_setting(given)


def check_at_start() -> None:
    """Say in the log, when the app starts, that nothing is going to be allowed; a blob is looked at when it is needed.

    The app starts nevertheless: every request is answered with what is wrong.
    """
    if os.environ.get(SETTING, "").strip().startswith("https:"):
        return
    try:
        current()
    except PolicyUnavailable as error:
        logger.error("%s", error)


def takes_events(entry: Entry, workspace_id: str) -> bool:
    """Whether tags and events may begin operations at a workspace.

    MOOR_EVENT_WORKSPACES still gives that, for one release, to workspaces that the policy names.
    """
    if entry.events:
        return True
    if not any(same_resource(str(listed), workspace_id) for listed in read_event_workspaces()):
        return False
    logger.warning(
        "MOOR_EVENT_WORKSPACES lists %s: set events to true in its entry of the policy; the next release does not read "
        "the setting any more",
        workspace_id,
    )
    return True


def entry_for_events(workspace_id: str) -> Entry | None:
    """What holds for operations of tags and events at a workspace; None where they may begin none.

    Raises PolicyUnavailable or SettingError.
    """
    entry = current().entry_of(workspace_id)
    return entry if entry is not None and takes_events(entry, workspace_id) else None


def subscriptions_for_events() -> frozenset[str]:
    """The subscriptions of the workspaces where tags and events may begin operations, and so of their clusters.

    A cluster is attached only to workspaces of its own subscription. Raises PolicyUnavailable or SettingError.
    """
    entries = current().workspaces
    listed = [str(workspace) for workspace in read_event_workspaces()] if entries else []
    found = [entry.match for entry in entries if entry.events]
    found += [each for each in listed if any(fits_id(entry.match, each) for entry in entries)]
    return frozenset(each.split("/")[2].lower() for each in found)


def relays_of(workspace_id: str) -> Callable[[ArmId], bool]:
    """Says of relay namespaces whether the policy lists them for a workspace. Raises PolicyUnavailable."""
    entry = current().entry_of(workspace_id)
    return lambda relay: entry is not None and relay_allowed(entry, str(relay))


def any_events() -> bool:
    """Whether tags and events may begin operations anywhere; yes while that is unknown, so that none is lost.

    Raises SettingError.
    """
    if not os.environ.get(SETTING, "").strip():
        return False
    try:
        workspaces = current().workspaces
    except PolicyUnavailable:
        return True
    return any(entry.events for entry in workspaces) or (bool(workspaces) and bool(read_event_workspaces()))


def forget() -> None:
    """Let the next look read a blob again."""
    _held.clear()


@lru_cache(maxsize=4)
def _of_setting(text: str) -> Policy:
    try:
        return parse_policy(text.encode())
    except Refused as refused:
        raise PolicyUnavailable(f"{SETTING} cannot be used: {_in_words(refused)}") from None


def _of_blob(url: str) -> Policy:
    held = _held.get(url, _Held())
    if not _is_due(held):
        return _usable(held)
    # One asks; the others go by what they have, and wait only where that is nothing.
    if not _reading.acquire(blocking=held.policy is None):
        return _usable(held)
    try:
        held = _held.get(url, _Held())
        if _is_due(held):
            held = _held[url] = _read(url, held)
    finally:
        _reading.release()
    return _usable(held)


def _is_due(held: _Held) -> bool:
    now = clock.steady()
    return now - held.seen >= FRESH - _PAUSE and now - held.asked >= _PAUSE


def _usable(held: _Held) -> Policy:
    if held.policy is None or clock.steady() - held.seen > GOOD_FOR:
        raise PolicyUnavailable(f"the policy of {SETTING} cannot be used: {held.why}")
    return held.policy


def _read(url: str, held: _Held) -> _Held:
    now = clock.steady()
    try:
        found = _get(url, held.etag if held.policy is not None else None)
        if found is None:
            return replace(held, seen=now, asked=now)
        data, etag = found
        policy = parse_policy(data)
    except Refused as refused:
        why = _in_words(refused)
    except (AzureError, ValueError, OSError) as error:
        # The words of a transport may quote the URL's host and nothing else of it: it carries no signature.
        why = str(error) if isinstance(error, _Unreadable) else f"the blob cannot be read ({type(error).__name__})"
    else:
        logger.info("policy: read, %d workspaces", len(policy.workspaces))
        return _Held(policy, etag, now, now)
    left = "none" if held.policy is None else f"{max(0.0, GOOD_FOR - (now - held.seen)):.0f} s"
    logger.error("policy: %s; the last good one counts for: %s", why, left)
    return replace(held, asked=now, why=why)


class _Unreadable(ValueError):
    """The blob does not answer with its content; the text says what it answers."""


def _get(url: str, etag: str | None) -> tuple[bytes, str | None] | None:
    """The blob's content and ETag; None when it is as the ETag says. Raises ValueError or AzureError."""
    origin = _checked(url)
    headers = {"x-ms-version": _VERSION, "Accept": "application/json", **({"If-None-Match": etag} if etag else {})}
    request = HttpRequest("GET", url, headers=headers)
    with _client(origin).send_request(request, stream=True, **_CALL) as response:
        if response.status_code == 304 and etag:
            return None
        if response.status_code != 200:
            code = response.headers.get("x-ms-error-code") or "no code"
            raise _Unreadable(f"the blob answers {response.status_code} ({code[:64]})")
        data = b""
        for part in response.iter_bytes():
            data += part
            if len(data) > LARGEST:
                raise _Unreadable(f"the blob has more than {LARGEST} bytes")
        return data, response.headers.get("ETag")


def _checked(url: str) -> str:
    """The origin of a blob of this cloud's storage, where alone the app's token goes. Raises ValueError."""
    parts = urlsplit(url)
    account, _, rest = (parts.hostname or "").partition(".")
    if (
        parts.scheme != "https"
        or not account.isalnum()
        or rest != f"blob.{cloud().storage_domain}"
        or parts.netloc.lower() != parts.hostname
        or parts.query
        or parts.fragment
        or parts.path.count("/") < 2
        or not url.isascii()
        or not url.isprintable()
        or {"", ".", ".."} & {*parts.path.split("/")[1:]}
    ):
        raise _Unreadable(
            f"{SETTING} is not the URL of a blob "
            f"(https://<account>.blob.{cloud().storage_domain}/<container>/<name>, without a signature)"
        )
    return f"https://{parts.hostname}"


@lru_cache(maxsize=2)
def _client(origin: str) -> PipelineClient[Any, Any]:
    policies = [
        OwnHostPolicy(origin),
        HeadersPolicy(),
        UserAgentPolicy("moor"),
        BearerTokenCredentialPolicy(credential(), _SCOPE),
    ]
    # No redirects, and no retries of its own: the next request asks again.
    own = origin_of(origin)
    transport = OwnHostTransport(lambda asked: asked == own, **_CALL)
    return PipelineClient(origin, policies=policies, transport=transport)


def _in_words(refused: Refused) -> str:
    said = [f"{violation.target or '/'}: {violation.message}" for violation in refused.violations]
    more = f"; and {len(said) - _MOST_SAID} more" if len(said) > _MOST_SAID else ""
    return "; ".join(said[:_MOST_SAID]) + more
