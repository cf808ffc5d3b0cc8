"""The signature in the URLs by which ARM has long-running operations polled: ``t``, ``c``, ``s`` and ``h``.

Since 2024 such a URL carries a time, a certificate, a signature and a hash beside its ``api-version``, and needs the
bearer token as well. What ARM computes them from is not published; that the hash belongs to the caller is known from
the words with which it refuses another one (https://github.com/MicrosoftDocs/azure-docs/issues/119301). That a poll
without a signature is refused, and the status 403, are not verified: this is as strict as can be, so that a client that
loses the signature is found out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from packages.simulated_azure.arm.errors import ArmError

if TYPE_CHECKING:
    from packages.simulated_azure.arm.call import Call
    from packages.simulated_azure.world import World

NAMES = ("t", "c", "s", "h")
_STORED = "signature"
# Ticks of 100 ns between the year 1 and 1970: the form of ``t``.
_EPOCH_TICKS = 621_355_968_000_000_000
_CERTIFICATE_BYTES = 1400


def signed(call: Call, path: str, query: Mapping[str, str]) -> str:
    """The absolute URL of an operation's status or result, signed for the caller. ``path`` has no query."""
    world = call.world
    moment = str(_EPOCH_TICKS + int(call.now * 10_000_000))
    signature = _signature(world, path, query, moment, call.principal.object_id)
    world.store.put(_STORED, signature["s"], signature)
    return f"{call.base_url}{path}?{urlencode({**query, **signature})}"


def check(call: Call) -> None:
    """Refuse a poll whose signature is missing, altered or of another caller. Raises ArmError 403."""
    given = {name: call.query.get(name, "") for name in NAMES}
    if not all(given.values()):
        raise ArmError(
            403,
            "AuthorizationFailed",
            "The request to an asynchronous operation is not authorized: the request uri lacks its signature.",
            gateway=True,
        )
    query = {name: value for name, value in call.query.items() if name not in NAMES}
    wanted = _signature(call.world, call.path, query, given["t"], call.principal.object_id)
    if any(not hmac.compare_digest(given[name].encode(), wanted[name].encode()) for name in NAMES):
        raise ArmError(
            403,
            "AuthorizationFailed",
            "Only the original caller of an asynchronous operation is allowed to retrieve the results. The content "
            "hash provided in the query params of the request uri does not match the expected hash.",
            gateway=True,
        )


def given_out(world: World) -> list[dict[str, str]]:
    """Every signature given out since the last reset."""
    return list(world.store.values(_STORED))


def _signature(world: World, path: str, query: Mapping[str, str], moment: str, caller: str) -> dict[str, str]:
    content = "\n".join([path.lower(), urlencode(sorted(query.items())), moment])
    certificate = "MII" + _text(hashlib.shake_256(_key(world, "certificate")).digest(_CERTIFICATE_BYTES))
    return {
        "t": moment,
        "c": certificate,
        "s": _text(hmac.digest(_key(world, "signature"), content.encode(), "sha512")),
        "h": _text(hmac.digest(_key(world, "hash"), f"{content}\n{caller.lower()}".encode(), "sha256")),
    }


def _key(world: World, purpose: str) -> bytes:
    # The topic's key outlives a restart with kept state, and so do the URLs that were given out before it.
    return hmac.digest(world.topic_key.encode(), f"operation urls: {purpose}".encode(), "sha256")


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
