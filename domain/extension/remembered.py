"""Which of the settings that an extension has somebody may have asked for: what is remembered of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from domain.extension import rules
from domain.extension.keys import GENERATED, GENERATED_BELOW, is_documented, looks_secret
from domain.extension.wanted import is_on
from domain.extension.wire import INTERNAL, NODE_PORT, SSL_SECRET

# What every installation generates or derives again, here or by the CLI (partner_extensions/AzureMLKubernetes.py).
_GENERATED = frozenset(
    {
        *GENERATED,
        *("servicebus.enabled", "relayserver.enabled", "nginxIngress.enabled", "openshift"),
        *(NODE_PORT, INTERNAL, SSL_SECRET, "scoringFe.namespace"),
        *("azure_log_analytics.enabled", "azure_log_analytics.customer_id"),
    }
)
# Names that the documents do not know: what they say of themselves is all there is to go by.
_SECRET_NAME = re.compile(
    r"passw|pwd|secret|token|credential|connection[-_.]?string|kubeconfig|cert|pem|sas$|"
    r"(api|access|account|private|shared|primary|secondary|ssl|tls|client|encryption)[-_.]?key",
    re.IGNORECASE,
)
# A certificate or key without its frame, a token, and a URL with a password.
_SECRET_VALUE = re.compile(r"MII[A-Za-z0-9+/]{40,}|eyJ[\w-]{8,}\.eyJ|://[^/\s:@]*:[^/\s@]+@")


@dataclass(frozen=True)
class Kept:
    """``settings`` can be asked for again; ``left_out`` are the names of those that cannot, or that may be secrets."""

    settings: Mapping[str, str]
    left_out: tuple[str, ...] = ()


def settings_to_keep(found: Mapping[str, Any], protected: Collection[str] = ()) -> Kept:
    """The plain settings of an extension as they can be asked for again, documented or not.

    ``protected`` are the names of its protected settings. Nothing that is, or by its name or value may be, a secret is
    among what is kept.
    """
    kept: dict[str, str] = {}
    left_out = []
    for name, value in found.items():
        name, text = str(name), "" if value is None else str(value)
        if name in _GENERATED or name.startswith(GENERATED_BELOW) or not text.strip():
            continue
        if name in protected or _may_be_secret(name, text) or not _can_be_asked_for(name, text):
            left_out.append(name)
        else:
            kept[name] = text
    secret = str(found.get(SSL_SECRET) or "").strip()
    if secret and "sslSecret" not in found and not is_on(kept, "allowInsecureConnections"):
        kept["sslSecret"] = secret  # The name of a secret, which an installation through ARM gives so.
    return Kept(kept, tuple(sorted(left_out)))


def _may_be_secret(name: str, value: str) -> bool:
    if looks_secret(value) or _SECRET_VALUE.search(value):
        return True
    return not is_documented(name) and value.lower() not in ("true", "false") and bool(_SECRET_NAME.search(name))


def _can_be_asked_for(name: str, value: str) -> bool:
    """Whether a request may carry it: a documented one is judged together with the others."""
    return is_documented(name) or not rules.check_each({name: value}, {})
