"""Sends the log records of the worker process to the host, each with the invocation that it belongs to."""

from __future__ import annotations

import contextlib
import logging

import azure_functions_runtime as runtime

from packages.functions_host.wire.frames import LogLine
from packages.functions_host.worker.channel import Channel, ChannelClosedError


class HostHandler(logging.Handler):
    """Hands every record on. The invocation is the library's: its context variable, on whatever thread."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record; without a host there is nobody to tell."""
        try:
            line = LogLine(
                record.name, record.levelno, self.format(record).rstrip(), runtime.invocation_id_cv.get() or ""
            )
        except Exception:
            self.handleError(record)
            return
        with contextlib.suppress(ChannelClosedError):
            self._channel.write(line)


def send_logs(channel: Channel) -> None:
    """As on Azure: the root logger is at INFO, and its only handler is the host's."""
    root = logging.getLogger()
    root.handlers[:] = [HostHandler(channel)]
    root.setLevel(logging.INFO)
