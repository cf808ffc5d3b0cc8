"""A running stack: Azurite, the simulated Azure and the app in the local Functions host, on one scaled clock."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local import engines, fork_server, tenant
from local import world as worlds
from local.app_client import AppClient
from local.app_settings import app_settings, clean_environment, write_settings_file
from local.azurite import service_uri, start_azurite
from local.processes import (
    REPOSITORY,
    Child,
    Processes,
    free_port,
)
from local.subscription import subscribe
from packages.controls.clock import ScaledClock
from packages.controls.jumps import HOST, Jumps
from packages.simulated_azure.control.client import SimulatedAzure

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """How a stack is to be.

    ``factor`` is simulated seconds per real second. ``world`` is a seed of the simulated Azure. ``settings`` are laid
    over the app's settings; an empty value leaves one out. ``event_workspaces`` may be named by the tags of clusters.
    ``duplicate_activities`` is the share of activity messages that are delivered twice, drawn from ``seed``.
    ``call_hook`` is the URL that is asked about every call (packages/controls/call_hook.py). ``front_of_tables`` is
    given Azurite's port and answers the port that the app uses instead: a proxy's. ``port`` is the app's own; None is
    any free one. ``app`` is the folder of the app. ``engine`` is ``own`` or ``extension``: Microsoft's, which waits in
    real seconds. ``jumps``: ``Stack.jumps`` moves the clock on besides; our own engine alone.
    """

    factor: float = 200.0
    world: Mapping[str, Any] = field(default_factory=worlds.world_of)
    settings: Mapping[str, str] = field(default_factory=dict)
    event_workspaces: tuple[str, ...] = (worlds.WORKSPACE,)
    duplicate_activities: float = 0.0
    seed: int = 0
    call_hook: str | None = None
    front_of_tables: Callable[[int], int] | None = None
    port: int | None = None
    app: Path = REPOSITORY
    jumps: bool = False
    engine: str = field(default_factory=engines.chosen)


class Stack:
    """The parts of a running stack and how to reach them. Made by ``running_stack``."""

    def __init__(self, options: Options, state_dir: Path, processes: Processes, progress: Progress) -> None:
        self.options = options
        self.state_dir = state_dir
        self.jumps = Jumps.make(state_dir / "clock-jumps") if options.jumps else None
        self.clock = ScaledClock(time.time(), options.factor, self.jumps)
        self._processes = processes
        self._progress = progress
        self._host: Child | None = None
        self._ready: dict[str, Any] = {}
        self._tokens: dict[str, tuple[str, float]] = {}
        self._start_azure()
        self._start_storage()
        port = options.port or free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.settings = self._app_settings()
        self.settings_file = state_dir / "local.settings.json"
        write_settings_file(self.settings_file, self.settings, port)
        self._port = port
        self.start_host()
        self._progress("the event subscription")
        subscribe(self.azure, worlds.SCOPE, self.event_webhook)

    def _start_azure(self) -> None:
        self._progress("the simulated Azure")
        command = ["--state", str(self.state_dir / "azure"), *self._shared_arguments()]
        self._azure = self._processes.start(
            "simulated-azure", _module("packages.simulated_azure", command), _environment()
        )
        self.azure = SimulatedAzure(self._azure.ready_line())
        self.azure.seed(dict(self.options.world))

    def _start_storage(self) -> None:
        self._progress("Azurite")
        about = self.azure.about
        data = self.state_dir / "azurite"
        self._azurite, ports = start_azurite(self._processes, data, about["serverCert"], about["serverKey"])
        self.table_service_uri = service_uri(ports["table"])
        if self.options.front_of_tables:
            ports["table"] = self.options.front_of_tables(ports["table"])
        self._storage = {service: service_uri(port) for service, port in ports.items()}

    def _app_settings(self) -> dict[str, str]:
        clock = f"{self.clock.origin!r},{self.clock.factor!r}"
        made = app_settings(self.azure.about, self._storage, clock, self.options.event_workspaces)
        return {name: value for name, value in {**made, **self.options.settings}.items() if value}

    def _shared_arguments(self) -> list[str]:
        arguments = ["--clock-origin", repr(self.clock.origin), "--clock-factor", repr(self.clock.factor)]
        arguments += ["--clock-jumps", str(self.state_dir / "clock-jumps")] if self.jumps else []
        return [*arguments, "--call-hook", self.options.call_hook] if self.options.call_hook else arguments

    def start_host(self) -> None:
        """Start the Functions host and wait until it serves; nothing when it runs. Raises StackError."""
        if self._host is not None and self._host.alive:
            return
        self._progress("the Functions host")
        arguments = ["--app", str(self.options.app), "--settings", str(self.settings_file), "--port", str(self._port)]
        arguments += ["--state", str(self.state_dir / "host"), "--enable-auth", *self._shared_arguments()]
        if self.jumps is not None:
            arguments += ["--clock-setting", "MOOR_CLOCK"]
        if self.options.duplicate_activities:
            arguments += ["--duplicate-activities", str(self.options.duplicate_activities)]
            arguments += ["--seed", str(self.options.seed)]
        if fork_server.chosen() is not None:
            arguments += ["--fork-server", str(fork_server.chosen())]
        if self.published_engine:
            arguments += engines.arguments(self.state_dir, self._storage, self.azure.about["caBundle"])
        self._host = self._processes.start("host", _module("packages.functions_host", arguments), _environment())
        self._ready = self._host.ready_line()

    def kill_host(self) -> None:
        """End host and worker with SIGKILL. Whatever they were doing stops in the middle."""
        if self._host is not None:
            self._processes.kill(self._host)
        if self.jumps is not None:
            self.jumps.forget(HOST)

    def stop_host(self) -> None:
        """End host and worker with SIGTERM."""
        if self._host is not None:
            self._processes.stop(self._host, engines.STOP_SECONDS[self.options.engine])

    @property
    def published_engine(self) -> bool:
        """Whether Microsoft's extension is the engine."""
        return self.options.engine == engines.EXTENSION

    def kill_extension(self) -> None:
        """End the program with Microsoft's extension with SIGKILL; the host starts it again. Needs that engine."""
        os.kill(engines.program_id(self.host_state), signal.SIGKILL)

    def restart_host(self) -> None:
        """Kill the host and start it again, on the same port and state."""
        self.kill_host()
        self.start_host()

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker that runs the app's functions, or None while there is none."""
        status = self.app.call("GET", f"{self.url}/admin/host/status", key=self.keys["master"]).body
        pid: int | None = status["workerPid"]
        return pid

    def kill_worker(self) -> None:
        """End the worker alone with SIGKILL; the host starts another."""
        pid = self.worker_pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)

    def check_parts(self) -> None:
        """Raise StackError when Azurite or the simulated Azure has ended."""
        for child in (self._azure, self._azurite):
            if not child.alive:
                raise child.failure("ended unasked")

    @property
    def host_alive(self) -> bool:
        """Whether the host runs."""
        return self._host is not None and self._host.alive

    @property
    def keys(self) -> dict[str, str]:
        """The host's keys: master, function, eventgrid and durabletask."""
        return dict(self._ready["keys"])

    @property
    def function_key(self) -> str:
        """The key that callers of the app's functions send."""
        return self.keys["function"]

    @property
    def functions(self) -> list[Any]:
        """What the host serves, as its ready line says."""
        return list(self._ready["functions"])

    @property
    def app(self) -> AppClient:
        """A client of the app's HTTP API for the person who asks."""
        return self.app_of(tenant.ASKER)

    @property
    def approver(self) -> AppClient:
        """A client of the app's HTTP API for the person who answers."""
        return self.app_of(tenant.APPROVER)

    def app_of(self, person: tenant.Person) -> AppClient:
        """A client that has the function key too: an app of an earlier release knows no token."""
        return AppClient(self.url, self.function_key, self.token_of(person))

    def token_of(self, person: tenant.Person) -> str:
        """An access token of a person; one that soon ends is replaced."""
        token, ends = self._tokens.get(person.key, ("", 0.0))
        if time.monotonic() > ends:
            token, lives = self.azure.directory_token(person.object_id, tenant.API_URI)
            self._tokens[person.key] = token, time.monotonic() + lives / 2
        return token

    @property
    def event_webhook(self) -> str:
        """Where Event Grid delivers events about clusters."""
        return f"{self.url}/runtime/webhooks/EventGrid?functionName=cluster_event&code={self.keys['eventgrid']}"

    @property
    def host_state(self) -> Path:
        """Directory in which the host keeps histories, timers and keys."""
        return self.state_dir / "host"

    @property
    def process_ids(self) -> dict[str, int]:
        """Process ids of the parts that run, and of this process, which runs them."""
        parts = {"simulatedAzure": self._azure, "azurite": self._azurite, "host": self._host}
        running = {name: child.pid for name, child in parts.items() if child is not None and child.alive}
        return {"stack": os.getpid(), **running}

    def settings_environment(self) -> dict[str, str]:
        """Environment variables by which any Azure SDK in another process finds this stack."""
        names = ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "AZURE_TOKEN_CREDENTIALS", "ARM_CLOUD_METADATA_URL")
        return {name: self.settings[name] for name in (*names, "REQUESTS_CA_BUNDLE", "HTTPS_PROXY", "NO_PROXY")}

    def about(self) -> dict[str, Any]:
        """What scripts need to know, as ``.run/stack.json`` holds it."""
        return {
            "url": self.url,
            "functionKey": self.function_key,
            "tenantId": self.azure.about["tenantId"],
            "audience": tenant.API_URI,
            "people": {person.key: person.object_id for person in tenant.PEOPLE.values()},
            "keys": self.keys,
            "eventWebhook": self.event_webhook,
            "resourceManager": self.azure.base_url,
            "control": self.azure.about["control"],
            "caBundle": self.azure.about["caBundle"],
            "tableServiceUri": self.table_service_uri,
            "settings": str(self.settings_file),
            "environment": self.settings_environment(),
            "clock": {"origin": self.clock.origin, "factor": self.clock.factor},
            "workspaceId": worlds.WORKSPACE,
            "clusterIds": [cluster["id"] for cluster in self.options.world.get("clusters", [])],
            "stateDirectory": str(self.state_dir),
            "processIds": self.process_ids,
        }


@contextmanager
def running_stack(
    options: Options | None = None, *, state_dir: Path, progress: Progress = lambda part: None
) -> Iterator[Stack]:
    """A stack that serves, and that is gone when the block ends, whatever happens in it.

    ``state_dir`` is emptied first and keeps the logs afterwards. ``progress`` gets each part as it is started.
    Raises StackError with the end of a log when a part does not start.
    """
    state_dir = state_dir.resolve()
    if state_dir.exists():
        shutil.rmtree(state_dir)
    state_dir.mkdir(parents=True)
    with Processes(state_dir / "logs") as processes:
        yield Stack(options or Options(), state_dir, processes, progress)


def _module(name: str, arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", name, *arguments]


def _environment() -> dict[str, str]:
    return clean_environment({"PYTHONUNBUFFERED": "1"})
