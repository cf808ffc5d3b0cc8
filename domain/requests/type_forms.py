"""Instance types as people have them, in the form of the contract: a list of ``name``, ``nodeSelector``, ``resources``.

Three documents show them otherwise: the object that kubectl applies (how-to-manage-kubernetes-instance-types.md), the
list of several (``InstanceTypeList`` there, ``List`` of kubectl get), and the map by name of a compute's properties
(Microsoft.MachineLearningServices/workspaces/computes). Azure also answers cores as decimals and ``null`` for what is
not set. What cannot be read stays as it is: the rules say what is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from domain.cluster.instance_types import IMPLICIT, KIND

_LISTS = (f"{KIND}List".lower(), "list")
# A number of bytes without a suffix is one only from here on: people forget the suffix.
_LEAST_BYTES = 2**20
_MAY_BE_NULL = ("nodeSelector", "resources")
# Without sign, exponent and space; more digits make no amount that a node has.
_DECIMAL = re.compile(r"[0-9]{0,18}\.?[0-9]{1,18}")


def with_listed_types(body: Any) -> Any:
    """The body of a request with its instance types in the form of the contract."""
    if not isinstance(body, dict) or body.get("instanceTypes") is None:
        return body
    return {**body, "instanceTypes": listed(body["instanceTypes"])}


def listed(types: Any) -> Any:
    """Instance types of any documented form as a list; anything else as it is."""
    if isinstance(types, list):
        return [each for entry in types for each in (_items(entry) or [_flat(entry)])]
    if not isinstance(types, dict):
        return types
    items = _items(types)
    if items is not None:
        return items
    if "kind" in types or isinstance(types.get("metadata"), Mapping) or isinstance(types.get("name"), str):
        return [_flat(types)]
    if all(isinstance(spec, Mapping) or spec is None for spec in types.values()):
        return [_plain({**(spec or {}), "name": _named(name)}) for name, spec in types.items()]
    return types


def _items(entry: Any) -> list[Any] | None:
    """The instance types of a list object; None when it is none."""
    if not isinstance(entry, dict) or not isinstance(entry.get("items"), list):
        return None
    kind = entry.get("kind")
    if kind is not None and str(kind).lower() not in _LISTS:
        return None
    return [_flat({"kind": KIND, **each} if isinstance(each, dict) else each) for each in entry["items"]]


def _flat(entry: Any) -> Any:
    """One instance type, of an object for kubectl or not."""
    if not isinstance(entry, dict):
        return entry
    metadata, spec = entry.get("metadata"), entry.get("spec")
    if not _is_type(entry) or not isinstance(metadata, Mapping) or not isinstance(spec, Mapping | None):
        return _plain(entry)
    return _plain({**(spec or {}), **({"name": metadata["name"]} if "name" in metadata else {})})


def _is_type(entry: Mapping[str, Any]) -> bool:
    """Whether an object for kubectl is an instance type; people leave its kind out where it goes without saying."""
    return str(entry.get("kind") or KIND).lower() == KIND.lower()


def _plain(entry: dict[str, Any]) -> dict[str, Any]:
    """Without what is null, and with quantities as an instance type takes them."""
    kept = {name: value for name, value in entry.items() if value is not None or name not in _MAY_BE_NULL}
    resources = kept.get("resources")
    if isinstance(resources, dict):
        kept["resources"] = {part: _quantities(part, named) for part, named in resources.items() if named is not None}
    return kept


def _quantities(part: str, named: Any) -> Any:
    if not isinstance(named, dict):
        return named
    kept = {name: value for name, value in named.items() if value is not None or part != "requests"}
    return {name: _quantity(name, value) for name, value in kept.items()}


def _quantity(name: str, value: Any) -> Any:
    """A decimal number of cores in millicores, of bytes with a suffix, of GPUs as a whole number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not _DECIMAL.fullmatch(str(value)):
        return value
    number = Decimal(str(value))
    if name == "memory":
        whole = number == int(number) and number >= _LEAST_BYTES and int(number) % 1024 == 0
        return f"{int(number) // 1024}Ki" if whole else value
    if number == int(number):
        return value if isinstance(value, int) else str(int(number))
    millis = number * 1000
    return f"{int(millis)}m" if name == "cpu" and millis == int(millis) else str(value)


def _named(name: Any) -> Any:
    """The name in a compute's map: the implicit type is spelt in any letter case there."""
    return IMPLICIT if isinstance(name, str) and name.lower() == IMPLICIT else name
