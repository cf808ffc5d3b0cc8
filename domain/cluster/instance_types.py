"""Instance types: the rules of their resources, and the object that says them in a cluster.

Source: how-to-manage-kubernetes-instance-types.md. An instance type is a custom resource of the cluster itself, not of
a namespace; ``defaultinstancetype`` exists without anybody having made it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from domain.violations import INVALID, Violation, pointer

GROUP, VERSION, PLURAL, KIND = "amlarc.azureml.com", "v1alpha1", "instancetypes", "InstanceType"
DEFINITION = f"{PLURAL}.{GROUP}"
IMPLICIT = "defaultinstancetype"
NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
GPU = "nvidia.com/gpu"

_NAME = re.compile(NAME)
# Narrower than what Kubernetes takes: an instance type wants whole cores or millicores, and memory with a suffix.
_FORMS = {
    "cpu": re.compile(r"[0-9]+m?"),
    "memory": re.compile(r"[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|K|M|G|T)"),
    GPU: re.compile(r"[0-9]+"),
}
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL_NAME = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_MEANS = {
    "cpu": "must be whole ('2') or in millicores ('500m'), and more than 0",
    "memory": "must be a number with a suffix ('2Gi', '1024Mi'), and more than 0",
    GPU: "must be a whole number",
}


def violations(types: Any, default: Any) -> list[Violation]:
    """What is wrong with the instance types and the default one of a request, as far as their shape lets tell."""
    found = list(_default_violations(default))
    seen: set[str] = set()
    for number, each in enumerate(types if isinstance(types, list) else []):
        if not isinstance(each, Mapping):
            continue
        name = each.get("name")
        if isinstance(name, str) and name in seen:
            found.append(_wrong(f"The name {name} is given twice.", number, "name"))
        if isinstance(name, str):
            seen.add(name)
            if len(name) > 63:
                found.append(_wrong("must have 63 characters at most", number, "name"))
        found += _selector_violations(number, each.get("nodeSelector"))
        found += _resource_violations(number, each.get("resources"))
    return found


def spec_of(instance_type: Mapping[str, Any]) -> dict[str, Any]:
    """The ``spec`` of the object for an instance type of a request: text throughout, GPUs among the limits only."""
    resources = instance_type.get("resources") or {}
    limits = {k: str(v) for k, v in (resources.get("limits") or {}).items() if v is not None}
    requests = {k: str(v) for k, v in (resources.get("requests") or {}).items() if k != GPU}
    spec: dict[str, Any] = {"resources": {"requests": requests, "limits": limits}}
    if instance_type.get("nodeSelector"):
        spec["nodeSelector"] = dict(instance_type["nodeSelector"])
    return spec


def difference(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> str | None:
    """How the ``spec`` that exists differs from the one wanted; None when both mean the same."""
    parts = []
    ours, theirs = wanted.get("nodeSelector") or {}, found.get("nodeSelector") or {}
    if dict(ours) != dict(theirs):
        parts.append(f"nodeSelector is {_shown(theirs)}, wanted {_shown(ours)}")
    for kind in ("requests", "limits"):
        ours = (wanted.get("resources") or {}).get(kind) or {}
        theirs = (found.get("resources") or {}).get(kind) or {}
        for name in sorted({*ours, *theirs}):
            if amount(name, ours.get(name)) == amount(name, theirs.get(name)):
                continue
            if kind == "requests" and name == GPU:
                continue  # What requests say of GPUs is what limits say.
            parts.append(f"{kind}.{name} is {theirs.get(name, 'not set')}, wanted {ours.get(name, 'not set')}")
    return "; ".join(parts) or None


def for_compute(types: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The member ``instanceTypes`` of a compute's properties: by name, each with nodeSelector and resources."""
    return {str(each["name"]): spec_of(each) for each in types}


def asks_for_gpus(types: Sequence[Mapping[str, Any]]) -> bool:
    """Whether any of them wants a GPU."""
    return any((amount(GPU, spec_of(each)["resources"]["limits"].get(GPU)) or 0) > 0 for each in types)


def _default_violations(default: Any) -> Iterator[Violation]:
    # Azure answers the name of the implicit type in another letter case than Kubernetes has it.
    if isinstance(default, str) and (len(default) > 63 or not _NAME.match(default.lower())):
        words = "must be the name of an instance type: at most 63 letters, digits and hyphens, no hyphen first or last"
        yield Violation(INVALID, words, "/defaultInstanceType")


def _selector_violations(number: int, selector: Any) -> Iterator[Violation]:
    for label, value in selector.items() if isinstance(selector, Mapping) else ():
        if not _LABEL_NAME.fullmatch(str(label)):
            yield _wrong("is no name of a label", number, "nodeSelector", label)
        elif isinstance(value, str) and not _LABEL_VALUE.fullmatch(value):
            yield _wrong("is no value of a label", number, "nodeSelector", label)


def _resource_violations(number: int, resources: Any) -> Iterator[Violation]:
    if resources is not None and not isinstance(resources, Mapping):
        return
    given = {kind: (resources or {}).get(kind) for kind in ("requests", "limits")}
    if any(parts is not None and not isinstance(parts, Mapping) for parts in given.values()):
        return
    for kind, parts in given.items():
        for name in ("cpu", "memory"):
            if name not in (parts or {}) or (kind == "limits" and (parts or {}).get(name) is None):
                yield _wrong("The value is required.", number, "resources", kind, name)
        for name, value in (parts or {}).items():
            if name not in _MEANS:
                yield _wrong(f"An instance type has cpu, memory and {GPU} only.", number, "resources", kind, name)
            elif isinstance(value, str | int) and not isinstance(value, bool) and not _is_good(name, value):
                yield _wrong(_MEANS[name], number, "resources", kind, name)
    yield from _request_violations(number, given["requests"] or {}, given["limits"] or {})


def _request_violations(number: int, requests: Mapping[str, Any], limits: Mapping[str, Any]) -> Iterator[Violation]:
    for name in ("cpu", "memory"):
        asked, most = amount(name, requests.get(name)), amount(name, limits.get(name))
        if asked is not None and most is not None and asked > most:
            yield _wrong("must not be more than the limit", number, "resources", "requests", name)
    if GPU in requests and amount(GPU, requests[GPU]) != amount(GPU, limits.get(GPU)):
        yield _wrong("goes among the limits; here it may only repeat the limit", number, "resources", "requests", GPU)


def _is_good(name: str, value: Any) -> bool:
    found = amount(name, value)
    return found is not None and (found > 0 or name == GPU)


def amount(name: str, value: Any) -> Decimal | None:
    """What a quantity comes to (cores, bytes, pieces); None when it is absent or makes no sense."""
    if value is None or isinstance(value, bool):
        return None
    text = str(value)
    if not _FORMS.get(name, _FORMS["cpu"]).fullmatch(text):
        return None
    from lightkube.utils.quantity import parse_quantity  # Loads all of lightkube: only where quantities are given.

    try:
        # A request may spell a thousand K or k; Kubernetes itself knows only k.
        return parse_quantity(f"{text[:-1]}k" if text.endswith("K") else text)
    except ValueError:
        return None  # Too many digits to be a quantity.


def _shown(selector: Mapping[str, str]) -> str:
    return ",".join(f"{k}={v}" for k, v in sorted(selector.items())) or "empty"


def _wrong(text: str, number: int, *place: str) -> Violation:
    return Violation(INVALID, text, pointer(["instanceTypes", number, *place]))
