"""The shapes of answers, for the document that the app renders of itself; the tests hold real answers to them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Kind = Literal["attach", "detach", "reattach"]
Status = Literal[
    "NotStarted",
    "Running",
    "Waiting",
    "NeedsApproval",
    "Canceling",
    "Undoing",
    "Succeeded",
    "Failed",
    "Canceled",
]
Uri = Annotated[str, Field(json_schema_extra={"format": "uri"})]
# Left out when there is nothing to say; never null.
_LEFT_OUT: Any = Field(default_factory=lambda: None)
# Null when there is nothing to say.
_NULL: Any = Field(default_factory=lambda: None)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class RequestedBy(_Answer):
    """Who or what asked."""

    source: Literal["http", "event", "timer", "fleet", "operation"]
    principal: str | None = Field(default_factory=lambda: None, description="tenant:object id")
    name: str | None = Field(default_factory=lambda: None, description="For display. Left out when there is none.")
    reason: str | None = _NULL
    parentId: str | None = _NULL


class Progress(_Answer):
    """How far an operation is."""

    currentStep: str | None = _NULL
    completedSteps: int
    totalSteps: int
    detail: str | None = _NULL
    counts: dict[str, int] = _LEFT_OUT


class AzureAnswer(_Answer):
    """What Azure itself said."""

    code: str = _LEFT_OUT
    message: str = _LEFT_OUT
    status: int = _LEFT_OUT
    requestId: str = _LEFT_OUT
    correlationId: str = _LEFT_OUT


class Problem(_Answer):
    """What failed, the true cause, what to do and the command that does it."""

    code: str
    message: str
    step: str = _LEFT_OUT
    remedy: str = _LEFT_OUT
    command: str = _LEFT_OUT
    documentation: Uri = _LEFT_OUT
    transient: bool = _LEFT_OUT
    azure: AzureAnswer = _LEFT_OUT


class Finding(_Answer):
    """What a check found."""

    check: str
    outcome: Literal["pass", "warning", "fail", "unknown"]
    message: str
    remedy: str = _LEFT_OUT
    command: str = _LEFT_OUT


class Step(_Answer):
    """One step; its name is its activity's own name."""

    name: str
    kind: Literal["do", "until", "ask"]
    status: Literal["NotStarted", "Running", "Waiting", "Succeeded", "Skipped", "Failed", "Canceled", "Undone"]
    attempts: int
    startedDateTime: AwareDatetime | None = _NULL
    finishedDateTime: AwareDatetime | None = _NULL
    detail: str | None = _NULL
    error: Problem | None = _NULL


class Created(_Answer):
    """Something that an operation made."""

    type: str
    id: str
    undone: bool = _LEFT_OUT


class Question(_Answer):
    """What an operation asks a person; an answer names it by its id."""

    id: str
    step: str
    text: str
    askedDateTime: AwareDatetime
    expiresDateTime: AwareDatetime
    answer: Literal["approve", "reject"] | None = _NULL
    answeredDateTime: AwareDatetime | None = _NULL
    answeredBy: str | None = _NULL
    reason: str | None = _NULL


class Left(_Answer):
    """Something that a failed operation made and has not reverted; the command removes it."""

    type: str
    id: str
    command: str = _LEFT_OUT


class Undo(_Answer):
    """How it stands with what a failed or cancelled operation had made. Incomplete: a timer or a retry finishes it."""

    status: Literal["Running", "Done", "Kept", "Incomplete"]
    left: list[Left] = _LEFT_OUT


class Operation(_Answer):
    """An operation: a status monitor. Succeeded, Failed and Canceled are final."""

    id: str
    kind: Kind
    status: Status
    workspaceId: str | None = _NULL
    clusterId: str | None = _NULL
    computeName: str | None = _NULL
    planOnly: bool = _LEFT_OUT
    request: dict[str, Any]
    requestedBy: RequestedBy
    createdDateTime: AwareDatetime
    startedDateTime: AwareDatetime | None = _NULL
    lastUpdateDateTime: AwareDatetime
    finishedDateTime: AwareDatetime | None = _NULL
    progress: Progress
    steps: list[Step]
    created: list[Created] = _LEFT_OUT
    questions: list[Question] = _LEFT_OUT
    undo: Undo | None = _NULL
    findings: list[Finding] = _LEFT_OUT
    result: dict[str, Any] | None = _NULL
    error: Problem | None = _NULL


class OperationPage(_Answer):
    """A page of operations, newest first."""

    value: list[Operation]
    nextLink: Uri = _LEFT_OUT


class JournalEntry(_Answer):
    """One line of the journal."""

    sequence: int
    time: AwareDatetime
    step: str
    event: str
    attempt: int = _LEFT_OUT
    message: str = _LEFT_OUT
    data: dict[str, Any] = _LEFT_OUT


class JournalPage(_Answer):
    """A page of journal entries, oldest first."""

    value: list[JournalEntry]
    nextLink: str = _LEFT_OUT


class Health(_Answer):
    """Whether the app and what it depends on answer."""

    status: Literal["healthy", "degraded"]
    version: str
    checks: dict[str, Literal["ok", "failing"]] = _LEFT_OUT
    paused: Literal["starts", "all"] = _LEFT_OUT


class ErrorDetail(_Answer):
    """One offending field."""

    code: str
    message: str
    target: str = _LEFT_OUT


class ErrorBody(_Answer):
    """What is wrong."""

    code: str
    message: str
    target: str = _LEFT_OUT
    details: list[ErrorDetail] = _LEFT_OUT
    operationId: str = _LEFT_OUT
    operationLocation: Uri = _LEFT_OUT


class ErrorResponse(_Answer):
    """The error envelope."""

    error: ErrorBody


MODELS: tuple[type[BaseModel], ...] = (Operation, OperationPage, JournalPage, Health, ErrorResponse)
