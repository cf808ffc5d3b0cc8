"""Built-in role definitions: the control-plane half, from Microsoft's published list of built-in roles."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Role:
    """A role definition; ``actions`` may hold ``*``."""

    role_id: str
    name: str
    description: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()


_ROLES = (
    Role("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner", "Full access to manage all resources.", ("*",)),
    Role("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader", "View all resources.", ("*/read",)),
)

BUILT_IN = {role.role_id: role for role in _ROLES}
