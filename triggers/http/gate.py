"""Who calls, and what each HTTP function asks of them. The app is the gate: the host lets every call through to it.

With function keys (a developer's machine) the host looks at the key, and the app at what its holder may do.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any

import azure.functions as func

from domain.access.claims import GroupsMissing
from domain.access.principal import APPROVER, OPERATOR, PRIVILEGED, READER, Caller, KeyHolder, Principal, holds
from domain.access.privileges import privileged_options
from domain.operation.record import RequestedBy
from domain.requests.fields import OPERATION_ID
from gateways.auth_settings import KEYS, AuthSettingError, EntraSettings, mode, read_auth
from gateways.azure.identity import known_login_endpoint
from gateways.entra.signing_keys import KeysUnavailable
from gateways.entra.tokens import TokenRefused, verified
from gateways.policy import check_at_start
from operations.allowed import name_of
from operations.limits import count_request
from triggers.http.answers import HttpError, answered

logger = logging.getLogger(__name__)

# The least role that each function asks for. ANYBODY calls without one; health does not come through here at all.
ANYBODY = ""
ROLE_OF: Mapping[str, str] = {
    "http_attach": OPERATOR,
    "http_detach": OPERATOR,
    "http_reattach": OPERATOR,
    "http_later_fleet_attach": OPERATOR,
    "http_later_fleet_detach": OPERATOR,
    "http_cancel_operation": OPERATOR,
    "http_retry_operation": OPERATOR,
    "http_approve_operation": APPROVER,
    "http_reject_operation": APPROVER,
    "http_list_operations": READER,
    "http_get_operation": READER,
    "http_get_journal": READER,
    "http_later_attachments": READER,
    "http_openapi": ANYBODY,
    "http_health": ANYBODY,
}
# Function keys are for a developer's machine, where nothing happens that a person must have said yes to.
_NO_KEY = frozenset({APPROVER})
_RETRY_AFTER = {"Retry-After": "5"}
# Of the request that this task answers: ``tenant:object id`` once a token has proved it.
_asking: ContextVar[str] = ContextVar("asking")
_NOBODY, _A_KEY = "nobody", "the holder of a function key"
_MAY_NOT = frozenset({401, 403, 429})


def host_level() -> func.AuthLevel:
    """What the host asks of a caller before the app does: a function key where MOOR_AUTH is keys, else nothing.

    Read when the functions are indexed; a change of settings restarts the app (docs/adr/0010-the-app-is-the-gate.md).
    That is when the log says what is wrong with the policy, too.
    """
    check_at_start()
    return func.AuthLevel.FUNCTION if mode() == KEYS else func.AuthLevel.ANONYMOUS


async def admitted(
    req: func.HttpRequest, function: str, work: Callable[[Caller], Awaitable[func.HttpResponse]]
) -> func.HttpResponse:
    """The answer of ``work``, which is called only for who may call the function. What is refused is audited."""
    _asking.set(_NOBODY)

    async def through_the_gate() -> func.HttpResponse:
        caller = await caller_of(req, function)
        _asking.set(_name(caller))
        return await work(caller)

    answer = await answered(through_the_gate())
    _audit(req, function, answer)
    return answer


def _audit(req: func.HttpRequest, function: str, answer: func.HttpResponse) -> None:
    """One line of one form for each call that is refused, whatever refused it (docs/access.md counts them)."""
    status = answer.status_code
    if not 400 <= status < 500:
        return
    named = req.route_params.get("id", "")
    # Where there is no such operation, what stands for its id may be anything, a secret pasted by mistake included.
    operation = named if status != 404 and re.fullmatch(OPERATION_ID, named) else "-"
    level = logging.WARNING if status in _MAY_NOT else logging.INFO
    code = answer.headers.get("x-ms-error-code")
    logger.log(level, "audit: refused %d %s %s %s by %s", status, code, function, operation, _asking.get())


async def caller_of(req: func.HttpRequest, function: str) -> Caller:
    """Who calls a function that is in ROLE_OF, and holds its role. For ANYBODY, a key holder who may do nothing more.

    Raises HttpError: 401 without a good token, 403 without the role, 503 when nobody can be judged. Raises TooMany when
    the caller asks too often.
    """
    role = ROLE_OF[function]
    try:
        settings = read_auth()
    except AuthSettingError as error:
        logger.error("503 %s: %s", function, error)
        raise HttpError(503, "AuthNotConfigured", f"Nobody may call: {error}.") from None
    if role == ANYBODY:
        return KeyHolder()
    if isinstance(settings, EntraSettings):
        principal = await _principal(req.headers, function, settings)
        _asking.set(principal.id)
        count_request(principal)
        if not holds(principal.roles, role):
            raise _forbidden(principal, function, "RoleRequired", f"needs the app role {_app_role(role)}")
        return principal
    caller = KeyHolder(settings.may)
    _asking.set(_A_KEY)
    count_request(caller)
    if role in _NO_KEY:
        raise _forbidden(caller, function, "NeedsIdentity", "needs a person's token, whatever MOOR_KEYS_MAY says")
    return caller


def check_options(caller: Caller, function: str, request: Mapping[str, Any]) -> None:
    """Raise HttpError 403 when the caller may not use the privileged options of a request."""
    used = privileged_options(request)
    if isinstance(caller, Principal):
        if used and not holds(caller.roles, PRIVILEGED):
            need = f"uses {', '.join(used)}, which needs the app role {_app_role(PRIVILEGED)}"
            raise _forbidden(caller, function, "RoleRequired", need)
        return
    kept = [option for option in used if option not in caller.may]
    if kept:
        need = f"uses {', '.join(kept)}, which needs a person's token, or MOOR_KEYS_MAY to name it"
        raise _forbidden(caller, function, "NeedsIdentity", need)


def requested_by(caller: Caller, reason: str | None) -> RequestedBy:
    """What the record keeps of who asks; the holder of a key has no name."""
    if isinstance(caller, Principal):
        return RequestedBy("http", caller.id, reason, name=caller.name)
    return RequestedBy("http", None, reason)


async def _principal(headers: Mapping[str, str], function: str, settings: EntraSettings) -> Principal:
    token = _bearer(headers.get("Authorization", ""))
    if token is None:
        raise _unauthenticated(function, settings, None, None)
    try:
        return await verified(token, settings)
    except TokenRefused as refused:
        raise _unauthenticated(function, settings, refused.reason, refused.claimed) from None
    except GroupsMissing as missing:
        _asking.set(missing.principal.id)
        count_request(missing.principal)
        logger.warning("403 %s: GroupsNotInToken: %s", function, missing)
        message = (
            "The token leaves groups out, because the caller is in too many, so that Moor cannot tell what it may do. "
            "Have Entra put only the groups into the token that are assigned to Moor: set groupMembershipClaims to "
            "ApplicationGroup in the app registration, and assign the groups to the enterprise application."
        )
        raise HttpError(403, "GroupsNotInToken", message) from None
    except KeysUnavailable as unavailable:
        logger.error("503 %s: the keys of Entra cannot be had: %s", function, unavailable)
        message = "The keys by which tokens are verified cannot be had. Send the same request again."
        raise HttpError(503, "KeysUnavailable", message, headers=_RETRY_AFTER) from None


def _bearer(header: str) -> str | None:
    scheme, _, token = header.strip().partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _unauthenticated(function: str, settings: EntraSettings, reason: str | None, claimed: str | None) -> HttpError:
    """RFC 6750, 3: what is expected, and the error only where a token was sent. Its reason quotes nothing of it."""
    logger.warning("401 %s: %s; the token says it is of %s", function, reason or "no token", claimed or "nobody")
    expected = 'Bearer realm="Moor"'
    if login := known_login_endpoint():
        expected += f', authorization_uri="{login}/{settings.tenant}/oauth2/v2.0/authorize"'
    if reason is None:
        message = "There is no bearer token. Send an access token of Microsoft Entra ID for this API."
        return HttpError(401, "Unauthenticated", message, "Authorization", headers={"WWW-Authenticate": expected})
    challenge = f'{expected}, error="invalid_token", error_description="{reason}"'
    message = f"The bearer token is refused: {reason}. Send an access token of Microsoft Entra ID for this API."
    return HttpError(401, "InvalidToken", message, "Authorization", headers={"WWW-Authenticate": challenge})


def _forbidden(caller: Caller, function: str, code: str, need: str) -> HttpError:
    who = _name(caller)
    logger.warning("403 %s: %s: %s", function, code, who)
    return HttpError(403, code, f"The call {need}. It was made by {who}.")


def _name(caller: Caller) -> str:
    return name_of(caller) or _A_KEY


def _app_role(role: str) -> str:
    return f"Moor.{role.capitalize()}"
