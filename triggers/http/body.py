"""What the HTTP triggers read off a request before they look at what it asks for."""

from __future__ import annotations

import os
from collections.abc import Mapping

import azure.functions as func

from domain.violations import INVALID, Refused, Violation
from triggers.http.answers import HttpError

LARGEST_BODY = 64 * 1024
_LONGEST_PRINCIPAL = 256


def read_body(req: func.HttpRequest, *, required: bool = True) -> bytes:
    """The body of a POST; empty only when it is not required. Raises HttpError (413, 415) or Refused."""
    body: bytes = req.get_body()
    if len(body) > LARGEST_BODY:
        raise HttpError(413, "RequestTooLarge", f"The body has {len(body)} bytes; {LARGEST_BODY} are taken.")
    if not body and not required:
        return b""
    media_type, *options = [part.strip().lower() for part in req.headers.get("Content-Type", "").split(";")]
    charsets = [option.removeprefix("charset=").strip('"') for option in options if option.startswith("charset=")]
    if media_type != "application/json" or any(charset not in ("utf-8", "utf8") for charset in charsets):
        raise HttpError(415, "UnsupportedMediaType", "The body must be application/json in UTF-8.", "Content-Type")
    if not body:
        # Of a chunked request the Functions host hands on no body.
        message = "There is no body. Send one with a Content-Length; chunked bodies do not arrive."
        raise Refused([Violation(INVALID, message, "")])
    return body


def principal(headers: Mapping[str, str]) -> str | None:
    """Who signed in, where App Service authentication is on.

    Only then does App Service set these headers and take away what a caller put there (WEBSITE_AUTH_ENABLED, the
    test that Microsoft.Identity.Web makes); elsewhere anybody could write any name into the record.
    """
    if os.environ.get("WEBSITE_AUTH_ENABLED", "").lower() != "true":
        return None
    name = headers.get("x-ms-client-principal-name") or headers.get("x-ms-client-principal-id")
    return name[:_LONGEST_PRINCIPAL] if name else None
