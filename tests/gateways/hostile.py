"""A server on this machine that answers as badly as one can: bytes that drip, bodies without an end, packed zeros."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

MIB = 1024 * 1024
DRIP = 0.05


@dataclass
class Hostile:
    """``way`` is how it answers; ``asked`` are the request lines that came; ``other`` is where its redirects lead."""

    url: str = ""
    way: str = "honest"
    body: bytes = b"{}"
    other: str = "https://evil.example/"
    asked: list[str] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)


@contextmanager
def hostile_server(context: ssl.SSLContext | None = None) -> Iterator[Hostile]:
    """The server at work; over TLS when a context is given."""
    listener = socket.create_server(("127.0.0.1", 0))
    scheme = "http" if context is None else "https"
    kept = Hostile(f"{scheme}://localhost:{listener.getsockname()[1]}")

    def serve() -> None:
        while not kept.done.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_talk, args=(kept, connection, context), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield kept
    finally:
        kept.done.set()
        listener.close()


def _talk(kept: Hostile, plain: socket.socket, context: ssl.SSLContext | None) -> None:
    with suppress(OSError, ValueError), plain:
        if kept.way == "no handshake" and context is not None:
            kept.done.wait(60)
            return
        connection = plain if context is None else context.wrap_socket(plain, server_side=True)
        with connection, connection.makefile("rb") as reading:
            while line := reading.readline():
                length = 0
                while (header := reading.readline().strip().lower()) != b"":
                    if header.startswith(b"content-length:"):
                        length = int(header.split(b":")[1])
                reading.read(length)
                kept.asked.append(line.decode().strip())
                for part in parts(kept):
                    connection.sendall(part)


def parts(kept: Hostile) -> Iterator[bytes]:
    """The bytes of one answer."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    page = json.dumps({"value": [], "nextLink": kept.url + kept.asked[-1].split(" ")[1]}).encode()
    match kept.way:
        case "honest":
            yield head + b"Content-Length: %d\r\n\r\n" % len(kept.body) + kept.body
        case "packed":
            body = gzip.compress(kept.body)
            yield head + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        case "dripping headers":
            yield head + b"X-Slow: "
            yield from _drips(kept, b"a")
        case "dripping status":
            yield from _drips(kept, b"HTTP/1.1 100 Continue\r\n\r\n")
        case "dripping body":
            yield head + b"Content-Length: 1000000\r\n\r\n"
            yield from _drips(kept, b" ")
        case "dripping without length":
            yield head + b"Connection: close\r\n\r\n{"
            yield from _drips(kept, b" ")
        case "dripping chunk":
            yield head + b"Transfer-Encoding: chunked\r\n\r\n" + b"F4240\r\n"
            yield from _drips(kept, b" ")
        case "dripping trailers":
            yield head + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
            yield from _drips(kept, b"X-T: a\r\n")
        case "huge":
            yield head + b"Content-Length: %d\r\n\r\n" % (20 * MIB)
            yield from (b" " * MIB for _ in range(20))
        case "endless":
            yield head + b"Transfer-Encoding: chunked\r\n\r\n"
            while not kept.done.is_set():
                yield b"100000\r\n" + b" " * MIB + b"\r\n"
        case "bomb":
            body = gzip.compress(b" " * (10 * MIB)) * 20  # In parts: packed as one it takes seconds to make.
            yield head + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        case "other encoding":
            yield head + b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}"
        case "packed and cut":
            yield head + b"Content-Encoding: gzip\r\nContent-Length: 12\r\n\r\n" + gzip.compress(b"{}" * 99)[:12]
        case "deep":
            body = b"[" * MIB
            yield head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        case "looping":
            yield head + b"Content-Length: %d\r\n\r\n" % len(page) + page
        case "redirect":
            yield f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {kept.other}\r\nContent-Length: 0\r\n\r\n".encode()
        case "many headers":
            yield head + b"".join(b"X-%d: a\r\n" % number for number in range(100_000)) + b"\r\n{}"
        case "long header":
            yield head + b"X-A: " + b"a" * MIB + b"\r\nContent-Length: 2\r\n\r\n{}"
        case "loop of two":
            number = len(kept.asked) % 2
            body = json.dumps({"value": [{}], "nextLink": f"{kept.url}/subscriptions/s/x?page={number}"}).encode()
            yield head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        case "endless continue":
            body = json.dumps({"metadata": {"continue": f"{kept.other}{len(kept.asked)}"}, "items": []}).encode()
            yield head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        case "many items":
            item = b'{"name":"a","properties":{"jobType":"Command","status":"Completed"}},'
            body = b'{"value":[' + item * 200_000 + b"{}]}"
            yield head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        case "endless list":
            link = f"{kept.url}/subscriptions/s/x?page={len(kept.asked)}"
            body = json.dumps({"value": [{}], "nextLink": link}).encode()
            yield head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        case other:
            raise AssertionError(other)


def _drips(kept: Hostile, what: bytes) -> Iterator[bytes]:
    while not kept.done.is_set():
        time.sleep(DRIP)
        yield what


DRIPPING = (
    "dripping headers",
    "dripping status",
    "dripping body",
    "dripping without length",
    "dripping chunk",
    "dripping trailers",
)
TOO_LARGE = ("huge", "endless", "bomb")
FLOODS = ("many headers", "long header")
BROKEN = ("other encoding", "packed and cut")
