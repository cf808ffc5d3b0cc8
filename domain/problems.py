"""Problems: what failed, the true cause, what to do, and the command that does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

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
    answers = []
    if error.get("code") or error.get("message"):
        answers.append(AzureAnswer(_text(error.get("code")), _text(error.get("message")), status))
    inner = error.get("details")
    for detail in [*(inner if isinstance(inner, list) else []), error.get("innererror"), error.get("innerError")]:
        if isinstance(detail, Mapping):
            answers += answers_in(detail, status)
    return answers


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
