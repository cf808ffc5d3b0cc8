"""Single values of requests: what each may be, in the words that a caller reads. Raise PydanticCustomError."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Any

from pydantic_core import PydanticCustomError

from domain.arm_ids import WORKSPACE, ArmId, parse_arm_id
from domain.extension.secret_ids import parse_secret_id
from domain.extension.wanted import wire_text
from domain.operation.deadlines import duration

# Table Storage and ARM take other control characters badly; nobody types them on purpose.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_RESOURCE_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9._]{0,127}")
_LONGEST_WAIT = timedelta(days=30)
_VERSION = re.compile(r"\d+\.\d+\.\d+([-+.][-+.A-Za-z0-9]+)?")


def arm_id(text: str, *types: str) -> ArmId:
    """The id of a resource of one of these types."""
    try:
        return parse_arm_id(text, *types)
    except ValueError as error:
        raise PydanticCustomError("arm_id", "{reason}", {"reason": str(error)}) from error


def workspace(text: str) -> str:
    """A workspace's id, in canonical spelling."""
    return str(arm_id(text, WORKSPACE))


def printable(text: str) -> str:
    """Text without control characters."""
    if _CONTROL.search(text):
        raise PydanticCustomError("control_character", "holds a control character")
    return text


def setting(value: Any) -> str:
    """A setting as Azure takes it; JSON's true, "true" and "True" are one."""
    if isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError("setting", "must be a finite number")
    if not isinstance(value, str | bool | int | float):
        raise PydanticCustomError("setting", "must be a string, a boolean or a number")
    return wire_text(value)


def quantity(value: Any) -> str:
    """A quantity as text; what it comes to is for the rules of instance types."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise PydanticCustomError("quantity", "must be a string or an integer")
    return str(value)


def nullable_quantity(value: Any) -> str | None:
    """The same, or none."""
    return None if value is None else quantity(value)


def secret_id(text: str) -> str:
    """The id of a Key Vault secret, in canonical spelling."""
    try:
        return str(parse_secret_id(text))
    except ValueError:
        return text  # The rules for settings refuse it together with everything else.


def wait(text: str) -> str:
    """A duration that an operation may wait."""
    try:
        fits = timedelta() < duration(text) <= _LONGEST_WAIT
    except ValueError:
        fits = False
    if not fits:
        raise PydanticCustomError("wait", "must be an ISO 8601 duration such as PT30M or P2D, of 30 days at most")
    return text


def named(text: str) -> str:
    """The name of a resource."""
    if not _RESOURCE_NAME.fullmatch(text):
        raise PydanticCustomError("name", "must be 1 to 128 letters, digits, hyphens, dots or underscores")
    return text


def version(text: str) -> str:
    """A version of the extension."""
    if not _VERSION.fullmatch(text):
        raise PydanticCustomError("version", "must be a version such as 1.1.91")
    return text


def tags(found: dict[str, str]) -> dict[str, str]:
    """Tags as Azure takes them: 50 at most, of 256 characters each."""
    if len(found) > 50 or any(len(value) > 256 for value in found.values()):
        raise PydanticCustomError("tags", "must be 50 at most, with values of 256 characters at most")
    return found
