"""Error answers as Azure Resource Manager words them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class ArmError(Exception):
    """An answer that is not a success.

    ``status`` is the HTTP status; ``code``, ``message``, ``details`` and what ``more`` holds (``innererror``,
    ``additionalInfo``) fill the body; ``gateway`` says that ARM itself
    answered and not a resource provider (header ``x-ms-failure-cause``).
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Sequence[Mapping[str, Any]] = (),
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        gateway: bool = False,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.details = [dict(detail) for detail in details]
        self.more = dict(more or {})
        self.headers = dict(headers or {})
        if gateway:
            self.headers.setdefault("x-ms-failure-cause", "gateway")

    def error(self) -> dict[str, Any]:
        """The inner error object: code, message and, when there are any, details and the rest."""
        inner: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details:
            inner["details"] = self.details
        return inner | self.more

    def body(self) -> dict[str, Any]:
        """The error envelope."""
        return {"error": self.error()}


def resource_not_found(resource_id: str) -> ArmError:
    """404 for a resource in an existing resource group."""
    group, _, tail = resource_id.partition("/providers/")
    name = group.rsplit("/", 1)[-1]
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{tail}' under resource group '{name}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        gateway=True,
    )


def parent_not_found(verb: str, resource_type: str, parent_id: str) -> ArmError:
    """404 for a child of a resource that does not exist; ``verb`` is read, write or delete."""
    return ArmError(
        404,
        "ParentResourceNotFound",
        f"Failed to perform '{verb}' on resource(s) of type '{resource_type.partition('/')[2]}', "
        f"because the parent resource '{parent_id}' could not be found.",
        gateway=True,
    )


def bad_request(code: str, message: str) -> ArmError:
    """400 with a code of its own."""
    return ArmError(400, code, message)
