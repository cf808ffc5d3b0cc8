"""Addresses of a host name; one that does not resolve has none."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from gateways import dns


def resolves(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    def getaddrinfo(host: str, port: None, type: int) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return [(socket.AF_INET, type, 6, "", (each, 0)) for each in answer]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_every_address_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    resolves(monkeypatch, ["192.0.2.1", "2001:db8::1", "192.0.2.1"])
    assert dns.addresses("models.contoso.example") == {"192.0.2.1", "2001:db8::1"}


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), TimeoutError("slow"), UnicodeError("too long")])
def test_a_name_that_does_not_resolve_has_no_address(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    resolves(monkeypatch, error)
    assert dns.addresses("models.contoso.example") == frozenset()


def test_a_text_that_is_no_name_has_no_address() -> None:
    assert dns.addresses("a" * 64 + ".example") == frozenset()
