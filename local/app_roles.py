"""What the app's identity may do in a stack: the roles of infra/roles, and what docs/roles.md assigns beside them.

Nothing else, so that a call that needs another right fails here first. The roles on storage are not simulated: Azurite
looks at tokens only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from local.processes import REPOSITORY

FOLDER = REPOSITORY / "infra" / "roles"
# The app's identity.
APP_OBJECT = "0c0ffee0-0000-4000-8000-0000000000a0"
ROLE, REGISTER = "Moor", "Moor provider registration"
GRANTS = "Role Based Access Control Administrator"
# The widest of the two that a cluster with Azure RBAC may be opened with: instance types and namespaces are made.
CLUSTERS = "Azure Kubernetes Service RBAC Cluster Admin"
SECRETS, EVENTS = "Key Vault Secrets User", "EventGrid Data Sender"


def shipped(name: str, scopes: Iterable[str]) -> dict[str, Any]:
    """A role file of infra/roles with the assignable scopes filled in, as docs/roles.md says to."""
    document: dict[str, Any] = json.loads((FOLDER / name).read_text())
    return {**document, "AssignableScopes": list(scopes)}


def definitions(*scopes: str) -> list[dict[str, Any]]:
    """The section ``roleDefinitions`` of a seed: both roles that the app's identity is given, assignable there."""
    return [shipped("moor.json", scopes), shipped("moor-register.json", scopes)]


def narrower(name: str, without: Sequence[str], scopes: Iterable[str]) -> dict[str, Any]:
    """The shipped role under another name and without some of its actions."""
    return {**shipped("moor.json", scopes), "Name": name, "NotActions": list(without)}


def role(scope: str, name: str = ROLE) -> dict[str, Any]:
    """The app's role over a subscription, for a seed."""
    return {"role": name, "scope": scope, "principalId": APP_OBJECT}


def beside(scope: str) -> list[dict[str, Any]]:
    """What is assigned beside it where attachments are made (a resource group): granting roles, and looking inside."""
    condition = (FOLDER / "grantable.condition").read_text()
    return [
        {"role": GRANTS, "scope": scope, "principalId": APP_OBJECT, "condition": condition},
        {"role": CLUSTERS, "scope": scope, "principalId": APP_OBJECT},
    ]


def secret_reader(vault: str, *names: str) -> list[dict[str, Any]]:
    """The right to read single secrets of a vault, for a seed."""
    return [{"role": SECRETS, "scope": f"{vault}/secrets/{name}", "principalId": APP_OBJECT} for name in names]
