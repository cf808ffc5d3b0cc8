"""The name system, as this app sees it."""

from __future__ import annotations

import socket


def addresses(host: str) -> frozenset[str]:
    """Every address of a host name; empty when it does not resolve."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return frozenset()
    return frozenset(str(each[4][0]) for each in found)
