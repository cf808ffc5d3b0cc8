"""Sign a person of the simulated tenant in to a stack that is up, as a device does; the page is a control call."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.processes import StackError
from local.tenant import PUBLIC_CLIENT, SCOPE, Person

_DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
_SECONDS = 30.0


def sign_in(person: Person, description: Path) -> str:
    """An access token for the app of the stack that stack.json describes. Raises StackError."""
    try:
        about = json.loads(description.read_text())
    except (OSError, ValueError) as error:
        raise StackError(f"no stack is up: {description} cannot be read ({error}); start one with make up") from error
    authority = f"{about['resourceManager']}/{about['tenantId']}/oauth2/v2.0"
    context = ssl.create_default_context(cafile=about["caBundle"])
    client = {"client_id": PUBLIC_CLIENT}
    asked = _form(f"{authority}/devicecode", {**client, "scope": SCOPE}, context)
    confirmed = json.dumps({"userCode": asked["user_code"], "objectId": person.object_id}).encode()
    _send(urllib.request.Request(f"{about['control']}/directory/device", confirmed), None)  # noqa: S310
    form = {**client, "grant_type": _DEVICE_CODE, "device_code": asked["device_code"]}
    deadline = time.monotonic() + _SECONDS
    while "access_token" not in (answer := _form(f"{authority}/token", form, context)):
        if answer.get("error") != "authorization_pending" or time.monotonic() > deadline:
            raise StackError(f"{person.name} is not signed in: {answer.get('error_description', answer)}")
        time.sleep(float(asked["interval"]))
    return str(answer["access_token"])


def _form(url: str, form: Mapping[str, str], context: ssl.SSLContext) -> dict[str, Any]:
    return _send(urllib.request.Request(url, urllib.parse.urlencode(form).encode()), context)  # noqa: S310


def _send(request: urllib.request.Request, context: ssl.SSLContext | None) -> dict[str, Any]:
    # All of it is on loopback: never by way of a proxy.
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if context is not None:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=_SECONDS) as response:
            answer: dict[str, Any] = json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            answer = json.loads(error.read())
    except OSError as error:
        raise StackError(f"the stack does not answer: {error}") from error
    return answer
