"""Conditions on role assignments (Azure ABAC, version 2.0): read once, judged for every call.

Understood is what the portal's templates for delegating role assignments write: ``ActionMatches``, the attributes
``RoleDefinitionId``, ``PrincipalId`` and ``PrincipalType`` of the assignment that is asked for (``@Request``) or there
(``@Resource``), sets of values, and ``AND``, ``OR``, ``!`` with parentheses. Anything else is refused.
Sources: articles/role-based-access-control/conditions-format.md, conditions-troubleshoot.md,
delegate-role-assignments-examples.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from packages.simulated_azure.access.action_patterns import fits

VERSION = "2.0"
_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
_TOKEN = re.compile(
    r"\s*(?:(?P<matches>ActionMatches)|(?P<attribute>@(?:Request|Resource)\[[^\]]*\])|(?P<operator>For\w+:\w+)"
    r"|(?P<word>AND|OR|NOT)\b|(?P<text>'[^']*')|(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<sign>&&|\|\||[(){},!]))",
    re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"@(Request|Resource)\[([^:\]]+):(\w+)\]", re.IGNORECASE)
# By attribute: what its values are, which operators compare them.
_GUID_ATTRIBUTES, _TEXT_ATTRIBUTES = ("roledefinitionid", "principalid"), ("principaltype",)
_ANY, _NONE = "foranyofanyvalues", "foranyofallvalues"
_OPERATORS = {
    f"{_ANY}:guidequals": (True, _GUID_ATTRIBUTES),
    f"{_NONE}:guidnotequals": (False, _GUID_ATTRIBUTES),
    f"{_ANY}:stringequalsignorecase": (True, _TEXT_ATTRIBUTES),
    f"{_NONE}:stringnotequalsignorecase": (False, _TEXT_ATTRIBUTES),
}


class NotUnderstood(ValueError):
    """A condition that is not of the form above; the text says what is wrong with it."""


@dataclass(frozen=True)
class Asked:
    """A call as conditions see it: its action, and attributes (names in lower case) of the assignment it is about.

    ``request`` is the assignment that is to be made, ``resource`` the one that exists.
    """

    action: str
    request: Mapping[str, str] = field(default_factory=dict)
    resource: Mapping[str, str] = field(default_factory=dict)


Condition = Callable[[Asked], bool]


def attributes(role_id: str, principal_id: str, principal_type: str) -> dict[str, str]:
    """What conditions may ask of a role assignment."""
    return {"roledefinitionid": role_id, "principalid": principal_id, "principaltype": principal_type}


@lru_cache(maxsize=256)
def parse(text: str) -> Condition:
    """A condition ready to be judged. Raises NotUnderstood."""
    tokens = _Tokens(text)
    condition = _either(tokens)
    if tokens.kind is not None:
        raise NotUnderstood(f"unexpected '{tokens.value}'")
    return condition


class _Tokens:
    """The words of a condition, one after the other."""

    def __init__(self, text: str) -> None:
        self._found: list[tuple[str, str]] = []
        at, end = 0, len(text.rstrip())
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise NotUnderstood(f"unexpected '{text[at : at + 20].strip()}'")
            self._found.append((match.lastgroup, match[match.lastgroup]))
            at = match.end()
        self._at = 0

    @property
    def kind(self) -> str | None:
        """The kind of the next word; None at the end."""
        return self._found[self._at][0] if self._at < len(self._found) else None

    @property
    def value(self) -> str:
        """The next word, upper case where case does not matter."""
        return self._found[self._at][1] if self._at < len(self._found) else ""

    def take(self, kind: str, *values: str) -> str:
        """The next word, which has to be one of these. Raises NotUnderstood."""
        value = self.value
        if self.kind != kind or (values and value not in values):
            wanted = " or ".join(values) or kind
            raise NotUnderstood(f"'{value or 'the end'}' where {wanted} was expected")
        self._at += 1
        return value

    def next_is(self, *values: str) -> bool:
        """Whether the next word is one of these, which is then passed."""
        if self.kind in ("word", "sign") and self.value.upper() in values:
            self._at += 1
            return True
        return False


def _either(tokens: _Tokens) -> Condition:
    parts = [_both(tokens)]
    while tokens.next_is("OR", "||"):
        parts.append(_both(tokens))
    return parts[0] if len(parts) == 1 else lambda asked: any(part(asked) for part in parts)


def _both(tokens: _Tokens) -> Condition:
    parts = [_one(tokens)]
    while tokens.next_is("AND", "&&"):
        parts.append(_one(tokens))
    return parts[0] if len(parts) == 1 else lambda asked: all(part(asked) for part in parts)


def _one(tokens: _Tokens) -> Condition:
    if tokens.next_is("!", "NOT"):
        inner = _one(tokens)
        return lambda asked: not inner(asked)
    if tokens.next_is("("):
        inner = _either(tokens)
        tokens.take("sign", ")")
        return inner
    if tokens.kind == "matches":
        tokens.take("matches")
        (pattern,) = _values(tokens, "text")
        return lambda asked: fits((pattern,), asked.action)
    return _comparison(tokens)


def _comparison(tokens: _Tokens) -> Condition:
    named = _ATTRIBUTE.fullmatch(tokens.take("attribute"))
    if named is None or named[2].lower() != _ASSIGNMENTS.lower():
        raise NotUnderstood("attributes of role assignments are understood only")
    source, name = named[1].lower(), named[3].lower()
    operator = tokens.take("operator")
    equals, compares = _OPERATORS.get(operator.lower(), (True, ()))
    if name not in compares:
        raise NotUnderstood(f"'{operator}' does not compare '{named[3]}'")
    wanted = {value.lower() for value in _values(tokens, "guid" if compares is _GUID_ATTRIBUTES else "text")}

    def judge(asked: Asked) -> bool:
        # An attribute that is not there makes a comparison false, whichever it is.
        value = (asked.request if source == "request" else asked.resource).get(name)
        return value is not None and (value.lower() in wanted) is equals

    return judge


def _values(tokens: _Tokens, kind: str) -> list[str]:
    tokens.take("sign", "{")
    values = [tokens.take(kind).strip("'")]
    while tokens.next_is(","):
        values.append(tokens.take(kind).strip("'"))
    tokens.take("sign", "}")
    return values
