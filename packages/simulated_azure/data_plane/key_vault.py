"""Key Vault's data plane for secrets: the challenge, versions, and who may read what.

Texts and codes as the service answers them, from azure-rest-api-specs (keyvault/data-plane) and from the vendor's pages
on troubleshooting. Every vault has the name ``<vault>.<suffix>`` of the cloud's metadata document.
"""

from __future__ import annotations

import uuid
from typing import Any

from aiohttp import web

from packages.controls.call_hook import CallHook
from packages.simulated_azure.access import rbac
from packages.simulated_azure.arm import request_log, resources
from packages.simulated_azure.arm.front_door import with_faults
from packages.simulated_azure.identity.metadata import KEY_VAULT_DNS
from packages.simulated_azure.identity.tokens import Principal
from packages.simulated_azure.world import World

TYPE = "Microsoft.KeyVault/vaults"
AUDIENCE = f"https://{KEY_VAULT_DNS}"
_ACTIONS = {"GET": "getSecret", "PUT": "setSecret"}


class KeyVault:
    """Serves secrets of every vault; the Host header says of which."""

    def __init__(self, world: World, hook: CallHook | None) -> None:
        self._world = world
        self._hook = hook

    def routes(self) -> list[web.RouteDef]:
        """The routes of the data plane."""
        return [web.route("*", "/{path:.*}", self._serve)]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        world = self._world
        host = request.host.partition(":")[0]
        entry, claims = request_log.begin_for_bearer(world, "keyvault", request, f"/{host}{request.path}")

        async def work() -> web.Response:
            body = await request.json() if request.can_read_body else {}
            try:
                return web.json_response(self._answer(request, claims, body))
            except _Refusal as refusal:
                return refusal.response(world.tokens.tenant_id)

        return await with_faults(world, self._hook, "keyvault", request, entry, work)

    def _answer(self, request: web.Request, claims: dict[str, Any] | None, body: dict[str, Any]) -> dict[str, Any]:
        if claims is None:
            raise _Refusal(401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")
        if claims["aud"].rstrip("/") != AUDIENCE:
            text = f"AKV10022: Invalid audience. Expected {AUDIENCE}, found: {claims['aud']}."
            raise _Refusal(401, "Unauthorized", text)
        if not request.query.get("api-version"):
            raise _Refusal(400, "BadParameter", "Missing or empty required query parameter 'api-version'.")
        segments = request.path.strip("/").split("/")
        if segments[0] != "secrets" or len(segments) not in (2, 3) or request.method not in _ACTIONS:
            raise _Refusal(404, "NotFound", "The requested resource is not served here.")
        vault = find(self._world, request.host.partition(":")[0].partition(".")[0])
        name, version = segments[1].lower(), segments[2].lower() if len(segments) == 3 else None
        principal = Principal(claims["oid"], claims["appid"])
        self._check_access(principal, vault, f"{TYPE}/secrets/{_ACTIONS[request.method]}/action", name)
        if request.method == "PUT":
            return self._shown(vault, name, add_secret(self._world, vault, {**body, "name": name}))
        return self._shown(vault, name, _version_of(vault, name, version))

    def _check_access(self, principal: Principal, vault: resources.Resource, action: str, name: str) -> None:
        world = self._world
        scope = f"{vault['id']}/secrets/{name}"
        if rbac.allowed_data(world, principal.object_id, action, scope, world.clock.timestamp()):
            return
        raise _Refusal(
            403,
            "Forbidden",
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role "
            "definitions were changed recently, please observe propagation time.\r\n"
            f"Caller: appid={principal.client_id};oid={principal.object_id};"
            f"iss=https://sts.windows.net/{world.tokens.tenant_id}/\r\nAction: '{action}'\r\nResource: '{scope}'\r\n"
            "Assignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\n"
            f"Vault: {vault['body']['name']};location={vault['body']['location']}\r\n",
            inner="ForbiddenByRbac",
        )

    def _shown(self, vault: resources.Resource, name: str, secret: dict[str, Any]) -> dict[str, Any]:
        shown = {
            "value": secret["value"],
            "id": f"https://{vault['body']['name']}.{KEY_VAULT_DNS}/secrets/{name}/{secret['version']}",
            "attributes": {
                "enabled": secret["enabled"],
                "created": secret["created"],
                "updated": secret["created"],
                "recoveryLevel": "Recoverable+Purgeable",
                "recoverableDays": 90,
            },
            "tags": {},
        }
        return {**shown, "contentType": secret["contentType"]} if secret["contentType"] else shown


def add_vault(world: World, item: dict[str, Any]) -> None:
    """Put a vault in place, or more versions of its secrets."""
    name = item["id"].rsplit("/", 1)[-1]
    vault = resources.find(world, item["id"])
    if vault is None:
        body = {
            "id": item["id"],
            "name": name,
            "type": TYPE,
            "location": item.get("location", "westeurope"),
            "properties": {"vaultUri": f"https://{name.lower()}.{KEY_VAULT_DNS}/", "enableRbacAuthorization": True},
        }
        vault = resources.new(world, item["id"], TYPE, body, 0)
        vault["hidden"]["secrets"] = {}
    for secret in item.get("secrets", []):
        add_secret(world, vault, secret)
    resources.save(world, vault)


def add_secret(world: World, vault: resources.Resource, item: dict[str, Any]) -> dict[str, Any]:
    """A new version of a secret; ``enabled`` is true unless the item says otherwise."""
    secret = {
        "version": item.get("version") or uuid.uuid4().hex,
        "value": item["value"],
        "contentType": item.get("contentType"),
        "enabled": item.get("enabled", (item.get("attributes") or {}).get("enabled", True)),
        "created": int(world.clock.timestamp()),
    }
    vault["hidden"]["secrets"].setdefault(item["name"].lower(), []).append(secret)
    resources.save(world, vault)
    return secret


def find(world: World, name: str) -> resources.Resource:
    """The vault of a name. Raises a refusal when there is none: its DNS name would not resolve on Azure."""
    for vault in resources.of_type(world, TYPE):
        if vault["body"]["name"].lower() == name.lower():
            return vault
    raise _Refusal(404, "VaultNotFound", f"The vault {name} could not be found.")


def exists(world: World, host: str) -> bool:
    """Whether a host name is that of a vault."""
    name, _, suffix = host.lower().partition(".")
    return suffix == KEY_VAULT_DNS and any(
        vault["body"]["name"].lower() == name for vault in resources.of_type(world, TYPE)
    )


def _version_of(vault: resources.Resource, name: str, version: str | None) -> dict[str, Any]:
    versions: list[dict[str, Any]] = vault["hidden"]["secrets"].get(name, [])
    wanted = [secret for secret in versions if version in (None, secret["version"])]
    if not wanted:
        what = f"{name}/{version}" if version else name
        raise _Refusal(
            404,
            "SecretNotFound",
            f"A secret with (name/id) {what} was not found in this key vault. If you recently deleted this secret you "
            "may be able to recover it using the correct recovery command. For help resolving this issue, please see "
            "https://go.microsoft.com/fwlink/?linkid=2125182",
        )
    if not wanted[-1]["enabled"]:
        text = "Operation get is not allowed on a disabled secret."
        raise _Refusal(403, "Forbidden", text, inner="SecretDisabled")
    return wanted[-1]


class _Refusal(Exception):
    def __init__(self, status: int, code: str, message: str, inner: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error: dict[str, Any] = {"code": code, "message": message}
        if inner:
            self.error["innererror"] = {"code": inner}

    def response(self, tenant_id: str) -> web.Response:
        headers = {"x-ms-keyvault-service-version": "1.9.0", "x-ms-request-id": str(uuid.uuid4())}
        if self.status == 401:
            authority = f"https://login.windows.net/{tenant_id}"
            headers["WWW-Authenticate"] = f'Bearer authorization="{authority}", resource="{AUDIENCE}"'
        return web.json_response({"error": self.error}, status=self.status, headers=headers)
