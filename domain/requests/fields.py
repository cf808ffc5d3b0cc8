"""The fields of requests: what each may be, in the words that a caller reads. Raise PydanticCustomError."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from domain.arm_ids import WORKSPACE, ArmId, parse_arm_id
from domain.compute.names import PATTERN
from domain.extension.secret_ids import parse_secret_id
from domain.extension.wanted import wire_text
from domain.requests.durations import duration
from domain.violations import Violation

# Table Storage and ARM take other control characters badly; nobody types them on purpose.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_RESOURCE_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9._]{0,127}")
_OF_A_LABEL = re.compile(r"nodeSelector\.|(toleration|workLoadToleration)\[")
_LONGEST_WAIT = timedelta(days=30)
_EXISTING, _NAMESPACE = r"^[A-Za-z0-9-]+$", r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
# What the patterns above mean: a caller reads words.
PATTERNS_IN_WORDS = {
    PATTERN: "must be 2 to 16 letters, digits and hyphens, a letter first, no hyphen last",
    _EXISTING: "must be letters, digits and hyphens",
    _NAMESPACE: "must be lower-case letters, digits and hyphens, no hyphen first or last",
}
_VERSION = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){2}(?:[-+.][-+.A-Za-z0-9]{1,64})?")


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


def labels(settings: Any) -> Any:
    """Settings with true and false as Kubernetes writes them where they are of a label or of a taint, not a switch."""
    if not isinstance(settings, dict):
        return settings
    return {
        name: str(value).lower() if isinstance(value, bool) and _OF_A_LABEL.match(str(name)) else value
        for name, value in settings.items()
    }


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


# What a caller may choose as an operation's id: legal in table keys, engine instance ids and URLs as it stands.
OPERATION_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
USER_ASSIGNED_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
NOT_YET_TYPE = "not_available_yet"
NOT_YET_TEXT = "is described by the contract and not available in this release"
# A field that may be left out but not be null: a default is not validated, and a factory's does not show in the schema.
LEFT_OUT: Any = Field(default_factory=lambda: None)

# The forms that domain/requests/type_forms.py reads are no part of the schema: there is one to write.
INSTANCE_TYPES: Any = Field(
    default_factory=lambda: None,
    description="Documents show instance types in other forms too; each is read as this list: the object or the list "
    "that kubectl applies (kind InstanceType, InstanceTypeList), the map by name of a compute's properties, cores as "
    "decimals, nodeSelector as null.",
)


def choice(*served: str | bool, later: tuple[str | bool, ...] = ()) -> BeforeValidator:
    """Only these values, the type counting too (0 is not false); ``later`` ones are refused by name."""

    def check(value: Any) -> Any:
        if any(value == choice and type(value) is type(choice) for choice in served):
            return value
        if any(value == choice and type(value) is type(choice) for choice in later):
            raise PydanticCustomError(NOT_YET_TYPE, f"The value {_as_json(value)} {NOT_YET_TEXT}.")
        raise PydanticCustomError("choice", f"must be {' or '.join(_as_json(choice) for choice in served)}")

    return BeforeValidator(check)


def _as_json(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else f"'{value}'"


WorkspaceId = Annotated[str, StringConstraints(min_length=1, max_length=2048), AfterValidator(workspace)]
ClusterId = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
ComputeName = Annotated[str, StringConstraints(pattern=PATTERN)]
ExistingComputeName = Annotated[str, StringConstraints(min_length=2, max_length=24, pattern=_EXISTING)]
Namespace = Annotated[str, StringConstraints(max_length=63, pattern=_NAMESPACE)]
Description = Annotated[str, StringConstraints(max_length=1024), AfterValidator(printable)]
Wait = Annotated[str, AfterValidator(wait), WithJsonSchema({"type": "string", "format": "duration"})]
Reason = Annotated[str, StringConstraints(max_length=512), AfterValidator(printable)]
TagName = Annotated[str, AfterValidator(printable)]
TagValue = Annotated[str, StringConstraints(max_length=256), AfterValidator(printable)]
Tags = Annotated[dict[TagName, TagValue], Field(max_length=50)]
# Tags of an existing compute: one violation for all of them.
AnyTags = Annotated[dict[TagName, TagName], AfterValidator(tags)]
SettingValue = Annotated[
    str, BeforeValidator(setting), WithJsonSchema({"type": ["string", "boolean", "number"]}, mode="validation")
]
SecretReference = Annotated[
    str, AfterValidator(secret_id), WithJsonSchema({"type": "string", "format": "uri"}, mode="validation")
]
Quantity = Annotated[str, BeforeValidator(quantity), WithJsonSchema({"type": ["string", "integer"]}, mode="validation")]
NullableQuantity = Annotated[
    str | None,
    BeforeValidator(nullable_quantity),
    WithJsonSchema({"type": ["string", "integer", "null"]}, mode="validation"),
]
ResourceName = Annotated[str, AfterValidator(named)]
Version = Annotated[str, AfterValidator(version)]
# Left out it is production, but for small clusters, which the extension itself is installed on as devTest.
PURPOSE: Any = Field(default_factory=lambda: None, json_schema_extra={"default": "production"})


class Model(BaseModel):
    """What every request has in common; ``later_fields`` are those that the contract has and this release does not."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)
    later_fields: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def read(cls, body: Any) -> Any:
        """The body in the form of the contract, where documents show a part of it in others."""
        return body

    @classmethod
    def rules(cls, body: Any) -> list[Violation]:
        """What is wrong with a body beyond its shape, as far as the shape lets it be judged."""
        return []
