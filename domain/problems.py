"""Problems: what failed, the true cause, what to do, and the command that does it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from domain.inner_errors import errors_in
from domain.redaction import scrub


@dataclass(frozen=True)
class AzureAnswer:
    """What Azure itself said, without the secrets in it: however it came here."""

    code: str | None = None
    message: str | None = None
    status: int | None = None
    request_id: str | None = None
    correlation_id: str | None = None

    def __post_init__(self) -> None:
        for name in ("code", "message", "request_id", "correlation_id"):
            said = getattr(self, name)
            if said is not None:
                object.__setattr__(self, name, scrub(said))


@dataclass(frozen=True)
class Problem:
    """One failure, as operations and their steps show it. ``code`` is Moor's own, not Azure's."""

    code: str
    message: str
    step: str | None = None
    remedy: str | None = None
    command: str | None = None
    documentation: str | None = None
    transient: bool = False
    azure: AzureAnswer | None = None


_AZURE_NAMES = {"request_id": "requestId", "correlation_id": "correlationId"}


def problem_to_json(problem: Problem) -> dict[str, Any]:
    """The problem as the HTTP API and the engine's histories have it; fields without a value are left out."""
    fields = asdict(problem)
    if problem.azure is not None:
        fields["azure"] = {_AZURE_NAMES.get(k, k): v for k, v in fields["azure"].items() if v is not None}
    return {k: v for k, v in fields.items() if v not in (None, {}) and not (k == "transient" and not v)}


def answers_in(error: Mapping[str, Any], status: int | None = 200) -> list[AzureAnswer]:
    """An error object of Azure and the errors inside it, outermost first; empty when it says nothing."""
    return [AzureAnswer(said.code, said.message, status) for said in errors_in(error)]


# Wrappers: what they say is that something is wrong.
_SAYS_NOTHING = re.compile(
    r"\W*(?:(?:received|there was|an?|the|this|your|azure)\s+){0,3}(?:"
    r"(?:unexpected |internal |unknown |unhandled |general |generic )?(?:internal ?)?(?:server ?)?(?:error|exception"
    r"|failure)(?:\s+(?:has|have)?\s?(?:occurred|happened))?(?:\s+(?:while|when) processing (?:the|this|your) request)?"
    r"|bad ?request|invalid ?request|conflict|failed|canceled|failure"
    r"|(?:request|input|operation|deployment|resource operation)\s+(?:is|was|has|ended as|completed)\s?"
    r"(?:an? )?(?:invalid|not valid|incorrect|failed|failure|canceled|unsuccessful|with errors?)"
    r"|(?:one or more|multiple|some|several)\s+errors?\s+(?:(?:has|have) )?occurr?ed"
    r"|something went wrong|no reason(?: was)? given|azure gave no reason"
    r"|resource operation completed with terminal provisioning state '?\w{1,40}'?"
    r"|at least one resource (?:deployment )?operation failed"
    r"|(?:extension )?operation failed"
    r")(?:\W+(?:please\s+)?(?:see|check|refer to|list|look at|inspect|try again|contact)\b.{0,400})?\W*\Z",
    re.IGNORECASE | re.DOTALL,
)
_LONGEST_WRAPPER = 600


def says_nothing(answer: AzureAnswer) -> bool:
    """Whether an answer only says that something failed: its words name no cause."""
    words = (answer.message or "").strip()
    if not words or words.lower() == (answer.code or "").lower():
        return True
    return len(words) <= _LONGEST_WRAPPER and _SAYS_NOTHING.match(words) is not None
