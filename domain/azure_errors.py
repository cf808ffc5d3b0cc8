"""What an error of Azure means for a step: wait, or stop with the true cause."""

from __future__ import annotations

import re

from domain.outcomes import Again, Stop
from domain.problems import AzureAnswer, Problem

_TRANSIENT_STATUSES = frozenset({0, 408, 429, 500, 502, 503, 504})
_LONGEST_WAIT_TOLD = 3600.0
# 409 says both "somebody else is at it" (wait) and "this cannot be" (stop). Codes of the first sort, by the documents
# of ARM, AKS and cluster extensions.
_BUSY_CODES = frozenset(
    {
        "anotheroperationinprogress",
        "conflictingoperationinprogress",
        "operationnotallowed",
        "operationpreempted",
        "resourcelocked",
        "resourceoperationinprogress",
        "etagmismatch",
        "operationinprogress",
        "retryableerror",
    }
)
_BUSY_TEXT = re.compile(r"in progress|being (created|updated|deleted|terminated)|try again later|still in use", re.I)
_MISSING_ACTION = re.compile(r"perform action '([^']+)' over scope '([^']+)'", re.I)


def outcome_of_error(
    status: int, code: str, message: str, retry_after: float | None, answer: AzureAnswer
) -> Again | Stop:
    """The outcome of a step whose call Azure refused; ``status`` 0 stands for no answer at all."""
    if status in _TRANSIENT_STATUSES:
        wait = None if retry_after is None else min(retry_after, _LONGEST_WAIT_TOLD)
        return Again(wait, _transient_detail(status, code))
    if status == 409 and (code.lower() in _BUSY_CODES or _BUSY_TEXT.search(message)):
        return Again(retry_after, f"another operation is under way on the resource ({code})")
    if status == 401:
        return Stop(
            Problem(
                code="AzureRefusedToken",
                message="Azure Resource Manager did not accept the app's token.",
                remedy="Check the app's managed identity and AZURE_CLIENT_ID.",
                azure=answer,
            )
        )
    if status == 403:
        return Stop(_forbidden(message, answer))
    return Stop(Problem(code="AzureRefused", message=f"Azure refused the request: {message}", azure=answer))


def _transient_detail(status: int, code: str) -> str:
    if status == 0:
        return f"Azure did not answer ({code})"
    if status == 429:
        return "Azure asks to slow down (429)"
    return f"Azure answered {status} ({code})"


def _forbidden(message: str, answer: AzureAnswer) -> Problem:
    found = _MISSING_ACTION.search(message)
    if found is None:
        return Problem(
            code="MoorIdentityLacksRole",
            message=f"The app's identity may not do this: {message}",
            remedy="Grant the app's identity the roles that docs/roles.md lists.",
            azure=answer,
        )
    action, scope = found.groups()
    return Problem(
        code="MoorIdentityLacksRole",
        message=f"The app's identity may not {action} at {scope}.",
        remedy="Grant the app's identity a role that has this action; docs/roles.md lists them.",
        command=f"az role assignment list --scope {scope} --include-inherited --assignee <object id of the identity>",
        azure=answer,
    )
