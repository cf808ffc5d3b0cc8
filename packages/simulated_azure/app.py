"""Wires the parts together and serves them on four loopback ports."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import secrets
import signal
import ssl
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from packages.controls.call_hook import CallHook
from packages.controls.clock import ScaledClock
from packages.simulated_azure import tls
from packages.simulated_azure.arm import long_running
from packages.simulated_azure.arm.front_door import Arm
from packages.simulated_azure.arm.routing import Router
from packages.simulated_azure.control.api import Control, explain_errors
from packages.simulated_azure.control.directory import DirectoryControl
from packages.simulated_azure.control.events import EventControl
from packages.simulated_azure.data_plane import key_vault, run_history
from packages.simulated_azure.event_grid.delivery import Deliverer
from packages.simulated_azure.event_grid.topics import Topics
from packages.simulated_azure.identity import metadata
from packages.simulated_azure.identity.entra import Entra
from packages.simulated_azure.identity.managed_identity import Identity
from packages.simulated_azure.identity.tokens import TokenIssuer
from packages.simulated_azure.kubernetes import commands
from packages.simulated_azure.kubernetes.control import KubernetesControl
from packages.simulated_azure.kubernetes.server import Kubernetes
from packages.simulated_azure.names import NameProxy
from packages.simulated_azure.providers import (
    authorization,
    plain,
    relay,
    subscriptions,
    tags,
)
from packages.simulated_azure.providers.clusters import (
    clusters,
    compute_skus,
    extensions,
    kubernetes_versions,
)
from packages.simulated_azure.providers.event_subscriptions import EventSubscriptions
from packages.simulated_azure.providers.machine_learning import (
    batch_endpoints,
    computes,
    endpoint_handlers,
    endpoints,
    job_runs,
    jobs,
    schedules,
    workspaces,
)
from packages.simulated_azure.store import Store
from packages.simulated_azure.world import World

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
TENANT_ID = "7e4a17e4-0000-4000-8000-00000000a2e0"
MAX_BODY = 8 * 1024 * 1024


@dataclass(frozen=True)
class Options:
    """What the command line said; a port of 0 is the one of the last run when state is kept, else any free one."""

    state: Path
    keep_state: bool
    port: int
    control_port: int
    identity_port: int
    clock: ScaledClock
    call_hook: str | None


async def serve(options: Options) -> None:
    """Serve until SIGTERM or SIGINT, then end at once."""
    options.state.mkdir(parents=True, exist_ok=True)
    files = tls.prepare(options.state / "tls", keep=options.keep_state)
    # The clusters' API has an authority of its own, which only their kubeconfigs tell of.
    cluster_files = tls.prepare(options.state / "tls-kubernetes", keep=options.keep_state)
    kept = _kept(options)
    store = Store(options.state / "simulated-azure.sqlite", keep=options.keep_state)
    world = World(store, options.clock, TokenIssuer(options.state / "identity", TENANT_ID), kept["topicKey"])
    deliverer = Deliverer(world, files.client_context())
    event_subscriptions = EventSubscriptions(world, deliverer)
    router = build_router(world, event_subscriptions)
    hook = _hook(options.call_hook)
    runners: list[web.AppRunner] = []

    async def listen(app: web.Application, port: int, context: ssl.SSLContext | None) -> int:
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.2)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, HOST, port, ssl_context=context, backlog=512).start()
        return int(runner.addresses[0][1])

    about: dict[str, Any] = {}
    arm_app = _arm_application(world, Arm(world, router, hook), Topics(world, hook), event_subscriptions)
    identity_app = web.Application()
    identity_app.add_routes(Identity(world, kept["identityHeader"], hook).routes())
    control_app = web.Application(middlewares=[explain_errors], client_max_size=MAX_BODY * 8)
    refused_names: set[str] = set()
    control_app.add_routes(Control(world, lambda: {**about, "refusedNames": sorted(refused_names)}).routes())
    control_app.add_routes(EventControl(world, deliverer).routes())
    control_app.add_routes(DirectoryControl(world).routes())
    control_app.add_routes(KubernetesControl(world).routes())
    arm_port = await listen(arm_app, options.port or kept["port"], files.server_context())
    identity_port = await listen(identity_app, options.identity_port or kept["identityPort"], None)
    control_port = await listen(control_app, options.control_port or kept["controlPort"], None)
    kubernetes = Kubernetes(world, hook)
    kubernetes_port = await listen(
        _kubernetes_application(kubernetes), kept["kubernetesPort"], cluster_files.clusters_context()
    )
    vault_app = web.Application()
    vault_app.add_routes(key_vault.KeyVault(world, hook).routes())
    vault_port = await listen(vault_app, 0, files.server_context())
    history_app = web.Application()
    history_app.add_routes(run_history.RunHistory(world, hook).routes())
    history_port = await listen(history_app, 0, files.server_context())

    def port_of(host: str) -> int | None:
        if key_vault.exists(world, host):
            return vault_port
        if kubernetes.cluster_at(host) is not None:
            return kubernetes_port
        if run_history.exists(world, host):
            return history_port
        elsewhere: int | None = world.settings["names"].get(host.lower())
        return elsewhere

    proxy = NameProxy(port_of, refused_names)
    proxy_port = await proxy.start(kept["proxyPort"])
    world.base_url = f"https://{HOST}:{arm_port}"
    world.kubernetes_url = f"https://{HOST}:{kubernetes_port}"
    world.kubernetes_authority = base64.b64encode(cluster_files.ca.read_bytes()).decode()
    kept |= {"port": arm_port, "identityPort": identity_port, "controlPort": control_port}
    kept |= {"kubernetesPort": kubernetes_port, "proxyPort": proxy_port}
    kept_path = options.state / "kept.json"
    kept_path.write_text(json.dumps(kept))
    kept_path.chmod(0o600)
    about |= {
        "resourceManager": world.base_url,
        "metadataUrl": f"{world.base_url}/metadata/endpoints?api-version=2019-05-01",
        "identityEndpoint": f"http://{HOST}:{identity_port}/msi/token",
        "identityHeader": kept["identityHeader"],
        "control": f"http://{HOST}:{control_port}",
        "kubernetes": world.kubernetes_url,
        "httpsProxy": f"http://{HOST}:{proxy_port}",
        "topicEndpoint": f"{world.base_url}/api/events",
        "topicKey": kept["topicKey"],
        "caBundle": str(files.bundle.resolve()),
        "authority": str(files.ca.resolve()),
        "serverCert": str(files.certificate.resolve()),
        "serverKey": str(files.key.resolve()),
        "tenantId": TENANT_ID,
        "pid": os.getpid(),
    }
    world.timers.load()
    deliverer.recover()
    event_subscriptions.recover()
    background = [asyncio.create_task(world.timers.run())]
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    sys.stdout.write(json.dumps(about) + "\n")
    sys.stdout.flush()
    await stop.wait()
    for task in background:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await deliverer.close()
    await proxy.stop()
    await asyncio.gather(*(runner.cleanup() for runner in runners))
    if hook is not None:
        await hook.close()
    store.close()


def build_router(world: World, event_subscriptions: EventSubscriptions) -> Router:
    """Install every provider and answer the router over their routes."""
    long_running.install(world)
    clusters.install()
    extensions.install()
    computes.install()
    endpoint_handlers.install()
    jobs.install(world)
    job_runs.install(world)
    relay.install()
    subscriptions.install(world)
    return Router(
        [
            *event_subscriptions.routes(),
            *authorization.routes(),
            *tags.routes(),
            *extensions.routes(),
            *clusters.routes(),
            *commands.routes(),
            *computes.routes(),
            *relay.routes(),
            *plain.routes(),
            *jobs.routes(),
            *job_runs.routes(),
            *endpoint_handlers.routes(endpoints.FAMILY),
            *endpoint_handlers.routes(batch_endpoints.FAMILY),
            endpoint_handlers.status_route(),
            *schedules.routes(),
            *workspaces.routes(),
            *compute_skus.routes(),
            *kubernetes_versions.routes(),
            *subscriptions.routes(),
        ]
    )


def _arm_application(
    world: World, arm: Arm, topics: Topics, event_subscriptions: EventSubscriptions
) -> web.Application:
    async def describe(request: web.Request) -> web.Response:
        return web.json_response(metadata.endpoints(world.base_url, TENANT_ID))

    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_get("/metadata/endpoints", describe)
    app.router.add_get("/eventsubscriptions/{name}/validate", event_subscriptions.validate)
    app.add_routes(topics.routes())
    app.add_routes(Entra(world).routes())
    app.router.add_route("*", "/{path:.*}", arm.serve)
    return app


def _kubernetes_application(kubernetes: Kubernetes) -> web.Application:
    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_route("*", "/{path:.*}", kubernetes.serve)
    return app


def _kept(options: Options) -> dict[str, Any]:
    fresh = {
        "identityHeader": secrets.token_hex(16).upper(),
        "topicKey": secrets.token_urlsafe(32),
        "port": 0,
        "identityPort": 0,
        "controlPort": 0,
        "proxyPort": 0,
        "kubernetesPort": 0,
    }
    path = options.state / "kept.json"
    if options.keep_state and path.exists():
        fresh.update(json.loads(path.read_text()))
    return fresh


def _hook(url: str | None) -> CallHook | None:
    return CallHook(url) if url else None
