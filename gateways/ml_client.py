"""azure-ai-ml, for what its public API says without loss. Imported when it is first used: the import takes seconds."""

from __future__ import annotations

from azure.core.exceptions import AzureError

from domain.arm_ids import WORKSPACE, parse_arm_id
from gateways.identity import credential

# What ``compute_state`` raises; AttributeError is how 1.35 fails on a compute body that lacks ``properties``.
UNREADABLE = (AzureError, AttributeError, ValueError)


def compute_state(workspace_id: str, compute_name: str) -> str:
    """The provisioning state of a compute as users of the SDK see it.

    Raises one of UNREADABLE.
    """
    from azure.ai.ml import MLClient

    workspace = parse_arm_id(workspace_id, WORKSPACE)
    client = MLClient(
        credential(), workspace.subscription, workspace.resource_group, workspace.name, enable_telemetry=False
    )
    return str(client.compute.get(compute_name).provisioning_state)
