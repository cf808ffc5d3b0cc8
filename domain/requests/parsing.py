"""Requests read from JSON values and written as such; every offending field is reported at once."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from domain.requests.fields import NOT_YET_TEXT, PATTERNS_IN_WORDS, Model
from domain.requests.models import AttachRequest, DetachRequest, ReattachRequest, Request
from domain.violations import INVALID, NOT_YET, Refused, Violation, pointer

ModelT = TypeVar("ModelT", bound=Model)
MODELS: dict[str, type[Request]] = {"attach": AttachRequest, "detach": DetachRequest, "reattach": ReattachRequest}


def parse_request(kind: str, body: Any) -> Request:
    """The request for an operation of that kind from a JSON value. Raises Refused."""
    return parse(MODELS[kind], body)


def parse(model: type[ModelT], body: Any) -> ModelT:
    """A body of that model from a JSON value.

    Raises Refused with every offending field, the bad ones and the ones not available yet together.
    """
    body = model.read(body)
    against = model.rules(body)
    try:
        accepted = model.model_validate(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise Refused([*(_violation(details, model.later_fields) for details in found), *against]) from error
    if against:
        raise Refused(against)
    return accepted


def request_to_json(request: Request) -> dict[str, Any]:
    """The request as accepted, defaults filled in; fields that were left out and have no default stay out."""
    return request.model_dump(mode="json", exclude_none=True)


def _violation(details: ErrorDetails, later_fields: frozenset[str]) -> Violation:
    place = details["loc"]
    if len(place) > 2 and place[-1] == "[key]":  # pydantic's mark for the name of a dict's member
        place = place[:-1]
    field = details.get("ctx", {}).get("field")
    target = pointer([*place, field] if field else place)
    match details["type"]:
        case "extra_forbidden" if target in later_fields:
            return Violation(NOT_YET, f"The field {NOT_YET_TEXT}.", target)
        case "not_available_yet":
            return Violation(NOT_YET, details["msg"], target)
        case "extra_forbidden":
            return Violation(INVALID, "There is no such field.", target)
        case "missing":
            return Violation(INVALID, "The field is required.", target)
        case "model_type":
            return Violation(INVALID, "must be a JSON object", target)
        case "string_pattern_mismatch":
            words = PATTERNS_IN_WORDS.get(details.get("ctx", {}).get("pattern", ""), "has characters not taken here")
            return Violation(INVALID, words, target)
    return Violation(INVALID, details["msg"], target)
