"""Requests for operations, as this release serves them.

The models hold the part of the contract that is built. Fields and values that the contract describes and later work
brings are known by name and refused as not available yet: nothing is accepted and then ignored. A value that asks for
nothing (``false``, ``none``, ``refuse``) is accepted, because that is exactly what is done.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from domain.arm_ids import CONNECTED_CLUSTER, MANAGED_CLUSTER, parse_arm_id
from domain.cluster import instance_types
from domain.compute.names import PATTERN
from domain.extension import rules
from domain.extension.wanted import (
    DEFAULT_SETTINGS,
    EXTENSION_NAME,
    RELEASE_TRAIN,
    is_on,
)
from domain.operation.deadlines import DEFAULT_APPROVAL_TIMEOUT, DEFAULT_DEADLINE
from domain.requests import fields as values
from domain.violations import INVALID, NOT_YET, Refused, Violation, pointer

# What a caller may choose as an operation's id: legal in table keys, engine instance ids and URLs as it stands.
OPERATION_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
USER_ASSIGNED_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"

_NOT_YET_TYPE = "not_available_yet"
_NOT_YET_TEXT = "is described by the contract and not available in this release"
# A field that may be left out but not be null: a default is not validated, and a factory's does not show in the schema.
_LEFT_OUT: Any = Field(default_factory=lambda: None)


def _choice(*served: str | bool, later: tuple[str | bool, ...] = ()) -> BeforeValidator:
    """Only these values, the type counting too (0 is not false); ``later`` ones are refused by name."""

    def check(value: Any) -> Any:
        if any(value == choice and type(value) is type(choice) for choice in served):
            return value
        if any(value == choice and type(value) is type(choice) for choice in later):
            raise PydanticCustomError(_NOT_YET_TYPE, f"The value {_json(value)} {_NOT_YET_TEXT}.")
        raise PydanticCustomError("choice", f"must be {' or '.join(_json(choice) for choice in served)}")

    return BeforeValidator(check)


def _json(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else f"'{value}'"


WorkspaceId = Annotated[str, StringConstraints(min_length=1, max_length=2048), AfterValidator(values.workspace)]
ClusterId = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
ComputeName = Annotated[str, StringConstraints(pattern=PATTERN)]
ExistingComputeName = Annotated[str, StringConstraints(min_length=2, max_length=24, pattern=r"^[A-Za-z0-9-]+$")]
Namespace = Annotated[str, StringConstraints(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
Description = Annotated[str, StringConstraints(max_length=1024), AfterValidator(values.printable)]
Wait = Annotated[str, AfterValidator(values.wait), WithJsonSchema({"type": "string", "format": "duration"})]
Reason = Annotated[str, StringConstraints(max_length=512), AfterValidator(values.printable)]
TagName = Annotated[str, AfterValidator(values.printable)]
TagValue = Annotated[str, StringConstraints(max_length=256), AfterValidator(values.printable)]
Tags = Annotated[dict[TagName, TagValue], Field(max_length=50)]
SettingValue = Annotated[
    str, BeforeValidator(values.setting), WithJsonSchema({"type": ["string", "boolean", "number"]}, mode="validation")
]
SecretReference = Annotated[
    str, AfterValidator(values.secret_id), WithJsonSchema({"type": "string", "format": "uri"}, mode="validation")
]
Quantity = Annotated[
    str, BeforeValidator(values.quantity), WithJsonSchema({"type": ["string", "integer"]}, mode="validation")
]
NullableQuantity = Annotated[
    str | None,
    BeforeValidator(values.nullable_quantity),
    WithJsonSchema({"type": ["string", "integer", "null"]}, mode="validation"),
]
ResourceName = Annotated[str, AfterValidator(values.named)]
Version = Annotated[str, AfterValidator(values.version)]
# Left out it is production, but for small clusters, which the extension itself is installed on as devTest.
_PURPOSE: Any = Field(default_factory=lambda: None, json_schema_extra={"default": "production"})


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)
    later_fields: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def rules(cls, body: Any) -> list[Violation]:
        """What is wrong with a body beyond its shape, as far as the shape lets it be judged."""
        return []


ModelT = TypeVar("ModelT", bound=_Model)


class Identity(_Model):
    """The compute's own identity. Left out, the compute has none."""

    type: Literal["SystemAssigned", "UserAssigned"]
    userAssignedIdentityId: str = _LEFT_OUT

    @field_validator("userAssignedIdentityId")
    @classmethod
    def _canonical(cls, text: str) -> str:
        return str(values.arm_id(text, USER_ASSIGNED_IDENTITY))

    @model_validator(mode="after")
    def _id_fits_type(self) -> Self:
        given = self.userAssignedIdentityId is not None
        if given != (self.type == "UserAssigned"):
            text = "goes with type 'UserAssigned' only" if given else "is needed for type 'UserAssigned'"
            raise PydanticCustomError("identity", text, {"field": "userAssignedIdentityId"})
        return self


class Extension(_Model):
    """The cluster extension Microsoft.AzureML.Kubernetes that the cluster is to have. Settings are kept as text."""

    manage: Literal["ensure", "update", "require"] = "ensure"
    name: ResourceName = EXTENSION_NAME
    releaseTrain: ResourceName = RELEASE_TRAIN
    version: Version | None = None
    configurationSettings: dict[str, SettingValue] = Field(default_factory=lambda: dict(DEFAULT_SETTINGS))
    configurationProtectedSettings: dict[str, SecretReference] = Field(default_factory=dict)

    @field_validator("configurationSettings")
    @classmethod
    def _a_mode(cls, settings: dict[str, str]) -> dict[str, str]:
        """Training, unless a mode is named."""
        return settings if {"enableTraining", "enableInference"} & {*settings} else {**DEFAULT_SETTINGS, **settings}


class InstanceTypeResources(_Model):
    """What a workload of an instance type asks for and may use. Kept as text; a GPU of null is none."""

    requests: dict[str, Quantity] = Field(default_factory=dict)
    limits: dict[str, NullableQuantity] = Field(default_factory=dict)


class InstanceType(_Model):
    """An instance type that the cluster is to have."""

    name: Annotated[str, StringConstraints(pattern=instance_types.NAME)]
    nodeSelector: dict[str, str] = Field(default_factory=dict)
    resources: InstanceTypeResources = Field(default_factory=InstanceTypeResources)


class AttachRequest(_Model):
    """Attach a cluster (AKS or Azure Arc) to a workspace as a compute. ARM ids are kept in canonical spelling."""

    later_fields: ClassVar[frozenset[str]] = frozenset({"/expiresAt"})

    workspaceId: WorkspaceId
    clusterId: ClusterId
    computeName: ComputeName
    namespace: Namespace = "default"
    createNamespace: bool = False
    description: Description = _LEFT_OUT
    tags: Tags = _LEFT_OUT
    identity: Identity = _LEFT_OUT
    extension: Extension = _LEFT_OUT
    instanceTypes: list[InstanceType] = _LEFT_OUT
    defaultInstanceType: str = _LEFT_OUT
    clusterPurpose: Literal["production", "devTest"] = _PURPOSE
    registerProviders: bool = False
    cleanupLegacy: bool = False
    grantRoles: bool = False
    smokeTest: Annotated[Literal["none", "training"], _choice("none", "training", later=("inference",))] = "none"
    onFailure: Literal["undo", "keep"] = "undo"
    reason: Reason = _LEFT_OUT

    @classmethod
    def rules(cls, body: Any) -> list[Violation]:
        """The rules of instance types, and those of the extension's settings when they have the shape of settings."""
        if not isinstance(body, dict):
            return []
        found = instance_types.violations(body.get("instanceTypes"), body.get("defaultInstanceType"))
        try:
            extension = Extension.model_validate(_settings_of(body.get("extension")))
        except ValidationError:
            return found
        if body.get("smokeTest") == "training" and not is_on(extension.configurationSettings, "enableTraining"):
            found.append(Violation(INVALID, "needs the extension's setting enableTraining", "/smokeTest"))
        return found + rules.check(extension.configurationSettings, extension.configurationProtectedSettings)

    @field_validator("clusterId")
    @classmethod
    def _cluster_beside_workspace(cls, text: str, info: ValidationInfo) -> str:
        cluster = values.arm_id(text, MANAGED_CLUSTER, CONNECTED_CLUSTER)
        workspace = info.data.get("workspaceId")
        if workspace is not None and parse_arm_id(workspace).subscription != cluster.subscription:
            raise PydanticCustomError("subscription", "must be in the subscription of the workspace")
        return str(cluster)


class Workloads(_Model):
    """What becomes of what still uses the compute, and how long jobs may take to end."""

    policy: Literal["refuse", "wait", "cancel", "force"] = "refuse"
    endpoints: Literal["refuse", "delete"] = "refuse"
    deadline: Wait = DEFAULT_DEADLINE
    onDeadline: Literal["fail", "approve", "force"] = "fail"


class CleanUp(_Model):
    """What else goes of what Moor made for the attachment, as far as nothing else relies on it."""

    roleAssignments: bool = True
    instanceTypes: bool = False
    extension: bool = False


class DetachRequest(_Model):
    """Detach a compute from its workspace; the cluster itself is never deleted."""

    workspaceId: WorkspaceId
    computeName: ExistingComputeName
    workloads: Workloads = Field(default_factory=Workloads)
    approval: Literal["none", "required"] = "none"
    approvalTimeout: Wait = DEFAULT_APPROVAL_TIMEOUT
    cleanUp: CleanUp = Field(default_factory=CleanUp)
    reason: Reason = _LEFT_OUT


def _unless_given(default: str) -> Any:
    """Left out it stays as it is; the contract nevertheless has the default of a first installation."""
    return Field(default_factory=lambda: None, json_schema_extra={"default": default})


class ExtensionChanges(_Model):
    """What changes of an existing extension; ``manage`` left out brings it in line."""

    manage: Literal["ensure", "update", "require"] = _unless_given("ensure")
    name: ResourceName = _unless_given(EXTENSION_NAME)
    releaseTrain: ResourceName = _unless_given(RELEASE_TRAIN)
    version: Version | None = None
    configurationSettings: dict[str, SettingValue] = _LEFT_OUT
    configurationProtectedSettings: dict[str, SecretReference] = _LEFT_OUT


class ReattachRequest(_Model):
    """Detach a compute and attach it again, with changes. What is left out stays as it is."""

    workspaceId: WorkspaceId
    computeName: ExistingComputeName
    description: Description = _LEFT_OUT
    tags: Annotated[dict[TagName, TagName], AfterValidator(values.tags)] = _LEFT_OUT
    identity: Identity = _LEFT_OUT
    extension: ExtensionChanges = _LEFT_OUT
    instanceTypes: list[InstanceType] = _LEFT_OUT
    defaultInstanceType: str = _LEFT_OUT
    workloads: Workloads = Field(default_factory=Workloads)
    approval: Literal["none", "required"] = "none"
    approvalTimeout: Wait = DEFAULT_APPROVAL_TIMEOUT
    grantRoles: bool = False
    cleanupLegacy: bool = False
    reason: Reason = _LEFT_OUT

    @classmethod
    def rules(cls, body: Any) -> list[Violation]:
        """The rules of instance types and of single settings; those of all together need the existing ones."""
        if not isinstance(body, dict):
            return []
        found = instance_types.violations(body.get("instanceTypes"), body.get("defaultInstanceType"))
        try:
            changes = ExtensionChanges.model_validate(_settings_of(body.get("extension", {})))
        except ValidationError:
            return found
        return found + rules.check_each(
            changes.configurationSettings or {}, changes.configurationProtectedSettings or {}
        )


class Decision(_Model):
    """What a person says to an operation."""

    reason: Reason = _LEFT_OUT


Request = AttachRequest | DetachRequest | ReattachRequest
MODELS: dict[str, type[Request]] = {"attach": AttachRequest, "detach": DetachRequest, "reattach": ReattachRequest}


def _settings_of(extension: Any) -> Any:
    """The part of an extension that rules judge, whatever else is wrong with it."""
    if not isinstance(extension, dict):
        return extension
    return {k: v for k, v in extension.items() if k in (rules.PLAIN_PLACE, rules.PROTECTED_PLACE)}


def parse_request(kind: str, body: Any) -> Request:
    """The request for an operation of that kind from a JSON value. Raises Refused."""
    return parse(MODELS[kind], body)


def parse(model: type[ModelT], body: Any) -> ModelT:
    """A body of that model from a JSON value.

    Raises Refused with every offending field, the bad ones and the ones not available yet together.
    """
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
            return Violation(NOT_YET, f"The field {_NOT_YET_TEXT}.", target)
        case "not_available_yet":
            return Violation(NOT_YET, details["msg"], target)
        case "extra_forbidden":
            return Violation(INVALID, "There is no such field.", target)
        case "missing":
            return Violation(INVALID, "The field is required.", target)
        case "model_type":
            return Violation(INVALID, "must be a JSON object", target)
    return Violation(INVALID, details["msg"], target)
