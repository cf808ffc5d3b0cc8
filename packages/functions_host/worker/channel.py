"""The worker's end of the channel: blocking reads on a thread of their own, writes from any thread."""

from __future__ import annotations

import socket
import threading

from packages.functions_host.wire import frames
from packages.functions_host.wire.frames import Message


class ChannelClosedError(Exception):
    """The host has closed the channel, or has ended."""


class Channel:
    """One connected socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader = connection.makefile("rb", buffering=1 << 16)
        self._writing = threading.Lock()

    def read(self) -> Message:
        """Wait for the next message. Raises ChannelClosedError."""
        head = self._exactly(frames.LENGTH.unpack(self._exactly(frames.LENGTH.size))[0])
        return frames.decode(head, self._exactly(frames.rest_of(head)))

    def write(self, message: Message) -> None:
        """Send a message, whole frames one after the other. Raises ChannelClosedError."""
        frame = frames.encode(message)
        try:
            with self._writing:
                self._connection.sendall(frame)
        except OSError as error:
            raise ChannelClosedError from error

    def _exactly(self, count: int) -> bytes:
        try:
            content: bytes = self._reader.read(count)
        except OSError as error:
            raise ChannelClosedError from error
        if len(content) < count:
            raise ChannelClosedError
        return content
