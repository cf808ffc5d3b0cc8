"""Patterns of actions as role definitions write them: ``*`` stands for any text, slashes included.

Source: articles/role-based-access-control/role-definitions.md ("Actions format").
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache


def fits(patterns: Iterable[str], action: str) -> bool:
    """Whether an action is one of the patterns', in any letter case."""
    return any(_expression(pattern).fullmatch(action) for pattern in patterns)


@lru_cache(maxsize=1024)
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.IGNORECASE)
