"""docs/roles.md read as data: which call needs which action, and what is assigned beside the role."""

from __future__ import annotations

import re
from pathlib import Path

_PAGE = Path(__file__).parents[2] / "docs" / "roles.md"
_NOT_SHOWN = "no scenario:"
_ROLE, _BESIDE = "## The role", "## Assigned beside the role"


def calls(page: str | None = None) -> dict[str, str]:
    """Each action of the table of the role, and its line of explanation, in the order of the page."""
    rows = _rows(_section(page, _ROLE))
    found = {}
    for cells in rows:
        for action in _actions(cells[0]):
            if action in found:
                raise ValueError(f"{action} stands twice in docs/roles.md")
            found[action] = cells[1]
    return found


def unshown(page: str | None = None) -> list[str]:
    """The actions whose line says why no scenario shows them. Raises ValueError when it names no call or no reason."""
    found = []
    for action, line in calls(page).items():
        call, mark, why = line.partition(_NOT_SHOWN)
        if mark and (len(call.split()) < 2 or len(why.split()) < 3):
            raise ValueError(f"docs/roles.md does not name the call that needs {action}, and why no scenario shows it")
        if mark:
            found.append(action)
    return found


def beside_actions(page: str | None = None) -> list[str]:
    """The control-plane actions that the page's table of further assignments names."""
    found = []
    for cells in _rows(_section(page, _BESIDE)):
        found += [action for action in _actions(cells[0]) if "(data)" not in cells[0]]
    return [re.sub(r"<\w+>", "*", action) for action in found]


def _section(page: str | None, title: str) -> str:
    text = _PAGE.read_text() if page is None else page
    return text.partition(f"{title}\n")[2].partition("\n## ")[0]


def _rows(section: str) -> list[list[str]]:
    lines = [line for line in section.splitlines() if line.startswith("| ") and "`" in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def _actions(cell: str) -> list[str]:
    found = []
    for text in re.findall(r"`([^`]+)`", cell):
        alternatives = re.fullmatch(r"(.*)\{([^}]*)\}", text)
        found += [alternatives[1] + each.strip() for each in alternatives[2].split(",")] if alternatives else [text]
    return found
