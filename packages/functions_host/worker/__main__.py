"""``python -m packages.functions_host.worker``: the worker process. Started by the host only."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from packages.functions_host.wire.frames import Indexed, Invocation
from packages.functions_host.worker import clock_setting, library
from packages.functions_host.worker.channel import Channel, ChannelClosedError
from packages.functions_host.worker.log_lines import send_logs


def main() -> int:
    """Read the command line, and work."""
    parser = argparse.ArgumentParser("python -m packages.functions_host.worker", description=__doc__)
    parser.add_argument("--channel", type=int, required=True, help="number of the inherited socket")
    parser.add_argument("--app", type=Path, required=True, help="folder with function_app.py")
    options = parser.parse_args()
    return work(options.channel, options.app)


def work(descriptor: int, app_dir: Path) -> int:
    """Index the app and serve calls over the socket of this number until the host is gone; returns the exit code."""
    connection = socket.socket(fileno=descriptor)
    connection.set_inheritable(False)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # what is printed is not lost by a kill
    channel = Channel(connection)
    send_logs(channel)
    follow_clock = clock_setting.follow()
    _make_room_for(app_dir)
    return asyncio.run(_serve(channel, app_dir, follow_clock))


def _make_room_for(app_dir: Path) -> None:
    """The app's folder and its packages lead the search for modules, and nothing of ours is in its way."""
    own = str(Path(__file__).resolve().parents[3])
    sys.path[:] = [folder for folder in sys.path if folder != own]
    packages = app_dir / ".python_packages" / "lib" / "site-packages"
    for folder in (app_dir, packages):
        if folder.is_dir():
            sys.path.insert(0, str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == "packages"]:
        del sys.modules[name]
    os.chdir(app_dir)


async def _serve(channel: Channel, app_dir: Path, follow_clock: Callable[[], None]) -> int:
    loop, running = asyncio.get_running_loop(), set[asyncio.Task[None]]()

    def begin(invocation: Invocation) -> None:
        task = loop.create_task(_invoke(channel, invocation))
        running.add(task)
        task.add_done_callback(running.discard)

    def read() -> None:
        # A function that blocks the loop stops the other calls, as on Azure, but never this thread.
        try:
            while True:
                message = channel.read()
                follow_clock()
                if isinstance(message, Invocation):
                    loop.call_soon_threadsafe(begin, message)
        except ChannelClosedError:
            os._exit(0)

    threading.Thread(target=read, name="channel", daemon=True).start()
    indexed = await library.index(app_dir)
    channel.write(indexed)
    if isinstance(indexed, Indexed):
        await asyncio.Event().wait()
    return 1


async def _invoke(channel: Channel, invocation: Invocation) -> None:
    channel.write(await library.invoke(invocation))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
