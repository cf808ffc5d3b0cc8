"""docs/errors.md, rendered from the catalogue: ``python -m domain.catalogue.render > docs/errors.md``."""

from __future__ import annotations

import sys

from domain.catalogue.azure import (
    admission,
    attach,
    endpoints,
    extension,
    health,
    jobs,
    platform,
)
from domain.catalogue.entry import Entry, fill_command, fill_text
from domain.catalogue.moor import cluster as cluster_api
from domain.catalogue.moor import operations as own

_HEAD = """# Errors

What an operation of Moor may fail with: Moor's code, the true cause, what to do and the command that does or checks it.
The record of an operation shows the cause first and Azure's own words second (`error.azure`). *Transient*: asking again
later may succeed without anybody doing anything. Words marked with ~ are not quoted in Microsoft's documents but made
after their description.

Rendered from `domain/catalogue` by `python -m domain.catalogue.render > docs/errors.md`; do not edit.
"""
SECTIONS: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    ("Found by Moor", own.ENTRIES),
    ("Found by Moor inside the cluster", cluster_api.ENTRIES),
    ("Attach, and the compute afterwards", (*attach.ENTRIES, attach.GENERIC)),
    ("Extension", (*extension.ENTRIES, extension.GENERIC)),
    ("Health check of the extension", (*health.ENTRIES, health.GENERIC)),
    ("Policies inside the cluster", admission.ENTRIES),
    ("Detach", (*jobs.DETACHING, jobs.DETACH_FAILED)),
    ("Jobs", (*jobs.JOBS, jobs.JOB_FAILED)),
    ("Online endpoints", (*endpoints.ENTRIES, endpoints.GENERIC)),
    ("Azure Resource Manager, roles and tokens", (*platform.ENTRIES, *platform.BY_STATUS, platform.GENERIC)),
)


def rendered() -> str:
    """The whole document."""
    return "\n".join([_HEAD, *(_section(title, entries) for title, entries in SECTIONS)])


def _section(title: str, entries: tuple[Entry, ...]) -> str:
    return "\n".join([f"## {title}\n", *(_entry(entry) for entry in entries)])


def _entry(entry: Entry) -> str:
    variant = f" ({entry.variant})" if entry.variant else ""
    cause = fill_text(entry.cause, {})
    lines = [f"### {entry.code}{variant}\n", _escaped(cause[0].upper() + cause[1:]) + "\n"]
    lines += [f"* Azure says: {_words(entry)}"] if entry.samples else []
    lines.append(f"* Do: {_escaped(fill_text(entry.remedy, {}))}")
    lines.append(f"* Command: `{fill_command(entry.command, {})}`")
    lines += [f"* After an undo: {_escaped(entry.without.remedy)}"] if entry.without is not None else []
    if entry.ruled_out_by:
        checks = " and ".join(f"`{check}`" for check in entry.ruled_out_by)
        lines.append(f"* Wrong, and not chosen, where the operation has seen {checks} pass")
    if entry.set_already:
        settings = " or ".join(f"`{setting}`" for setting in entry.set_already)
        lines.append(f"* Wrong, and not chosen, where the extension has {settings} already")
    lines += ["* Transient"] if entry.transient else []
    lines += [f"* See <{entry.documentation}>"] if entry.documentation else []
    return "\n".join(lines) + "\n"


def _words(entry: Entry) -> str:
    return "; ".join(
        ("" if s.quoted else "~ ") + " ".join(f"`{part}`" for part in (s.code, s.message) if part)
        for s in entry.samples
    )


def _escaped(text: str) -> str:
    return text.replace("<", "\\<")


if __name__ == "__main__":
    sys.stdout.write(rendered())
