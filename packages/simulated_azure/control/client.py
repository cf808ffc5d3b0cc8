"""A small client for the control API, and a method that makes ARM calls as any principal.

Used by tests, the demo and benchmarks. It needs nothing but the standard library.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

from packages.simulated_azure.kubernetes.control_client import ClusterControl

Json = Any


class ControlError(Exception):
    """The control API did not understand a request; the text says why."""


@dataclass(frozen=True)
class ArmAnswer:
    """What ARM answered: status, parsed body (None for none) and headers."""

    status: int
    body: Json
    headers: Message[str, str]


@dataclass
class SimulatedAzure:
    """A running simulation; ``about`` is its ready line."""

    about: dict[str, Any]
    process: subprocess.Popen[str] | None = None
    timeout: float = 60.0
    _tokens: dict[str, str] = field(default_factory=dict)
    _context: ssl.SSLContext | None = None

    @classmethod
    def start(
        cls,
        state: Path,
        *,
        clock_origin: float | None = None,
        clock_factor: float = 1.0,
        keep_state: bool = False,
        arguments: tuple[str, ...] = (),
        cwd: Path | None = None,
    ) -> SimulatedAzure:
        """Start the program and wait until it serves; ``arguments`` are further command line options.

        ``cwd`` is the folder that holds ``packages`` (default: where this file lies).
        Raises RuntimeError when it ends without serving.
        """
        command = [sys.executable, "-m", "packages.simulated_azure", "--state", str(state.resolve())]
        command += ["--clock-factor", str(clock_factor)]
        command += ["--clock-origin", repr(clock_origin)] if clock_origin is not None else []
        command += ["--keep-state"] if keep_state else []
        process = subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, text=True, cwd=cwd or Path(__file__).parents[3]
        )
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise RuntimeError(f"the simulated Azure ended with code {process.wait()} before it served")
        return cls(json.loads(line), process)

    @property
    def base_url(self) -> str:
        """ARM's address."""
        return str(self.about["resourceManager"])

    def environment(self) -> dict[str, str]:
        """The settings by which any Azure client finds this simulation."""
        return {
            "ARM_CLOUD_METADATA_URL": self.about["metadataUrl"],
            "IDENTITY_ENDPOINT": self.about["identityEndpoint"],
            "IDENTITY_HEADER": self.about["identityHeader"],
            "REQUESTS_CA_BUNDLE": self.about["authority"],
            "HTTPS_PROXY": self.about["httpsProxy"],
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def stop(self) -> None:
        """End the process with SIGTERM and wait for it."""
        if self.process is not None:
            self.process.terminate()
            self._wait()

    def kill(self) -> None:
        """End the process with SIGKILL and wait for it."""
        if self.process is not None:
            self.process.kill()
            self._wait()

    def seed(self, document: dict[str, Any]) -> dict[str, int]:
        """Lay a seed over what exists; answers how many things of each section were placed."""
        answer: dict[str, int] = self._control("POST", "/seed", document)
        return answer

    def reset(self) -> None:
        """Forget everything but ports, certificates, keys and the clock."""
        self._control("POST", "/reset")

    def clock(self) -> dict[str, Any]:
        """``now`` (text), ``timestamp``, ``origin`` and ``factor`` of the simulated clock."""
        answer: dict[str, Any] = self._control("GET", "/clock")
        return answer

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change settings (by their names in settings.py) and answer all of them."""
        answer: dict[str, Any] = self._control("PATCH", "/settings", changes)
        return answer

    def resource(self, resource_id: str) -> dict[str, Any] | None:
        """A resource as the service itself knows it (``id``, ``type``, ``body``, ``hidden``), or None."""
        return self._maybe("GET", "/resources", query={"id": resource_id})

    def resources(self, resource_type: str = "") -> list[dict[str, Any]]:
        """Every resource, or those of one type."""
        return self._list("/resources", {"type": resource_type})

    def change(self, resource_id: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Lay ``body`` over a resource behind everybody's back; None removes a member."""
        return self._maybe("PATCH", "/resources", {"id": resource_id, "body": body})

    def remove(self, resource_id: str) -> None:
        """Remove a resource and what is below it, at once and without an event."""
        self._control("DELETE", "/resources", query={"id": resource_id})

    def kubernetes(self, cluster_id: str) -> ClusterControl:
        """Control of the Kubernetes API of a cluster."""
        return ClusterControl(self._control, cluster_id)

    def submit_job(self, workspace_id: str, name: str, **properties: Any) -> dict[str, Any]:
        """Put a job in place: ``computeId``, ``status``, ``jobType`` and any other property; see the seed's jobs."""
        answer: dict[str, Any] = self._control(
            "POST", "/jobs", {"workspaceId": workspace_id, "name": name, **properties}
        )
        return answer

    def set_job_status(self, job_id: str, status: str) -> None:
        """Give a job a status, real or not."""
        if self._maybe("POST", "/jobs/status", {"id": job_id, "status": status}) is None:
            raise ControlError(f"no job {job_id}")

    def add_endpoint(self, workspace_id: str, name: str, **properties: Any) -> dict[str, Any]:
        """Put an online endpoint in place: ``compute``, ``traffic`` and any other property."""
        answer: dict[str, Any] = self._control(
            "POST", "/endpoints", {"workspaceId": workspace_id, "name": name, **properties}
        )
        return answer

    def requests(self, *, method: str = "", path: str = "", kind: str = "", after: int = 0) -> list[dict[str, Any]]:
        """The request log; ``method`` may be several with commas, ``path`` is a regular expression.

        ``after``: the number of the last entry already seen.
        """
        query = {"method": method, "path": path, "kind": kind, "after": str(after) if after else ""}
        return self._list("/requests", query)

    def refused_names(self) -> list[str]:
        """Host names that clients asked the proxy for and that are not of this simulation."""
        answer: list[str] = self._control("GET", "/")["refusedNames"]
        return answer

    def counts(self, *, method: str = "", path: str = "", kind: str = "") -> dict[str, int]:
        """How often each route was called."""
        query = {"method": method, "path": path, "kind": kind}
        answer: dict[str, int] = self._control("GET", "/requests/counts", query=query)
        return answer

    def clear_requests(self) -> None:
        """Forget the request log."""
        self._control("DELETE", "/requests")

    def uses(self, object_id: str = "") -> list[dict[str, Any]]:
        """Every action that a principal was allowed, each once, with the roles that allowed it."""
        return self._list("/uses", {"objectId": object_id} if object_id else None)

    def operations(self, kind: str = "") -> list[dict[str, Any]]:
        """The long-running operations started so far, for example of kind ``compute.attach``."""
        return self._list("/operations", {"kind": kind})

    def signatures(self) -> list[dict[str, str]]:
        """The ``t``, ``c``, ``s`` and ``h`` of every operation URL given out so far."""
        return self._list("/signatures")

    def underlying_deletes(self) -> int:
        """How often a compute was deleted with ``underlyingResourceAction=Delete``."""
        return int(self._control("GET", "/operations")["underlyingResourceActionDelete"])

    def add_fault(self, **fault: Any) -> dict[str, Any]:
        """Plant a fault: ``method``, ``path``, ``nth`` or ``every``, ``when``, ``action``, ``status`` and so on."""
        answer: dict[str, Any] = self._control("POST", "/faults", fault)
        return answer

    def faults(self) -> list[dict[str, Any]]:
        """The planted faults with how often they fitted (``seen``) and struck (``hits``)."""
        return self._list("/faults")

    def clear_faults(self) -> None:
        """Remove every fault."""
        self._control("DELETE", "/faults")

    def script_operation(self, **script: Any) -> dict[str, Any]:
        """Say how an operation shall go: ``kind``, ``resource``, ``nth`` or ``every``, ``outcome`` ..."""
        answer: dict[str, Any] = self._control("POST", "/operation-scripts", script)
        return answer

    def finish_operations(self, resource: str) -> int:
        """End every operation under way on resources that a pattern fits, as its script says; how many those are."""
        answer: dict[str, Any] = self._control("POST", "/operations/finish", {"resource": resource})
        return len(answer["value"])

    def clear_scripts(self) -> None:
        """Remove every operation script."""
        self._control("DELETE", "/operation-scripts")

    def events(self) -> list[dict[str, Any]]:
        """The events emitted or injected so far."""
        return self._list("/events")

    def deliveries(self, state: str = "") -> list[dict[str, Any]]:
        """Deliveries to webhooks with their attempts; ``state`` is pending, delivered, deadLettered or dropped."""
        return self._list("/events/deliveries", {"state": state})

    def inject_event(self, event: dict[str, Any], subscription: str = "") -> None:
        """Deliver an event made by hand, to all event subscriptions that want it or to the one named."""
        self._control(
            "POST", "/events/inject", {"event": event} | ({"subscription": subscription} if subscription else {})
        )

    def redeliver(self, event_id: str = "") -> int:
        """Deliver an event once more (default: the last one); answers to how many subscriptions."""
        return int(self._control("POST", "/events/redeliver", {"id": event_id} if event_id else {})["redelivered"])

    def hold_events(self) -> None:
        """Hold new deliveries back until ``release_events``."""
        self._control("POST", "/events/hold")

    def release_events(self, order: str | list[str] = "forward") -> list[str]:
        """Send what was held back in this order: forward, reverse or event ids; answers the ids."""
        answer: list[str] = self._control("POST", "/events/release", {"order": order})["released"]
        return answer

    def topic_events(self) -> list[dict[str, Any]]:
        """What the custom topic was given."""
        return self._list("/topic-events")

    def token(self, resource: str = "", client_id: str = "") -> str:
        """An access token from the identity endpoint; for ARM and the system-assigned principal by default."""
        query = {"api-version": "2019-08-01", "resource": resource or self.base_url}
        query |= {"client_id": client_id} if client_id else {}
        url = f"{self.about['identityEndpoint']}?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(url, headers={"X-IDENTITY-HEADER": self.about["identityHeader"]})  # noqa: S310
        with urllib.request.urlopen(request, timeout=self.timeout) as response:  # noqa: S310
            return str(json.load(response)["access_token"])

    def directory_token(self, object_id: str, resource: str, **changes: Any) -> tuple[str, float]:
        """A token about a person or an application, and the seconds that it lives.

        ``changes`` are ``claims`` and ``header``, laid over the right ones; None takes a claim out.
        """
        given = {"objectId": object_id, "resource": resource, **changes}
        answer = self._control("POST", "/directory/tokens", given)
        return str(answer["token"]), float(answer["expiresIn"])

    def rotate_signing_key(self, *, keep_old: bool = True) -> str:
        """Have tokens signed with a new key from now on; its ``kid``."""
        return str(self._control("POST", "/directory/rotate", {"keepOld": keep_old})["kid"])

    def confirm_device(self, user_code: str, object_id: str | None) -> None:
        """What a person does at the page for devices; None declines."""
        self._control("POST", "/directory/device", {"userCode": user_code, "objectId": object_id})

    def arm(
        self, method: str, path: str, body: Json = None, *, client_id: str = "", api_version: str = "2025-03-01"
    ) -> ArmAnswer:
        """Call ARM as a principal; ``path`` may be a whole URL of this simulation. Errors are answers too."""
        if client_id not in self._tokens:
            self._tokens[client_id] = self.token(client_id=client_id)
        url = path if path.startswith("https://") else self.base_url + path
        if "api-version=" not in url:
            url += ("&" if "?" in url else "?") + urllib.parse.urlencode({"api-version": api_version})
        headers = {"Authorization": f"Bearer {self._tokens[client_id]}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310
        self._context = self._context or ssl.create_default_context(cafile=self.about["authority"])
        try:
            with urllib.request.urlopen(request, timeout=self.timeout, context=self._context) as response:  # noqa: S310
                return ArmAnswer(response.status, _parsed(response.read()), response.headers)
        except urllib.error.HTTPError as error:
            with error:
                return ArmAnswer(error.code, _parsed(error.read()), error.headers)

    def _wait(self) -> None:
        if self.process is not None:
            self.process.wait(timeout=10)
            if self.process.stdout is not None:
                self.process.stdout.close()

    def _list(self, path: str, query: dict[str, str] | None = None) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = self._control("GET", path, query=query)["value"]
        return answer

    def _maybe(
        self, method: str, path: str, body: Json = None, query: dict[str, str] | None = None
    ) -> dict[str, Any] | None:
        answer: dict[str, Any] | None = self._control(method, path, body, query)
        return answer

    def _control(self, method: str, path: str, body: Json = None, query: dict[str, str] | None = None) -> Json:
        url = self.about["control"] + path
        filled = {name: value for name, value in (query or {}).items() if value}
        url += f"?{urllib.parse.urlencode(filled)}" if filled else ""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as response:  # noqa: S310
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode()
            if error.code == 404:
                return None
            raise ControlError(text) from error


def _parsed(raw: bytes) -> Json:
    return json.loads(raw) if raw.strip() else None
