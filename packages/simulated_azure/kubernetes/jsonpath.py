"""JSONPath templates as kubectl prints them, as far as fields of a list go: one range, fields and quoted text.

Source: Kubernetes documentation (kubectl JSONPath support): what is missing prints nothing, a map prints as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_PART = re.compile(
    r'\{range (?P<range>\.[\w.]+)\[\*\]\}|\{(?P<end>end)\}|\{(?P<text>"(?:[^"\\]|\\.)*")\}|\{(?P<field>\.[\w.]+)\}'
)


class NotUnderstood(ValueError):
    """A template with more in it than this simulation prints."""


def printed(template: str, document: Mapping[str, Any]) -> str:
    """What kubectl prints for a document. Raises NotUnderstood."""
    parts = list(_PART.finditer(template))
    if "".join(part[0] for part in parts) != template:
        raise NotUnderstood(f"this simulation does not print {template}")
    return _print(parts, document)


def _print(parts: list[re.Match[str]], item: Any) -> str:
    out = ""
    rest = iter(parts)
    for part in rest:
        if part["range"]:
            inner = []
            for each in rest:
                if each["end"]:
                    break
                inner.append(each)
            out += "".join(_print(inner, member) for member in _field(item, part["range"]) or [])
        elif part["text"]:
            out += json.loads(part["text"])
        elif part["field"]:
            out += _text(_field(item, part["field"]))
    return out


def _field(item: Any, path: str) -> Any:
    for name in path.strip(".").split("."):
        item = item.get(name) if isinstance(item, Mapping) else None
    return item


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), sort_keys=True)
