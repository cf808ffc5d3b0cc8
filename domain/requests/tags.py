"""Attach requests that the tags of a cluster make."""

from __future__ import annotations

from collections.abc import Mapping

from domain.arm_ids import ArmId
from domain.compute.names import compute_name_for
from domain.requests.models import AttachRequest
from domain.requests.parsing import parse

WORKSPACE_TAG, COMPUTE_TAG, NAMESPACE_TAG = "moor-workspace", "moor-compute", "moor-namespace"


def request_of_tags(cluster_id: ArmId, tags: Mapping[str, str]) -> AttachRequest | None:
    """The attach request that a cluster's tags make; None when they name no workspace. Raises Refused.

    Names of tags are taken in any case, as Azure takes them.
    """
    given = {name.lower(): value for name, value in tags.items()}
    if not given.get(WORKSPACE_TAG):
        return None
    body = {
        "workspaceId": given[WORKSPACE_TAG],
        "clusterId": str(cluster_id),
        "computeName": given.get(COMPUTE_TAG) or compute_name_for(cluster_id.name, str(cluster_id)),
        **({"namespace": given[NAMESPACE_TAG]} if given.get(NAMESPACE_TAG) else {}),
        "reason": f"the cluster carries the tag {WORKSPACE_TAG}",
    }
    return parse(AttachRequest, body)
