"""Query parameters as the extension reads them: names in any case, values it cannot parse count as absent."""

from __future__ import annotations

from aiohttp import web

from packages.functions_host.durable.protocol.timestamps import ticks_from_text

_STATUSES = (
    "Running",
    "Completed",
    "ContinuedAsNew",
    "Failed",
    "Canceled",
    "Terminated",
    "Pending",
    "Suspended",
)


class QueryValues:
    """The query of one request."""

    def __init__(self, request: web.Request) -> None:
        self._values: dict[str, list[str]] = {}
        for key, value in request.query.items():
            self._values.setdefault(key.lower(), []).append(value)

    def text(self, name: str) -> str | None:
        """The value; several are joined with commas as .NET does."""
        values = self._values.get(name.lower())
        return None if values is None else ",".join(values)

    def flag(self, name: str, default: bool) -> bool:
        """``true`` or ``false`` in any case; ``1`` and ``0`` are not understood (recorded)."""
        value = (self.text(name) or "").strip().lower()
        return value == "true" if value in ("true", "false") else default

    def number(self, name: str) -> float | None:
        """A number, None when there is none."""
        try:
            return float(self.text(name) or "")
        except ValueError:
            return None

    def moment(self, name: str) -> int | None:
        """A time stamp in ticks, None when there is none."""
        try:
            return ticks_from_text((self.text(name) or "").replace(" ", "+"))
        except ValueError:
            return None

    def statuses(self) -> list[str]:
        """Known runtime statuses, comma-separated or repeated; case matters, unknown words are ignored (recorded)."""
        words = (self.text("runtimeStatus") or "").split(",")
        return [word.strip() for word in words if word.strip() in _STATUSES]

    @property
    def task_hub(self) -> str | None:
        """The task hub the request names."""
        return (self.text("taskHub") or "").strip() or None

    @property
    def connection(self) -> str | None:
        """The storage connection the request names."""
        return (self.text("connection") or "").strip() or None
