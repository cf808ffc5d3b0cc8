"""What the host reads before it starts: host.json, local.settings.json, environment overrides, and ``%name%`` parts.

The rules follow the Azure Functions host and Core Tools: ``Values`` become environment variables unless one of that
name is set already, ``AzureFunctionsJobHost__a__b`` overrides ``a.b`` of host.json, host.json must say version 2.0.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packages.functions_host.dotnet.dates import TICKS_PER_SECOND
from packages.functions_host.dotnet.timespans import parse_timespan

OVERRIDE_PREFIX = re.compile(r"^AzureFunctionsJobHost(?:__|:)", re.IGNORECASE)
DEFAULT_TIMEOUT = 30 * 60.0
"""Seconds: what the host uses where no plan sets another (``func start``, Premium, Dedicated)."""


class SettingsError(Exception):
    """A settings file that the real host would refuse, or a ``%name%`` that does not resolve."""


@dataclass(frozen=True)
class LocalSettings:
    """The parts of local.settings.json that Core Tools read."""

    values: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    cors: tuple[str, ...] = ()
    cors_credentials: bool = False


@dataclass(frozen=True)
class HostJson:
    """host.json after the environment's overrides."""

    content: Mapping[str, Any]
    route_prefix: str = "api"
    custom_headers: Mapping[str, str] = field(default_factory=dict)
    durable_task: Mapping[str, Any] = field(default_factory=dict)
    function_timeout: float | None = DEFAULT_TIMEOUT
    log_levels: Mapping[str, str] = field(default_factory=dict)
    max_outstanding: int = -1
    max_concurrent: int = -1


def read_local_settings(path: Path) -> LocalSettings:
    """Read local.settings.json.

    Raises SettingsError when it is missing, not JSON, or encrypted (only Core Tools can decrypt it).
    """
    content = _read_json(path, "settings file")
    encrypted = content.get("IsEncrypted", False)
    if encrypted not in (False, None):
        raise SettingsError(f"{path}: IsEncrypted must be false here; run 'func settings decrypt' first.")
    host = content.get("Host") or {}
    values = content.get("Values") or {}
    if not isinstance(values, dict) or not isinstance(host, dict):
        raise SettingsError(f"{path}: 'Values' and 'Host' must be objects.")
    cors = host.get("CORS") or ""
    return LocalSettings(
        values={str(name): _as_text(value) for name, value in values.items() if value is not None},
        port=int(host["LocalHttpPort"]) if host.get("LocalHttpPort") else None,
        cors=tuple(origin.strip().rstrip("/") for origin in str(cors).split(",") if origin.strip()),
        cors_credentials=bool(host.get("CORSCredentials", False)),
    )


def apply_values(values: Mapping[str, str], environment: MutableMapping[str, str] | None = None) -> None:
    """Put ``Values`` into the environment; what is set there already wins, as with ``func start``."""
    target = os.environ if environment is None else environment
    for name, value in values.items():
        target.setdefault(name, value)


def read_host_json(app_dir: Path, environment: Mapping[str, str] | None = None) -> HostJson:
    """Read host.json of an app folder and apply the environment's overrides.

    Raises SettingsError for a missing or malformed file and for any version but "2.0".
    """
    path = app_dir / "host.json"
    content = _read_json(path, "host.json")
    if content.get("version") != "2.0":
        raise SettingsError(f"{path}: the required property 'version' must be \"2.0\".")
    for name, value in (os.environ if environment is None else environment).items():
        match = OVERRIDE_PREFIX.match(name)
        if match:
            _override(content, re.split(r"__|:", name[match.end() :]), value)
    http = _section(content, "extensions", "http")
    headers = http.get("customHeaders")
    return HostJson(
        content=content,
        route_prefix=str(http.get("routePrefix", "api")).strip("/"),
        custom_headers=headers if isinstance(headers, dict) else {},
        durable_task=_section(content, "extensions", "durableTask"),
        function_timeout=_timeout(content.get("functionTimeout")),
        log_levels={str(k): str(v) for k, v in _section(content, "logging", "logLevel").items()},
        max_outstanding=int(http.get("maxOutstandingRequests", -1)),
        max_concurrent=int(http.get("maxConcurrentRequests", -1)),
    )


class NameResolver:
    """Replaces ``%name%`` by settings, names in any case; ``A__B`` of the environment is also ``A:B``."""

    def __init__(self, values: Mapping[str, str], environment: Mapping[str, str] | None = None) -> None:
        """``values`` are configuration keys as they are; ``environment`` names get their ``:`` form as well."""
        self._values = {name.lower(): value for name, value in values.items()}
        for name, value in (environment or {}).items():
            self._values.setdefault(name.lower(), value)
            self._values.setdefault(name.replace("__", ":").lower(), value)

    def get(self, name: str) -> str | None:
        """One setting, or None."""
        return self._values.get(name.lower())

    def resolve(self, text: str) -> str:
        """Replace every ``%name%``; the result is not looked at again.

        Raises SettingsError with the WebJobs SDK's texts.
        """
        parts: list[str] = []
        position = 0
        while (start := text.find("%", position)) >= 0:
            end = text.find("%", start + 1)
            if end < 0:
                raise SettingsError(f"The '%' at position {start} does not have a closing '%'")
            name = text[start + 1 : end]
            value = self.get(name)
            if value is None:
                raise SettingsError(f"'%{name}%' does not resolve to a value.")
            parts += [text[position:start], value]
            position = end + 1
        return "".join(parts) + text[position:]

    def is_disabled(self, function: str) -> bool:
        """Whether ``AzureWebJobs.<function>.Disabled`` (or with ``_``) says ``1`` or ``true``."""
        for name in (f"AzureWebJobs.{function}.Disabled", f"AzureWebJobs_{function}_Disabled"):
            value = self.get(name)
            if value is not None and value.lower() in ("1", "true"):
                return True
        return False


def _read_json(path: Path, what: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise SettingsError(f"{what} not found: {path}") from None
    except ValueError as error:
        raise SettingsError(f"{path}: not valid JSON ({error})") from None
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: must hold a JSON object.")
    return content


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _find(section: Mapping[str, Any], name: str) -> str:
    """The key of ``section`` that equals ``name`` in any case, else ``name``."""
    return next((key for key in section if key.lower() == name.lower()), name)


def _section(content: Mapping[str, Any], *path: str) -> dict[str, Any]:
    section: Any = content
    for name in path:
        section = section.get(_find(section, name)) if isinstance(section, dict) else None
    return section if isinstance(section, dict) else {}


def _override(content: dict[str, Any], path: list[str], value: str) -> None:
    for name in path[:-1]:
        key = _find(content, name)
        if not isinstance(content.get(key), dict):
            content[key] = {}
        content = content[key]
    content[_find(content, path[-1])] = _typed(value)


def _typed(value: str) -> Any:
    """Configuration values are texts to .NET; readers of host.json here expect JSON's types."""
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    return int(value) if re.fullmatch(r"-?\d{1,9}", value) else value


def _timeout(value: Any) -> float | None:
    if value is None:
        return DEFAULT_TIMEOUT
    if str(value) == "-1":
        return None
    ticks = parse_timespan(str(value))
    if ticks is None or ticks < 0:
        raise SettingsError(f"host.json: functionTimeout '{value}' is not a time span (hh:mm:ss).")
    return ticks / TICKS_PER_SECOND
