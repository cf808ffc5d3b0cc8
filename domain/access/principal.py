"""Who asks: a person or an application of the tenant, or the holder of a function key, who has no name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

READER, OPERATOR, APPROVER, PRIVILEGED = "reader", "operator", "approver", "privileged"
ROLES = (READER, OPERATOR, APPROVER, PRIVILEGED)
USER, APPLICATION = "user", "app"

# An approver is no operator, and an operator no approver: who asks does not answer.
_INCLUDED: Mapping[str, frozenset[str]] = {
    READER: frozenset({READER}),
    OPERATOR: frozenset({READER, OPERATOR}),
    APPROVER: frozenset({READER, APPROVER}),
    PRIVILEGED: frozenset({READER, OPERATOR, PRIVILEGED}),
}


@dataclass(frozen=True)
class Principal:
    """Who a verified token is about: ``kind`` is user or app; ``object_id`` is that of the user or service principal.

    ``roles`` are the roles that the token gives (Moor.Operator is operator), none of them widened; ``groups`` are
    object ids in lower case. ``name`` is for display: nothing goes by it.
    """

    tenant_id: str
    object_id: str
    kind: str
    roles: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    name: str | None = None

    @property
    def id(self) -> str:
        """``tenant:object id``, as records, journals and logs name it."""
        return f"{self.tenant_id}:{self.object_id}"


@dataclass(frozen=True)
class KeyHolder:
    """Whoever holds a function key: an operator without a name. ``may`` are the privileged options that it may use."""

    may: frozenset[str] = frozenset()


Caller = Principal | KeyHolder


def holds(roles: frozenset[str], role: str) -> bool:
    """Whether one of ``roles`` is ``role`` or includes it."""
    return any(role in _INCLUDED[given] for given in roles if given in _INCLUDED)
