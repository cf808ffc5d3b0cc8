"""The policy: for each workspace, who has which role there, and what may be bound to it. What it lacks is denied.

docs/policy.md describes it for those who write one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, WithJsonSchema, field_validator
from pydantic_core import PydanticCustomError

from domain.access.patterns import arm_pattern, fits_id, secret_pattern
from domain.access.privileges import privileges_of
from domain.arm_ids import CONNECTED_CLUSTER, MANAGED_CLUSTER, RELAY, WORKSPACE
from domain.requests.fields import NOT_YET_TEXT, NOT_YET_TYPE, USER_ASSIGNED_IDENTITY, Model, printable
from domain.requests.models import Workloads
from domain.requests.parsing import parse
from domain.requests.strict_json import read_json
from domain.violations import Refused, Violation

# Bytes. A Functions app setting holds less; a blob may not hold more.
LARGEST = 256 * 1024
NEVER: Final = "never"
WHEN_FORCED: Final = "whenForced"
ALWAYS: Final = "always"
_GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_WHO = re.compile(rf"\*|(user|group|app):{_GUID}")
_SUBSCRIPTION = rf"^/subscriptions/{_GUID}/resourceGroups/[^/]+/providers/"


def _read_by(check: Callable[[str], str]) -> AfterValidator:
    """Text that ``check`` takes; its ValueError is said as it is."""

    def judge(text: str) -> str:
        try:
            return check(text)
        except ValueError as error:
            raise PydanticCustomError("pattern", "{reason}", {"reason": str(error)}) from error

    return AfterValidator(judge)


def _shown(pattern: str, meaning: str) -> WithJsonSchema:
    """What a JSON Schema can say of such a text."""
    return WithJsonSchema({"type": "string", "pattern": pattern, "description": meaning})


def _who(text: str) -> str:
    if not _WHO.fullmatch(text):
        raise ValueError("must be user:, group: or app: and an object id (a GUID), or * for everybody")
    return text.lower()


def _later(*values: Any) -> AfterValidator:
    """Values that the schema has and this release does not: refused by name, so that nobody relies on them."""

    def check(value: Any) -> Any:
        if value in values if values else value is not None:
            what = f"The value {str(value).lower() if isinstance(value, bool) else value!r}" if values else "The field"
            raise PydanticCustomError(NOT_YET_TYPE, f"{what} {NOT_YET_TEXT}.")
        return value

    return AfterValidator(check)


_TEXT = StringConstraints(min_length=1, max_length=2048)
_CLUSTERS = "(Microsoft.ContainerService/managedClusters|Microsoft.Kubernetes/connectedClusters)"
_ANYWHERE = "^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/"
WorkspacePattern = Annotated[
    str,
    _TEXT,
    _read_by(lambda text: arm_pattern(text, WORKSPACE)),
    _shown(f"{_SUBSCRIPTION}{WORKSPACE}/[^/]+$", "Ids of workspaces."),
]
ClusterPattern = Annotated[
    str,
    _TEXT,
    _read_by(lambda text: arm_pattern(text, MANAGED_CLUSTER, CONNECTED_CLUSTER)),
    _shown(f"{_SUBSCRIPTION}{_CLUSTERS}/[^/]+$", "Ids of clusters."),
]
IdentityPattern = Annotated[
    str,
    _TEXT,
    _read_by(lambda text: arm_pattern(text, USER_ASSIGNED_IDENTITY, any_subscription=True)),
    _shown(f"{_ANYWHERE}{USER_ASSIGNED_IDENTITY}/[^/]+$", "Ids of user-assigned identities."),
]
RelayPattern = Annotated[
    str,
    _TEXT,
    _read_by(lambda text: arm_pattern(text, RELAY, any_subscription=True)),
    _shown(f"{_ANYWHERE}{RELAY}/[^/]+$", "Ids of relay namespaces."),
]
SecretPattern = Annotated[
    str,
    _TEXT,
    _read_by(secret_pattern),
    _shown("^https://[^/]+/secrets/[^/]+(/[0-9a-f]{32})?$", "Ids of Key Vault secrets."),
]
Who = Annotated[
    str,
    _TEXT,
    _read_by(_who),
    _shown(rf"^(\*|(user|group|app):{_GUID})$", "An object id; of an app, that of its service principal."),
]
NamespacePattern = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9*]([-a-z0-9*]*[a-z0-9*])?$", max_length=63), Field(description="Names.")
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(printable)]
Names = Annotated[list[Name], Field(default_factory=list)]


class _Part(Model):
    model_config = ConfigDict(title=None)


class Roles(_Part):
    """Who has which role here. A role in the token is the ceiling: both have to hold."""

    reader: list[Who] = Field(default_factory=list)
    operator: list[Who] = Field(default_factory=list)
    approver: list[Who] = Field(default_factory=list)
    privileged: list[Who] = Field(default_factory=list)


class OnUntag(_Part):
    """What becomes of an attachment by a tag whose cluster loses it. Nobody asks: nothing privileged is done."""

    action: Literal["keep", "detach"] = "keep"
    workloads: Workloads = Field(default_factory=Workloads)

    @field_validator("workloads")
    @classmethod
    def _not_privileged(cls, workloads: Workloads) -> Workloads:
        privileged = privileges_of({"workloads": workloads.model_dump(mode="json")})
        for name, place in privileged.items():
            field = place.rsplit("/", 1)[-1]
            raise PydanticCustomError(
                "privileged", "asks for {name}, which is not for what tags begin", {"name": name, "field": field}
            )
        return workloads


class Create(_Part):
    """The clusters that an attach may make."""

    resourceGroups: Names
    locations: Names
    vmSizes: Names
    maxNodes: int = Field(default=0, ge=0)
    maxVcpus: int = Field(default=0, ge=0)
    maxClusters: int = Field(default=0, ge=0)
    requiredTags: Names
    subnets: Names
    privateDnsZones: Names
    logWorkspaces: Names
    publicApiServer: bool = False
    approval: bool = False


class Entry(_Part):
    """What holds for the workspaces that ``match``; the first entry that does counts. What is absent is denied."""

    match: WorkspacePattern
    who: Roles = Field(default_factory=Roles)
    clusters: list[ClusterPattern] = Field(default_factory=list)
    namespaces: list[NamespacePattern] = Field(default_factory=list)
    secrets: list[SecretPattern] = Field(default_factory=list)
    identities: list[IdentityPattern] = Field(default_factory=list)
    chartSettings: Names
    relays: list[RelayPattern] = Field(default_factory=list)
    grantableRoles: Names
    approval: Literal["never", "whenForced", "always"] = NEVER
    onUntag: OnUntag = Field(default_factory=OnUntag)
    create: Annotated[Create | None, _later()] = None
    privateScoring: Annotated[bool, _later(True)] = False
    images: Names
    events: bool = False
    administratorCredential: bool = False
    runCommand: bool = False


class Policy(_Part):
    """Who may do what with which workspace."""

    version: Literal[1]
    workspaces: list[Entry]

    def entry_of(self, workspace_id: str) -> Entry | None:
        """The entry that counts for a workspace; None when the policy names it nowhere."""
        return next((entry for entry in self.workspaces if fits_id(entry.match, workspace_id)), None)


def parse_policy(data: bytes) -> Policy:
    """The policy that a JSON document of UTF-8 text holds. Raises Refused with everything that is wrong with it."""
    if len(data) > LARGEST:
        raise Refused([Violation("InvalidRequest", f"has {len(data)} bytes; {LARGEST} are taken", "")])
    return parse(Policy, read_json(data))


def schema() -> dict[str, Any]:
    """The JSON Schema of a policy: its shape, with what later releases serve."""
    rendered = Policy.model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **rendered, "title": "Moor policy"}
