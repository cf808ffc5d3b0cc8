"""Microsoft Entra ID below the login endpoint: discovery, keys, client credentials and device code."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from packages.simulated_azure.arm import request_log
from packages.simulated_azure.arm.front_door import with_faults
from packages.simulated_azure.identity import directory
from packages.simulated_azure.world import World

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
# Real seconds, as clients count them. Entra says 5 between two polls.
_DEVICE_CODE_LIVES, _BETWEEN_POLLS = 900, 1
_TENANT = "/{tenant:[0-9a-fA-F-]{36}}"


class OAuthError(Exception):
    """What the token endpoint refuses."""

    def __init__(self, status: int, error: str, code: int, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.body = {"error": error, "error_description": f"AADSTS{code}: {description}", "error_codes": [code]}


class Entra:
    """Serves one tenant on the TLS port. Its calls are in the request log as kind ``entra``; faults reach them."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[web.RouteDef]:
        """Every route of the tenant."""
        get, post = self._route(self._discovery), self._route(self._keys)
        return [
            web.get(f"{_TENANT}/.well-known/openid-configuration", get),
            web.get(f"{_TENANT}/{{version:v2.0}}/.well-known/openid-configuration", get),
            web.get(f"{_TENANT}/discovery/keys", post),
            web.get(f"{_TENANT}/discovery/{{version:v2.0}}/keys", post),
            web.post(f"{_TENANT}/oauth2/v2.0/devicecode", self._route(self._device_code)),
            web.post(f"{_TENANT}/oauth2/v2.0/token", self._route(self._token)),
        ]

    def _route(self, answer: Any) -> Any:
        async def serve(request: web.Request) -> web.StreamResponse:
            entry = request_log.begin(self._world, "entra", request)
            form = {name: str(value) for name, value in (await request.post()).items()}

            async def work() -> web.Response:
                if request.match_info["tenant"].lower() != self._world.tokens.tenant_id:
                    return _refused(OAuthError(400, "invalid_tenant", 90002, "Tenant not found."))
                try:
                    return web.json_response(answer(request, form))
                except OAuthError as error:
                    return _refused(error)

            # Without the call hook: who counts the calls of an operation does not mean these.
            return await with_faults(self._world, None, "entra", request, entry, work)

        return serve

    def _discovery(self, request: web.Request, form: Mapping[str, str]) -> dict[str, Any]:
        version = 2 if "version" in request.match_info else 1
        tenant = f"{self._world.base_url}/{self._world.tokens.tenant_id}"
        keys = "discovery/v2.0/keys" if version == 2 else "discovery/keys"
        return {
            "issuer": directory.issuer(self._world, version),
            "jwks_uri": f"{tenant}/{keys}",
            "token_endpoint": f"{tenant}/oauth2/v2.0/token",
            "authorization_endpoint": f"{tenant}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{tenant}/oauth2/v2.0/devicecode",
            "response_types_supported": ["code", "id_token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def _keys(self, request: web.Request, form: Mapping[str, str]) -> dict[str, Any]:
        issuer = directory.issuer(self._world, 2) if "version" in request.match_info else None
        return self._world.tokens.keys.document(issuer)

    def _device_code(self, request: web.Request, form: Mapping[str, str]) -> dict[str, Any]:
        api = self._api(form)
        device_code, user_code = secrets.token_urlsafe(32), secrets.token_hex(4).upper()
        uri = f"{self._world.base_url}/devicelogin"
        document = {
            "userCode": user_code,
            "clientId": form.get("client_id", ""),
            "api": api["appId"],
            "openid": "openid" in form.get("scope", "").split(),
            "expires": time.time() + _DEVICE_CODE_LIVES,
            "answer": "pending",
        }
        self._world.store.put("deviceCode", device_code, document)
        return {
            "user_code": user_code,
            "device_code": device_code,
            "verification_uri": uri,
            "expires_in": _DEVICE_CODE_LIVES,
            "interval": _BETWEEN_POLLS,
            "message": f"To sign in, open the page {uri} and enter the code {user_code} to authenticate.",
        }

    def _token(self, request: web.Request, form: Mapping[str, str]) -> dict[str, Any]:
        grant = form.get("grant_type")
        if grant == "client_credentials":
            return self._for_client(form)
        if grant == DEVICE_CODE:
            return self._for_device(form)
        raise OAuthError(400, "unsupported_grant_type", 70003, f"The grant type '{grant}' is not supported.")

    def _for_client(self, form: Mapping[str, str]) -> dict[str, Any]:
        client = self._world.store.get("application", form.get("client_id", "").lower())
        if client is None:
            raise OAuthError(400, "unauthorized_client", 700016, "The application was not found in the directory.")
        if not client["secret"] or form.get("client_secret") != client["secret"]:
            raise OAuthError(401, "invalid_client", 7000215, "Invalid client secret provided.")
        return self._answer(directory.token_for(self._world, self._api(form), client, client["appId"]))

    def _for_device(self, form: Mapping[str, str]) -> dict[str, Any]:
        document = self._world.store.get("deviceCode", form.get("device_code", ""))
        if document is None or document["clientId"] != form.get("client_id", ""):
            raise OAuthError(400, "bad_verification_code", 70019, "The verification code is not known.")
        if document["expires"] < time.time():
            raise OAuthError(400, "expired_token", 70020, "The device code has expired.")
        if document["answer"] == "pending":
            raise OAuthError(400, "authorization_pending", 70016, "Authorization is pending. Continue polling.")
        self._world.store.delete("deviceCode", form["device_code"])
        person = self._world.store.get("person", document["answer"])
        api = directory.api_of(self._world, document["api"])
        if person is None or api is None:
            raise OAuthError(400, "authorization_declined", 70018, "The user declined.")
        answer = self._answer(directory.token_for(self._world, api, person, document["clientId"]))
        if document["openid"]:
            answer["id_token"] = directory.id_token(self._world, person, document["clientId"])
        return answer

    def _api(self, form: Mapping[str, str]) -> dict[str, Any]:
        """The API that ``scope`` asks for: the one value of it that is no scope of OpenID Connect."""
        named = [s for s in form.get("scope", "").split() if s not in ("openid", "profile", "offline_access", "email")]
        resource = named[0].rsplit("/", 1)[0] if named else ""
        api = directory.api_of(self._world, resource)
        if api is None:
            raise OAuthError(400, "invalid_resource", 500011, f"The resource principal named {resource} was not found.")
        return api

    def _answer(self, issued: tuple[str, int]) -> dict[str, Any]:
        token, lifetime = issued
        return {"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": token}


def confirm(world: World, user_code: str, object_id: str | None) -> None:
    """What a person does at the page for devices; None declines. Raises ValueError for what is not known."""
    if object_id is not None and world.store.get("person", object_id.lower()) is None:
        raise ValueError(f"there is no person {object_id}")
    for key, document in world.store.items("deviceCode"):
        if document["userCode"] == user_code:
            world.store.put("deviceCode", key, {**document, "answer": (object_id or "declined").lower()})
            return
    raise ValueError(f"there is no device code {user_code}")


def _refused(error: OAuthError) -> web.Response:
    return web.json_response(error.body, status=error.status)
