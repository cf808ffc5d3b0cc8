"""The tenant's directory: applications with their roles, people with their groups, and tokens about them.

The claims of both versions: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from packages.simulated_azure.identity.tokens import BACKDATED_SECONDS
from packages.simulated_azure.store import Document
from packages.simulated_azure.world import World

# More groups than a JWT takes: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
MOST_GROUPS = 200
SCOPE = "access_as_user"
# The public client that people sign in with here, as with Azure CLI.
PUBLIC_CLIENT = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"


def put_application(world: World, item: dict[str, Any]) -> None:
    """Store an application: an API, a client with a secret, or both."""
    app_id = str(item["appId"])
    document = {
        "name": item.get("name", app_id),
        "appId": app_id,
        "objectId": item.get("objectId") or world.stable_guid(app_id, "service principal"),
        "secret": item.get("secret", ""),
        "identifierUris": list(item.get("identifierUris", [])),
        # The token version that the API asks for; Entra's default is 1.
        "accessTokenVersion": int(item.get("accessTokenVersion") or 1),
        "groupMembershipClaims": bool(item.get("groupMembershipClaims", False)),
        "appRoleAssignments": list(item.get("appRoleAssignments", [])),
    }
    world.store.put("application", app_id.lower(), document)


def put_person(world: World, item: dict[str, Any]) -> None:
    """Store a person of the tenant."""
    document = {
        "name": item["name"],
        "userPrincipalName": item.get("userPrincipalName", f"{item['name'].split()[0].lower()}@example.net"),
        "objectId": item["objectId"],
        "groups": list(item.get("groups", [])),
    }
    world.store.put("person", str(item["objectId"]).lower(), document)


def api_of(world: World, resource: str) -> Document | None:
    """The application that a resource (an identifier URI or a client id) names."""
    wanted = resource.lower().rstrip("/")
    for document in world.store.values("application"):
        if wanted in (document["appId"].lower(), *(uri.lower().rstrip("/") for uri in document["identifierUris"])):
            return document
    return None


def token_for(world: World, api: Document, subject: Document, client_id: str, **changes: Any) -> tuple[str, int]:
    """A token for an API about a person, or about an application where the subject has no userPrincipalName.

    ``changes`` are ``claims`` and ``header``, laid over the right ones; null takes a claim out. Answers the seconds
    that it lives too.
    """
    claims = {**_claims(world, api, subject, client_id), **(changes.get("claims") or {})}
    kept = {name: value for name, value in claims.items() if value is not None}
    return world.tokens.keys.sign(kept, changes.get("header")), int(world.settings["accessTokenLifetimeSeconds"])


def id_token(world: World, subject: Document, client_id: str) -> str:
    """What a person's sign-in answers beside the access token: for the client, not for any API."""
    claims = {
        **_base(world, 2),
        "aud": client_id,
        "oid": subject["objectId"],
        "sub": _pairwise(world, subject, client_id),
    }
    claims |= {"name": subject["name"], "preferred_username": subject["userPrincipalName"]}
    return world.tokens.keys.sign(claims)


def issuer(world: World, version: int) -> str:
    """Who issues tokens of a version."""
    tenant = world.tokens.tenant_id
    return f"https://sts.windows.net/{tenant}/" if version == 1 else f"{world.base_url}/{tenant}/v2.0"


def _claims(world: World, api: Document, subject: Document, client_id: str) -> dict[str, Any]:
    version = api["accessTokenVersion"]
    claims = {**_base(world, version), "oid": subject["objectId"]}
    first, last = ("appid", "appidacr") if version == 1 else ("azp", "azpacr")
    claims["aud"] = (api["identifierUris"] or [api["appId"]])[0] if version == 1 else api["appId"]
    person = "userPrincipalName" in subject
    claims |= {first: client_id, last: "0" if person else "1"}
    roles = [a["role"] for a in api["appRoleAssignments"] if a["principalId"] in _held_by(subject)]
    if roles:
        claims["roles"] = sorted(set(roles))
    if not person:
        return {**claims, "sub": subject["objectId"], "idtyp": "app"}
    name = "upn" if version == 1 else "preferred_username"
    claims |= {"name": subject["name"], name: subject["userPrincipalName"], "scp": SCOPE}
    claims["sub"] = _pairwise(world, subject, api["appId"])
    return {**claims, **(_groups(world, subject) if api["groupMembershipClaims"] else {})}


def _base(world: World, version: int) -> dict[str, Any]:
    now, lifetime = int(time.time()), int(world.settings["accessTokenLifetimeSeconds"])
    return {
        "iss": issuer(world, version),
        "iat": now - BACKDATED_SECONDS,
        "nbf": now - BACKDATED_SECONDS,
        "exp": now + lifetime,
        "tid": world.tokens.tenant_id,
        "uti": uuid.uuid4().hex[:22],
        "ver": f"{version}.0",
    }


def _held_by(subject: Document) -> set[str]:
    """Whom a role may be assigned to so that the subject has it."""
    return {subject["objectId"], *subject.get("groups", [])}


def _groups(world: World, subject: Document) -> dict[str, Any]:
    groups = subject["groups"]
    if len(groups) <= MOST_GROUPS:
        return {"groups": groups}
    where = f"{world.base_url}/graph/users/{subject['objectId']}/getMemberObjects"
    return {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": where}}}


def _pairwise(world: World, subject: Document, audience: str) -> str:
    return world.stable_guid(subject["objectId"], audience, "subject").replace("-", "")
