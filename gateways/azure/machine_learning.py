"""azure-ai-ml, for what its public API says without loss. Imported when it is first used: the import takes seconds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from domain.arm_ids import STORAGE_ACCOUNT, WORKSPACE, ArmId, parse_arm_id, region_in, resource_at
from domain.catalogue.explain import closest
from domain.problems import AzureAnswer, answers_in, says_nothing
from gateways import bounds
from gateways.azure import arm
from gateways.azure.arm import FOREIGN_URL, ArmError
from gateways.azure.identity import cloud, credential, is_without_token
from gateways.azure.own_host import ForeignHost, Origin, OwnHostTransport, origin_of
from gateways.retry_after import seconds_told_by

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

# Errors beside each other in one answer that are read.
_MOST = 16
# As of Azure Resource Manager (gateways/azure/arm.py); azure-core's own are 300 s each.
_LIMITS: dict[str, Any] = {"connection_timeout": bounds.CONNECT_SECONDS, "read_timeout": bounds.WRITE_SECONDS}


def compute_state(workspace_id: str, compute_name: str) -> str:
    """The provisioning state of a compute as users of the SDK see it.

    Raises what the SDK raises: AzureError, ValueError, and AttributeError, which is how 1.35 fails on a compute body
    that lacks ``properties``.
    """
    return str(_client(workspace_id).compute.get(compute_name).provisioning_state)


def submit_command(workspace_id: str, job_name: str, compute_name: str, command_line: str, image: str) -> None:
    """Submit a command job of that name, which runs a shell command in an image. Raises ArmError."""
    from azure.ai.ml import command
    from azure.ai.ml.entities import Environment

    job = command(
        name=job_name,
        display_name="Smoke test of an attach",
        experiment_name="moor-smoke-test",
        command=command_line,
        compute=compute_name,
        environment=Environment(image=image),
    )
    try:
        _client(workspace_id).jobs.create_or_update(job)
    except ForeignHost as error:
        raise ArmError(400, FOREIGN_URL, str(error)) from None
    except HttpResponseError as error:
        raise _arm_error(error) from None
    except AzureError as error:  # azure-ai-ml's own exceptions too: it refuses some jobs before it sends them.
        raise ArmError(0 if not hasattr(error, "error_category") else 400, type(error).__name__, str(error)) from None


def job_error(workspace_id: str, job_name: str) -> AzureAnswer | None:
    """What the run history says of a job that failed; None when it says nothing.

    Raises ArmError. ARM itself tells the status of a job and no reason; the SDK tells it when it streams the job.
    """
    from azure.ai.ml.exceptions import JobException

    try:
        _client(workspace_id).jobs.stream(job_name)
    except JobException as error:
        return _told(str(error))
    except ForeignHost as error:
        raise ArmError(400, FOREIGN_URL, str(error)) from None
    except HttpResponseError as error:
        raise _arm_error(error) from None
    except (AzureError, ValueError, KeyError) as error:  # The data plane did not answer, or not in its own shape.
        raise ArmError(0, type(error).__name__, str(error)) from None
    return None


def _told(text: str) -> AzureAnswer | None:
    try:
        said = json.loads(text[text.index("{") : text.rindex("}") + 1])
        inner = said["error"]
        outer = AzureAnswer(str(inner.get("code") or "JobFailed"), str(inner.get("message") or ""))
        near = closest(answers_in(inner, None))
        return near if near is not None and says_nothing(outer) and not says_nothing(near) else outer
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return AzureAnswer("JobFailed", text.strip()) if text.strip() else None


def _arm_error(error: HttpResponseError) -> ArmError:
    if isinstance(error, ClientAuthenticationError) and is_without_token(error):
        return arm.no_token(error)
    said: Any = error.error
    code = str(getattr(said, "code", None) or f"Http{error.status_code}")
    message = str(getattr(said, "message", None) or error.message)
    status = error.status_code or 0
    details = [
        AzureAnswer(str(each.code), str(each.message), status)
        for each in (getattr(said, "details", None) or [])[:_MOST]
    ]
    within: Any = getattr(said, "innererror", None)
    inner = (*details, *(answers_in(within, status) if isinstance(within, dict) else ()))
    return ArmError(status, code, message, seconds_told_by(error), AzureAnswer(code, message, status), inner=inner)


def _client(workspace_id: str) -> MLClient:
    from azure.ai.ml import MLClient

    workspace = parse_arm_id(workspace_id, WORKSPACE)
    return MLClient(
        credential(),
        workspace.subscription,
        workspace.resource_group,
        workspace.name,
        enable_telemetry=False,
        retry_total=0,  # Retries are the step's: it looks before it sends anything again.
        permit_redirects=False,
        transport=OwnHostTransport(_own_hosts(workspace), counted=True, **_LIMITS),
        **_LIMITS,
    )


def _own_hosts(workspace: ArmId) -> Callable[[Origin], bool]:
    """Where a client of a workspace may connect to: Azure Resource Manager, the workspace's region, its own storage.

    The pipelines are azure-ai-ml's own, with the policies that they have: the check sits below them. Where the region
    and the storage are follows from the workspace as Azure Resource Manager answers it, read when somebody asks for
    another host, and from no URL in it.
    """
    manager = origin_of(cloud().resource_manager)
    others: list[frozenset[str]] = []

    def allowed(origin: Origin) -> bool:
        if origin == manager:
            return True
        scheme, host, port = origin
        if (scheme, port) != ("https", 443):
            return False
        if not others:
            others.append(_other_hosts(workspace))
        # Of a workspace with a private link: <its id>.workspace.<region>.api.azureml.ms.
        return host in others[0] or host.partition(".workspace.")[2] in others[0]

    return allowed


def _other_hosts(workspace: ArmId) -> frozenset[str]:
    try:
        body = arm.get(workspace.path, arm.WORKSPACES_API).body
    except ArmError:
        return frozenset()
    properties = body.get("properties")
    region = region_in(body.get("location"))
    account = resource_at(properties.get("storageAccount"), STORAGE_ACCOUNT) if isinstance(properties, dict) else None
    hosts = set()
    if region is not None:
        hosts.add(f"{region.replace(' ', '').lower()}.api.{cloud().machine_learning_domain}")
    if account is not None:
        hosts |= {f"{account.name.lower()}.{part}.{cloud().storage_domain}" for part in ("blob", "file")}
    return frozenset(hosts)
