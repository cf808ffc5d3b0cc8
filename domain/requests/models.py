"""Requests for operations, as this release serves them.

The models hold the part of the contract that is built. Fields and values that the contract describes and later work
brings are known by name and refused as not available yet: nothing is accepted and then ignored. A value that asks for
nothing (``false``, ``none``, ``refuse``) is accepted, because that is exactly what is done.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from domain.arm_ids import CONNECTED_CLUSTER, MANAGED_CLUSTER, parse_arm_id
from domain.cluster import instance_types
from domain.extension import rules
from domain.extension.wanted import (
    DEFAULT_SETTINGS,
    EXTENSION_NAME,
    RELEASE_TRAIN,
    is_on,
)
from domain.requests.durations import DEFAULT_APPROVAL_TIMEOUT, DEFAULT_DEADLINE
from domain.requests.fields import (
    INSTANCE_TYPES,
    LEFT_OUT,
    PURPOSE,
    USER_ASSIGNED_IDENTITY,
    AnyTags,
    ClusterId,
    ComputeName,
    Description,
    ExistingComputeName,
    Model,
    Namespace,
    NullableQuantity,
    Quantity,
    Reason,
    ResourceName,
    SecretReference,
    SettingValue,
    Tags,
    Version,
    Wait,
    WorkspaceId,
    arm_id,
    choice,
    labels,
)
from domain.requests.type_forms import with_listed_types
from domain.violations import INVALID, Violation


def _unless_given(default: str) -> Any:
    """Left out it stays as it is; the contract nevertheless has the default of a first installation."""
    return Field(default_factory=lambda: None, json_schema_extra={"default": default})


class Identity(Model):
    """The compute's own identity. Left out, the compute has none."""

    type: Literal["SystemAssigned", "UserAssigned"]
    userAssignedIdentityId: str = LEFT_OUT

    @field_validator("userAssignedIdentityId")
    @classmethod
    def _canonical(cls, text: str) -> str:
        return str(arm_id(text, USER_ASSIGNED_IDENTITY))

    @model_validator(mode="after")
    def _id_fits_type(self) -> Self:
        given = self.userAssignedIdentityId is not None
        if given != (self.type == "UserAssigned"):
            text = "goes with type 'UserAssigned' only" if given else "is needed for type 'UserAssigned'"
            raise PydanticCustomError("identity", text, {"field": "userAssignedIdentityId"})
        return self


class Extension(Model):
    """The cluster extension Microsoft.AzureML.Kubernetes that the cluster is to have. Settings are kept as text."""

    manage: Literal["ensure", "update", "require"] = "ensure"
    name: ResourceName = EXTENSION_NAME
    releaseTrain: ResourceName = RELEASE_TRAIN
    version: Version | None = None
    configurationSettings: dict[str, SettingValue] = Field(default_factory=lambda: dict(DEFAULT_SETTINGS))
    configurationProtectedSettings: dict[str, SecretReference] = Field(default_factory=dict)

    _labels = field_validator("configurationSettings", mode="before")(labels)

    @field_validator("configurationSettings")
    @classmethod
    def _a_mode(cls, settings: dict[str, str]) -> dict[str, str]:
        """Training, unless a mode is named."""
        return settings if {"enableTraining", "enableInference"} & {*settings} else {**DEFAULT_SETTINGS, **settings}


class InstanceTypeResources(Model):
    """What a workload of an instance type asks for and may use. Kept as text; a GPU of null is none."""

    requests: dict[str, Quantity] = Field(default_factory=dict)
    limits: dict[str, NullableQuantity] = Field(default_factory=dict)


class InstanceType(Model):
    """An instance type that the cluster is to have."""

    name: Annotated[str, StringConstraints(pattern=instance_types.NAME)]
    nodeSelector: dict[str, str] = Field(default_factory=dict)
    resources: InstanceTypeResources = Field(default_factory=InstanceTypeResources)


class _WithInstanceTypes(Model):
    """A request that takes instance types."""

    @classmethod
    def read(cls, body: Any) -> Any:
        """Instance types as a list, in whatever documented form they come."""
        return with_listed_types(body)


class AttachRequest(_WithInstanceTypes):
    """Attach a cluster (AKS or Azure Arc) to a workspace as a compute. ARM ids are kept in canonical spelling."""

    later_fields: ClassVar[frozenset[str]] = frozenset({"/approvalTimeout", "/expiresAt"})

    workspaceId: WorkspaceId
    clusterId: ClusterId
    computeName: ComputeName
    namespace: Namespace = "default"
    createNamespace: bool = False
    description: Description = LEFT_OUT
    tags: Tags = LEFT_OUT
    identity: Identity = LEFT_OUT
    extension: Extension = LEFT_OUT
    instanceTypes: list[InstanceType] = INSTANCE_TYPES
    defaultInstanceType: str = LEFT_OUT
    clusterPurpose: Literal["production", "devTest"] = PURPOSE
    registerProviders: bool = False
    cleanupLegacy: bool = False
    grantRoles: bool = False
    approval: Annotated[Literal["none"], choice("none", later=("required",))] = _unless_given("none")
    smokeTest: Annotated[Literal["none", "training"], choice("none", "training", later=("inference",))] = "none"
    onFailure: Literal["undo", "keep"] = "undo"
    reason: Reason = LEFT_OUT

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
        cluster = arm_id(text, MANAGED_CLUSTER, CONNECTED_CLUSTER)
        workspace = info.data.get("workspaceId")
        if workspace is not None and parse_arm_id(workspace).subscription != cluster.subscription:
            raise PydanticCustomError("subscription", "must be in the subscription of the workspace")
        return str(cluster)


class Workloads(Model):
    """What becomes of what still uses the compute, and how long jobs may take to end."""

    policy: Literal["refuse", "wait", "cancel", "force"] = "refuse"
    endpoints: Literal["refuse", "delete"] = "refuse"
    deadline: Wait = DEFAULT_DEADLINE
    onDeadline: Literal["fail", "approve", "force"] = "fail"


class CleanUp(Model):
    """What else goes of what Moor made for the attachment, as far as nothing else relies on it."""

    roleAssignments: bool = True
    instanceTypes: bool = False
    extension: bool = False


class DetachRequest(Model):
    """Detach a compute from its workspace; the cluster itself is never deleted."""

    workspaceId: WorkspaceId
    computeName: ExistingComputeName
    workloads: Workloads = Field(default_factory=Workloads)
    approval: Literal["none", "required"] = "none"
    approvalTimeout: Wait = DEFAULT_APPROVAL_TIMEOUT
    cleanUp: CleanUp = Field(default_factory=CleanUp)
    reason: Reason = LEFT_OUT


class ExtensionChanges(Model):
    """What changes of an existing extension; ``manage`` left out brings it in line."""

    manage: Literal["ensure", "update", "require"] = _unless_given("ensure")
    name: ResourceName = _unless_given(EXTENSION_NAME)
    releaseTrain: ResourceName = _unless_given(RELEASE_TRAIN)
    version: Version | None = None
    configurationSettings: dict[str, SettingValue] = LEFT_OUT
    configurationProtectedSettings: dict[str, SecretReference] = LEFT_OUT

    _labels = field_validator("configurationSettings", mode="before")(labels)


class ReattachRequest(_WithInstanceTypes):
    """Detach a compute and attach it again, with changes. What is left out stays as it is."""

    workspaceId: WorkspaceId
    computeName: ExistingComputeName
    description: Description = LEFT_OUT
    tags: AnyTags = LEFT_OUT
    identity: Identity = LEFT_OUT
    extension: ExtensionChanges = LEFT_OUT
    instanceTypes: list[InstanceType] = INSTANCE_TYPES
    defaultInstanceType: str = LEFT_OUT
    workloads: Workloads = Field(default_factory=Workloads)
    approval: Literal["none", "required"] = "none"
    approvalTimeout: Wait = DEFAULT_APPROVAL_TIMEOUT
    grantRoles: bool = False
    cleanupLegacy: bool = False
    reason: Reason = LEFT_OUT

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


class Decision(Model):
    """What a person says to an operation."""

    reason: Reason = LEFT_OUT


class Answer(Model):
    """A person's answer to one question of an operation."""

    questionId: str
    reason: Reason = LEFT_OUT


Request = AttachRequest | DetachRequest | ReattachRequest


def _settings_of(extension: Any) -> Any:
    """The part of an extension that rules judge, whatever else is wrong with it."""
    if not isinstance(extension, dict):
        return extension
    return {k: v for k, v in extension.items() if k in (rules.PLAIN_PLACE, rules.PROTECTED_PLACE)}
