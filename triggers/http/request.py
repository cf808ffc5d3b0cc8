"""What the HTTP triggers read off a request: its body and its query parameters.

Query parameters and continuation tokens: known ones only, and every bad one reported.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

import azure.functions as func

from domain.arm_ids import CONNECTED_CLUSTER, MANAGED_CLUSTER, WORKSPACE, parse_arm_id
from domain.operation.record import KINDS, STATUSES
from domain.requests.fields import OPERATION_ID
from domain.requests.parsing import MODELS
from domain.violations import INVALID, NOT_YET, Refused, Violation
from gateways.storage.record_list import Filter
from triggers.http.answers import HttpError, url_of

T = TypeVar("T")

# The Functions host takes a key from here; the name is its own, in any letter case.
_KEY = "code"
_WHOLE_NUMBER = re.compile(r"[0-9]{1,4}\Z")
# Of an operation that the caller may not see it has the least that tells it apart, and a tilde.
_POSITION = re.compile(rf"[0-9]{{15}};(?:{OPERATION_ID}|(?:{OPERATION_ID})?~)\Z")
_LAST_ENTRY = 99_999_999
LARGEST_BODY = 64 * 1024


class Parameters:
    """The query of one request. Takes note of every bad parameter; ``check`` refuses the request for all of them."""

    def __init__(self, query: Mapping[str, str], known: Iterable[str]) -> None:
        self.given = {name: value for name, value in query.items() if name.lower() != _KEY}
        self.violations = [
            Violation(INVALID, "There is no such query parameter.", name)
            for name in self.given
            if name not in set(known)
        ]

    def take(self, name: str, read: Callable[[str], T], absent: T) -> T:
        """The parameter as ``read`` understands it; ``absent`` when it is not given or bad."""
        if name not in self.given:
            return absent
        if not self.given[name].strip():
            self.violations.append(Violation(INVALID, "has no value; give it one or leave it out", name))
            return absent
        try:
            return read(self.given[name])
        except Refused as refused:
            self.violations += [Violation(v.code, v.message, name) for v in refused.violations]
        except ValueError as error:
            self.violations.append(Violation(INVALID, str(error), name))
        return absent

    def check(self) -> None:
        """Raise Refused when a parameter was bad."""
        if self.violations:
            raise Refused(self.violations)

    def next_link(self, url: str, token: str) -> str:
        """The URL of the next page: this request's own parameters (never the key) and the token."""
        return f"{url}?{urlencode({**self.given, 'continuationToken': token})}"


def query_of(req: func.HttpRequest) -> dict[str, str]:
    """The query of a request, with what was given without a value: a host may have left that out.

    ``?plan`` and ``?plan=&plan=true`` are not ``?plan=true``, and not nothing. Raises HttpError for a URL that is none.
    """
    given: dict[str, str] = dict(req.params)
    empty = [name for name, value in parse_qsl(url_of(req).query, keep_blank_values=True) if not value]
    return {**given, **dict.fromkeys(empty, "")}


def read_filter(parameters: Parameters) -> Filter:
    """What a list of operations is asked for; bad parameters are noted."""
    return Filter(
        statuses=parameters.take("status", _statuses, ()),
        kind=parameters.take("kind", _kind, None),
        workspace_id=parameters.take("workspaceId", _workspace, None),
        cluster_id=parameters.take("clusterId", _cluster, None),
        compute_name=parameters.take("computeName", str, None),
    )


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Reads a number within bounds."""

    def read(text: str) -> int:
        if not _WHOLE_NUMBER.match(text) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return read


def read_plan(text: str) -> bool:
    """Whether only a plan is asked for. Raises ValueError for what is neither."""
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return text == "true"


def read_mode(text: str) -> bool:
    """Whether a retry only finishes an undo. Raises ValueError for what is no mode."""
    if text not in ("continue", "undo"):
        raise ValueError("must be continue or undo")
    return text == "undo"


def token_of(place: str | int) -> str:
    """A continuation token for a place in a list."""
    return base64.urlsafe_b64encode(json.dumps({"after": place}).encode()).decode().rstrip("=")


def read_position(token: str) -> str:
    """The position in a list of operations. Raises ValueError for what was not handed out here."""
    place = _place(token)
    if not isinstance(place, str) or not _POSITION.match(place):
        raise ValueError(_BAD_TOKEN)
    return place


def read_sequence(token: str) -> int:
    """The sequence number in a journal. Raises ValueError for what was not handed out here."""
    place = _place(token)
    if type(place) is not int or not 0 <= place < _LAST_ENTRY:
        raise ValueError(_BAD_TOKEN)
    return place


_BAD_TOKEN = "is not a token of this list; take it from nextLink as it is"  # noqa: S105 - a sentence


def _place(token: str) -> Any:
    try:
        value = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError) as error:
        raise ValueError(_BAD_TOKEN) from error
    return value.get("after") if isinstance(value, dict) else None


def _statuses(text: str) -> tuple[str, ...]:
    asked = tuple(dict.fromkeys(text.split(",")))
    unknown = [status for status in asked if status not in STATUSES]
    if unknown:
        raise ValueError(f"must be a list of {', '.join(STATUSES)}, separated by commas")
    return asked


def _kind(text: str) -> str | None:
    if text in MODELS:
        return text
    if text in KINDS:
        raise Refused([Violation(NOT_YET, "There are no operations of this kind in this release.", "kind")])
    raise ValueError(f"must be {' or '.join(MODELS)}")


def _workspace(text: str) -> str | None:
    return str(parse_arm_id(text, WORKSPACE))


def _cluster(text: str) -> str | None:
    return str(parse_arm_id(text, MANAGED_CLUSTER, CONNECTED_CLUSTER))


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
