"""``python -m packages.functions_host.worker.fork_server --socket PATH MODULE..``: workers that start in no time.

It imports the modules, libraries of the app, once; each worker that a host asks for is a fork of it, which then goes
the way of any worker: its own environment, its own app. A worker ends with the host that asked for it, and with this
server. One thread, because only a process with one thread may fork. Linux only: elsewhere libraries of the system do
not survive a fork.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packages.functions_host.wire.frames import LENGTH
from packages.functions_host.worker.__main__ import work

_PR_SET_PDEATHSIG = 1
_CREDENTIALS = struct.Struct("3i")
_LONGEST = 1 << 20
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class _Worker:
    """``host`` is the process id of the host that asked for it over ``connection``."""

    pid: int
    host: int
    connection: socket.socket


class ForkServer:
    """Answers hosts, one connection for each worker: its process id first, its exit status when it has ended."""

    def __init__(self, listener: socket.socket, modules: list[str]) -> None:
        """``modules`` are imported when the first worker is asked for."""
        self._listener, self._modules = listener, modules
        self._workers: dict[int, _Worker] = {}
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        """Serve until a signal ends the process."""
        woken, wake = socket.socketpair()
        for end in (woken, wake):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        for source in (woken, self._listener):
            self._selector.register(source, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    self._answer(self._listener.accept()[0])
                elif key.fileobj is woken:
                    woken.recv(4096)
                    self._bury()
                else:  # A host says nothing more: it has gone.
                    os.kill(key.data.pid, signal.SIGKILL)
                    self._selector.unregister(key.fileobj)

    def _answer(self, connection: socket.socket) -> None:
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        host: int = _CREDENTIALS.unpack(credentials)[0]
        asked, descriptors = _read(connection)
        if "workersOf" in asked:
            found = [worker.pid for worker in self._workers.values() if worker.host == asked["workersOf"]]
            connection.sendall(json.dumps(found).encode())
            connection.close()
            return
        for name in self._modules:
            importlib.import_module(name)
        gc.freeze()
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become(asked, descriptors, server)
        for descriptor in descriptors:
            os.close(descriptor)
        self._workers[pid] = worker = _Worker(pid, host, connection)
        connection.sendall(b"%d\n" % pid)
        self._selector.register(connection, selectors.EVENT_READ, worker)

    def _bury(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            connection = self._workers.pop(pid).connection
            if connection in self._selector.get_map():
                self._selector.unregister(connection)
            with contextlib.suppress(OSError):  # Its host may have gone.
                connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
            connection.close()

    def _become(self, asked: dict[str, Any], descriptors: list[int], server: int) -> None:
        """Be the worker that was asked for, and end with it: nothing of the server is left in this process."""
        code = 1
        try:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != server:
                os._exit(1)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setpgid(0, 0)
            self._selector.close()
            self._listener.close()
            for other in self._workers.values():
                other.connection.close()
            channel, output = descriptors
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.close(output)
            os.environ.clear()
            os.environ.update(asked["environment"])
            time.tzset()
            code = work(channel, Path(asked["app"]))
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


def _read(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """What a host asks, and the descriptors that come with it."""
    message, descriptors, _, _ = socket.recv_fds(connection, _LONGEST, 2)
    while len(message) < LENGTH.size or len(message) < LENGTH.size + LENGTH.unpack_from(message)[0]:
        more = connection.recv(_LONGEST)
        if not more:
            return {"workersOf": 0}, []  # It has gone in the middle of its question.
        message += more
    return json.loads(message[LENGTH.size :]), list(descriptors)


def main() -> None:
    """Listen, and serve."""
    parser = argparse.ArgumentParser("python -m packages.functions_host.worker.fork_server", description=__doc__)
    parser.add_argument("--socket", required=True, help="path of the socket to listen on")
    parser.add_argument("modules", nargs="*", help="what is imported before the first worker starts")
    options = parser.parse_args()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(options.socket)
    listener.listen(128)
    ForkServer(listener, options.modules).serve()


if __name__ == "__main__":
    main()
