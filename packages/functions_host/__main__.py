"""``python -m packages.functions_host``: serve a Python function app as the Azure Functions host would."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from packages.controls.clock import add_clock_arguments, clock_from_arguments
from packages.controls.jumps import HOST
from packages.functions_host.durable.options import WrongChoiceError
from packages.functions_host.extension.options import EXTENSION, add_engine_arguments, program_from_arguments
from packages.functions_host.keys import load_keys
from packages.functions_host.logs import configure_logging
from packages.functions_host.settings import (
    SettingsError,
    apply_values,
    read_host_json,
    read_local_settings,
)
from packages.functions_host.worker import clock_setting
from packages.functions_host.workers.errors import WorkerStartError
from packages.functions_host.workers.process import WorkerOptions
from packages.functions_host.workers.supervisor import WorkerSupervisor

if TYPE_CHECKING:
    from packages.functions_host.host import FunctionsHost

DEFAULT_PORT = 7071
_log = logging.getLogger("Host.Startup")

DESCRIPTION = """\
Serves the function app in --app (function_app.py, Python v2 programming model) on 127.0.0.1 as the Azure Functions
host would: HTTP, timer and Event Grid triggers, and the Durable extension. The app runs in a worker process of its own,
on Microsoft's worker library. Reads host.json of the app and the settings file that 'func start' reads. When it serves
it prints one JSON line on stdout: url, keys, functions, pid, workerPid. Logs go to stderr. SIGTERM and Ctrl-C stop it
at once; kill -9 does no harm, the next start continues where it was. A worker that ends is replaced."""

EPILOG = """\
exit codes: 0 stopped by a signal, 1 the worker refuses the app or does not start, or its settings cannot be loaded,
2 wrong options.
Environment: Values of the settings file (unless set already), AzureFunctionsJobHost__a__b overrides a.b of host.json,
PYTHON_THREADPOOL_THREAD_COUNT (else 1000), WEBSITE_TIME_ZONE or TZ. The README beside says
what is not done."""


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        "python -m packages.functions_host",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--app", type=Path, required=True, help="folder with function_app.py and host.json")
    parser.add_argument(
        "--settings", type=Path, help="local.settings.json (default: the one in --app, if there is one)"
    )
    parser.add_argument(
        "--port",
        type=int,
        help="port on 127.0.0.1, 0 for a free one (default: Host.LocalHttpPort of the settings, else 7071)",
    )
    parser.add_argument("--state", type=Path, required=True, help="folder for keys, timer status and durable history")
    parser.add_argument(
        "--enable-auth", action="store_true", help="demand keys as on Azure (default: every caller is admin)"
    )
    parser.add_argument(
        "--keys",
        type=Path,
        help='JSON file with keys: "master", "function", "eventgrid", "durabletask", "functions": {name: {key: value}}'
        " (default: made at first start, kept in --state)",
    )
    parser.add_argument(
        "--duplicate-activities",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="deliver this share (0..1) of activity messages twice, as at-least-once delivery may (default: 0)",
    )
    parser.add_argument("--seed", type=int, default=0, help="makes the choice of duplicates repeatable (default: 0)")
    parser.add_argument(
        "--call-hook",
        metavar="URL",
        help="ask this URL before and after each call to the durable engine, and tell it of each function that runs",
    )
    parser.add_argument(
        "--fork-server",
        type=Path,
        metavar="SOCKET",
        help="have workers forked by worker/fork_server.py, for many starts",
    )
    add_engine_arguments(parser)
    add_clock_arguments(parser)
    parser.add_argument(
        "--clock-setting",
        metavar="NAME",
        help="app setting that tells the app origin and factor of the clock; it is kept true as the clock jumps",
    )
    parsed = parser.parse_args(arguments)
    if (parsed.clock_jumps is None) != (parsed.clock_setting is None):
        parser.error("--clock-jumps and --clock-setting go together")
    if parsed.clock_jumps is not None and parsed.engine == EXTENSION:
        parser.error("--clock-jumps is for our own engine only")
    if not 0 <= parsed.duplicate_activities <= 1:
        parser.error("--duplicate-activities must be between 0 and 1")
    if parsed.engine == EXTENSION and (parsed.duplicate_activities or parsed.call_hook):
        parser.error("--duplicate-activities and --call-hook are for our own engine only")
    return parsed


def main(arguments: list[str] | None = None) -> int:
    """Run the host until a signal; returns the exit code."""
    options = parse_arguments(arguments)
    # The ready line must be alone on stdout, so what the app prints goes to the log.
    stdout, sys.stdout = sys.stdout, sys.stderr
    configure_logging({})
    try:
        return asyncio.run(_serve(options, stdout))
    except (SettingsError, WorkerStartError, OSError, ValueError) as error:
        _log.critical("The host cannot start: %s", error)
        return 1


async def _serve(options: argparse.Namespace, stdout: TextIO) -> int:
    app_dir, state_dir = options.app.resolve(), options.state.resolve()
    settings_file = options.settings or app_dir / "local.settings.json"
    given = options.settings is not None or settings_file.exists()
    settings = read_local_settings(settings_file) if given else None
    if settings:
        apply_values(settings.values)
    if options.clock_jumps is not None:
        os.environ[clock_setting.VARIABLE] = clock_setting.told(options.clock_setting, options.clock_jumps.resolve())
    host_json = read_host_json(app_dir)
    configure_logging(host_json.log_levels)
    state_dir.mkdir(parents=True, exist_ok=True)
    port = options.port if options.port is not None else (settings.port if settings else None) or DEFAULT_PORT
    listener = _listen(port)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    worker = WorkerSupervisor(WorkerOptions(app_dir, os.environ, options.fork_server), host_json.function_timeout)
    await worker.launch()
    # Imported while the worker imports the app: a start takes half a second less.
    from aiohttp import web

    from packages.controls.call_hook import CallHook
    from packages.functions_host.host import FunctionsHost, HostOptions
    from packages.functions_host.http.cors import Cors
    from packages.functions_host.http.web import WebEdge

    keys = load_keys(state_dir, options.keys.resolve() if options.keys else None)
    host = FunctionsHost(
        HostOptions(
            app_dir=app_dir,
            state_dir=state_dir,
            base_url=url,
            clock=clock_from_arguments(options, HOST),
            keys=keys,
            enable_auth=options.enable_auth,
            duplicate_share=options.duplicate_activities,
            seed=options.seed,
            call_hook=CallHook(options.call_hook) if options.call_hook else None,
            extension=program_from_arguments(options),
        ),
        host_json,
        worker,
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    cors = Cors(settings.cors, settings.cors_credentials) if settings else Cors()
    runner = WebEdge(host, cors).runner(handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    try:
        try:
            await host.load()
        except WrongChoiceError as error:
            # The real host starts again and again, and answers 503 meanwhile.
            host.start_error = str(error)
            _log.critical("The host cannot start and answers 503: %s", error)
            await stop.wait()
            return 1
        await host.start()
        system = {"eventgrid": keys.system["eventgrid_extension"], "durabletask": keys.system["durabletask_extension"]}
        ready = {
            "url": url,
            "keys": {"master": keys.master, "function": keys.host["default"], **system},
            "functions": sorted(set(host.functions) - set(host.served.errors)),
            "pid": os.getpid(),
            "workerPid": host.worker.pid,
        }
        print(json.dumps(ready), file=stdout, flush=True)
        await _until_stopped(stop, host)
    finally:
        await host.stop()
        await runner.cleanup()
    return 0


async def _until_stopped(stop: asyncio.Event, host: FunctionsHost) -> None:
    """Wait for a signal. Raises WorkerStartError when there will be no further worker."""
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait((stopped, host.worker.failed), return_when=asyncio.FIRST_COMPLETED)
    if stopped.done():
        _log.info("Stopping")
    else:
        stopped.cancel()
        await host.worker.failed


def _listen(port: int) -> socket.socket:
    """A listening socket on the loopback interface. Raises OSError when the port is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise OSError(f"127.0.0.1:{port} cannot be used: {error.strerror}") from error
    return listener


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    sys.stderr.flush()
    # Threads of the engine that still run would otherwise hold the process until they end.
    os._exit(code)
