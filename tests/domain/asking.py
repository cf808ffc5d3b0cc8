"""Requests for the tests of what is accepted."""

from __future__ import annotations

from typing import Any

import pytest

from domain.requests.parsing import parse_request, request_to_json
from domain.violations import Refused, Violation

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
OTHER = "99999999-2222-3333-4444-555555555555"
WORKSPACE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/ml/providers/Microsoft.MachineLearningServices/workspaces/w"
CLUSTER = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/k8s/providers/Microsoft.ContainerService/managedClusters/c"
ARC = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/k8s/providers/Microsoft.Kubernetes/connectedClusters/c"
IDENTITY = f"/subscriptions/{OTHER}/resourceGroups/i/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"
ATTACH = {"workspaceId": WORKSPACE, "clusterId": CLUSTER, "computeName": "gpu"}
DETACH = {"workspaceId": WORKSPACE, "computeName": "gpu"}
BAD, LATER = "InvalidRequest", "NotAvailableYet"


def wrong(kind: str, body: Any) -> dict[str, str]:
    """The fields for which a request is refused, each with its code."""
    with pytest.raises(Refused) as refused:
        parse_request(kind, body)
    return {violation.target: violation.code for violation in refused.value.violations}


def attach(**changes: Any) -> dict[str, Any]:
    """The smallest attach request with these changes, as it is accepted."""
    return request_to_json(parse_request("attach", {**ATTACH, **changes}))


def violations(kind: str, body: Any) -> list[Violation]:
    """What is wrong with a request; nothing when it is taken."""
    try:
        parse_request(kind, body)
    except Refused as refused:
        return list(refused.violations)
    return []
