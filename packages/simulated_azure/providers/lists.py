"""Lists with pages and ``nextLink``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlencode

from packages.simulated_azure.access import rbac
from packages.simulated_azure.arm import resources
from packages.simulated_azure.arm.call import Call, Reply
from packages.simulated_azure.arm.errors import bad_request


def page(
    call: Call, items: Sequence[Any], size: int, *, null_link: bool = False, skip_parameter: str = "$skip"
) -> Reply:
    """One page of ``items``; the next one is asked for by ``$skip``, as Azure Machine Learning does.

    Raises ArmError 400 when ``$skip`` is not a number.
    """
    text = call.query.get(skip_parameter, "0")
    if not text.isdigit():
        raise bad_request("InvalidParameter", f"The value '{text}' of {skip_parameter} is not valid.")
    start = int(text)
    body: dict[str, Any] = {"value": list(items[start : start + size])}
    if start + size < len(items):
        query = {**call.query, skip_parameter: str(start + size)}
        body["nextLink"] = f"{call.base_url}{call.path}?{urlencode(query)}"
    elif null_link:
        body["nextLink"] = None
    return Reply(200, body)


def shown(call: Call, found: Iterable[resources.Resource]) -> list[resources.Resource]:
    """What of a list the caller sees: visible by now, and readable for the caller."""
    return [
        resource
        for resource in found
        if resource["visibleFrom"] <= call.now
        and rbac.allowed(call.world, call.principal, f"{resource['type']}/read", resource["id"], call.now)
    ]
