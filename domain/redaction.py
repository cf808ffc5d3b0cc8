"""What Azure says may quote a URL whose query is a credential: it is scrubbed before it is kept, logged or answered."""

from __future__ import annotations

import re

# The only parameters of Azure Resource Manager's URLs that are known to be harmless. Operation URLs also carry
# t, c, s and h: a time, a certificate, a signature and a hash.
_PLAIN = frozenset({"api-version", "service"})
# The separators are those of a URL, of one in HTML and of one in JSON that was quoted as text.
_PARAMETER = re.compile(r"(?P<mark>\?|&(?:amp;)?|\\u0026)(?P<name>[\w.$-]+)=(?P<value>[^&\s\"'<>\\]+)")
REDACTED = "REDACTED"


def scrub(text: str) -> str:
    """The text with the value of every query parameter but ``api-version`` and ``service`` replaced by REDACTED."""
    return _PARAMETER.sub(_scrubbed, text)


def _scrubbed(found: re.Match[str]) -> str:
    value = found["value"] if found["name"].lower() in _PLAIN else REDACTED
    return f"{found['mark']}{found['name']}={value}"
