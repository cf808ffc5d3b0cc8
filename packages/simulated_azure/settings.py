"""What can be set about the simulation, with defaults as close to Azure as is known."""

from __future__ import annotations

import copy
from typing import Any

DEFAULTS: dict[str, Any] = {
    # False lets every known principal do everything.
    "rbac": True,
    # How long after a PUT that created something GET and LIST do not see it yet (simulated seconds).
    "eventualConsistencySeconds": 2,
    # How long after a PUT a role assignment has no effect yet (simulated seconds; minutes in Azure).
    "rolePropagationSeconds": 0,
    # Retry-After of operation status resources and 202 answers: whole seconds, 0 leaves the header out.
    "retryAfterSeconds": 15,
    # ARM id of the custom topic, for the right to send events to it; without one any token for its audience is enough.
    "topicId": "",
    # The address that the API of clusters sees of whoever calls from outside, for authorized IP ranges.
    "kubernetesCallerAddress": "203.0.113.7",
    # Names that the proxy leads to, besides those of the simulation itself, each with its port of loopback: the account
    # that somebody else serves (Azurite) for one. The certificate is good for blobs of any account.
    "names": {},
    # Real seconds, because clients check them against the real clock. Managed identity tokens live a day.
    "tokenLifetimeSeconds": 86400,
    # The same of tokens for applications that the directory knows; in Entra 60 to 90 minutes.
    "accessTokenLifetimeSeconds": 4500,
    # Simulated seconds from acceptance to completion.
    "durations": {
        "cluster.create": 300,
        "cluster.update": 60,
        "cluster.delete": 300,
        "cluster.start": 180,
        "cluster.stop": 120,
        "extension.create": 600,
        "extension.update": 300,
        "extension.delete": 600,
        "compute.attach": 300,
        "compute.refused": 60,
        "compute.detach": 120,
        "endpoint.delete": 60,
        "deployment.delete": 60,
        "relay.create": 30,
        "job.cancel": 60,
        "job.queue": 30,
        "job.run": 60,
        "provider.register": 60,
        "cluster.runCommand": 15,
        # From the end of an installation: until its workloads are available, until its definitions show.
        "kubernetes.components": 60,
        "kubernetes.definitions": 120,
        "kubernetes.namespaceDelete": 10,
    },
    "pageSizes": {"default": 100, "computes": 30, "jobs": 50, "onlineEndpoints": 50},
    # Token buckets of ARM by principal, subscription and kind of operation, refilled on the simulated clock.
    "throttling": {
        "enabled": True,
        "reads": {"size": 250, "perSecond": 25},
        "writes": {"size": 200, "perSecond": 10},
        "deletes": {"size": 200, "perSecond": 10},
    },
    "events": {
        # Simulated seconds between an ARM write and the first delivery attempt.
        "latencySeconds": 1,
        # A write that runs long is announced when it was accepted and again when it ended.
        "onAccept": True,
        "onCompletion": True,
        # What a write of the Tags API is about: "resource" or "tags" (the resource's id, followed by
        # /providers/Microsoft.Resources/tags/default). Which of them Azure sends is not documented.
        "tagsSubject": "resource",
        # Simulated seconds between delivery attempts (domain knowledge of Event Grid: approximate there, exact here).
        "retrySeconds": [10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200],
        "maxDeliveryAttempts": 30,
        "eventTimeToLiveMinutes": 1440,
        # Simulated seconds in which the validation URL of a manual handshake has to be visited.
        "manualValidationSeconds": 600,
        # Real seconds that a webhook has to answer.
        "timeoutSeconds": 30,
    },
}


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` laid over it, objects merged member by member.

    Raises ValueError for a top-level setting that does not exist.
    """
    unknown = set(changes) - set(DEFAULTS)
    if unknown:
        raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
    return _overlay(base, changes)


def _overlay(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(base)
    for name, value in changes.items():
        current = result.get(name)
        result[name] = (
            _overlay(current, value) if isinstance(current, dict) and isinstance(value, dict) else copy.deepcopy(value)
        )
    return result
