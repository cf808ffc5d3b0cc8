"""Log lines of the host and of its worker: one line for each event on stderr, with time, level and category."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping

LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": logging.CRITICAL + 10,
}
_SHORT = {"DEBUG": "debug", "INFO": "info", "WARNING": "warn", "ERROR": "error", "CRITICAL": "crit"}


class LineFormatter(logging.Formatter):
    """``[2026-11-20T22:30:00.123Z] info  Host.Startup: text``; the category of user code names its function."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, but for stacks, whose further lines are indented."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        level = _SHORT.get(record.levelname, record.levelname.lower())
        text = text.rstrip().replace("\n", "\n    ")
        return f"[{stamp}.{int(record.msecs):03}Z] {level:5} {record.name}: {text}"


def configure_logging(levels: Mapping[str, str]) -> None:
    """Send every logger to stderr; ``levels`` is host.json's ``logging.logLevel`` (categories match by prefix)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    for category, level in levels.items():
        number = LEVELS.get(level.lower())
        if number is not None:
            logging.getLogger(None if category.lower() == "default" else category).setLevel(number)
