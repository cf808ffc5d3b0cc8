"""A process of the app that dies too early. Standard input says where: JSON with ``after`` and what was asked.

``after`` is ``claim`` (claimed, not recorded), ``record`` (recorded, not started) or ``nothing`` (a claim and a
reservation of an operation that never was). It runs with the app's settings and uses the product's own code.
"""

from __future__ import annotations

import json
import os
import sys
from unittest.mock import patch

from domain.access.principal import KeyHolder
from domain.operation.record import RequestedBy
from domain.requests.models import AttachRequest
from domain.requests.parsing import parse_request, request_to_json
from gateways.storage import claims, records
from operations import accept as acceptance
from operations.accept import Submission

DIED = 9


def main() -> None:
    asked = json.loads(sys.stdin.read())
    request = parse_request(asked["kind"], asked["body"])
    target = claims.compute_target(request.workspaceId, request.computeName)
    if asked["after"] == "nothing":
        claims.take(target, asked["id"])
        claims.reserve(target, asked["id"])
        os._exit(DIED)
    submission = Submission(
        kind=asked["kind"],
        request=request_to_json(request),
        workspace_id=request.workspaceId,
        compute_name=request.computeName,
        requested_by=RequestedBy("http"),
        cluster_id=request.clusterId if isinstance(request, AttachRequest) else None,
        operation_id=asked["id"],
        caller=KeyHolder(),
    )
    if asked["after"] == "claim":
        with patch.object(records, "insert", lambda *_: os._exit(DIED)):
            acceptance.accept(submission)
    acceptance.accept(submission)
    os._exit(DIED)


if __name__ == "__main__":
    main()
