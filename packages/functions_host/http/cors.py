"""CORS as Core Tools adds it: outermost, from ``Host.CORS`` of the settings file; preflights never reach a function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from packages.functions_host.http.results import HttpAnswer


@dataclass(frozen=True)
class Cors:
    """The allowed origins (``*`` for all) and whether credentials are allowed."""

    origins: tuple[str, ...] = ()
    credentials: bool = False

    def preflight(self, method: str, headers: Mapping[str, str]) -> HttpAnswer | None:
        """The answer to a preflight, or None when the request is none (or CORS is off)."""
        asked = headers.get("Access-Control-Request-Method")
        if not self.origins or method.upper() != "OPTIONS" or not headers.get("Origin") or not asked:
            return None
        allowed = self.headers(headers)
        if allowed:
            allowed["Access-Control-Allow-Methods"] = asked
            if headers.get("Access-Control-Request-Headers"):
                allowed["Access-Control-Allow-Headers"] = headers["Access-Control-Request-Headers"]
        return HttpAnswer(204, tuple(allowed.items()))

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """What an answer to a request from this origin carries."""
        origin = headers.get("Origin")
        if not origin or not self.origins:
            return {}
        everyone = "*" in self.origins
        if not everyone and origin.rstrip("/").lower() not in (allowed.lower() for allowed in self.origins):
            return {}
        result = {"Access-Control-Allow-Origin": "*" if everyone and not self.credentials else origin}
        if not everyone or self.credentials:
            result["Vary"] = "Origin"
        if self.credentials:
            result["Access-Control-Allow-Credentials"] = "true"
        return result
