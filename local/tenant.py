"""The directory of a stack: Moor as an application, a person who asks and a person who answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# The client id of the API and its URI: what MOOR_ENTRA_AUDIENCE names.
API, API_URI = "0c0ffee0-0000-4000-8000-0000000000c1", "api://moor"
SCOPE = f"{API_URI}/access_as_user"
# The public client of Azure CLI, by which people sign in.
PUBLIC_CLIENT = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"


@dataclass(frozen=True)
class Person:
    """Somebody of the tenant; ``key`` is what a command line calls them."""

    key: str
    name: str
    object_id: str
    roles: tuple[str, ...]


ASKER = Person("ada", "Ada Asker", "0c0ffee0-0000-4000-8000-0000000000e0", ("Moor.Operator", "Moor.Privileged"))
APPROVER = Person("grace", "Grace Gives", "0c0ffee0-0000-4000-8000-0000000000f0", ("Moor.Approver",))
PEOPLE = {person.key: person for person in (ASKER, APPROVER)}


def directory() -> dict[str, Any]:
    """The sections ``applications`` and ``people`` of a seed."""
    roles = [{"principalId": person.object_id, "role": role} for person in PEOPLE.values() for role in person.roles]
    moor = {"name": "Moor", "appId": API, "identifierUris": [API_URI], "accessTokenVersion": 2}
    return {
        "applications": [{**moor, "appRoleAssignments": roles}],
        "people": [{"name": person.name, "objectId": person.object_id} for person in PEOPLE.values()],
    }


def auth_settings(tenant_id: str) -> dict[str, str]:
    """The app settings by which tokens of this directory open the app."""
    return {"MOOR_AUTH": "entra", "MOOR_ENTRA_TENANT": tenant_id, "MOOR_ENTRA_AUDIENCE": f"{API},{API_URI}"}
