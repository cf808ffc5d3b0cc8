"""What the SDKs may write to the log: warnings and worse.

The Python worker has the root logger at INFO, where azure-core logs every request and answer with its URL, and
azure-identity every token: about 180 lines for one attach, resource ids in them. The step itself logs what it does.
"""

from __future__ import annotations

import logging

# azure: every azure-* package. httpx2: lightkube's requests to clusters. msal: under azure-identity.
SDK_LOGGERS = ("azure", "httpx2", "msal")


def keep_to_warnings() -> None:
    """Set the SDKs' loggers to WARNING, whatever the root logger is set to."""
    for name in SDK_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
