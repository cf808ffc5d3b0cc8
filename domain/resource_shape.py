"""What every resource of Azure Resource Manager has the same shape of, whoever provides it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What a resource has under these names is an object, where it has them; and within that, under these.
_OBJECTS: Mapping[str, tuple[str, ...]] = {
    "properties": ("properties", "configurationSettings", "traffic", "action", "powerState"),
    "identity": ("userAssignedIdentities",),
    "tags": (),
    "sku": (),
}


def with_objects(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """A resource as Azure answers it, whose parts are objects; without those that are null.

    Raises ValueError (a sentence) where something else is in the place of one: what the answer was to tell is unknown.
    """
    for name, within in _OBJECTS.items():
        part = _checked(name, body.get(name))
        for inner in within:
            _checked(inner, part.get(inner))
    return {name: value for name, value in body.items() if value is not None or name not in _OBJECTS}


def _checked(name: str, value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"the {name} of a resource are no object")
    return value
