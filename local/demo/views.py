"""How a play shows on a terminal: live with rich, or as plain lines where there is no terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from local.demo.durations import between, in_words

Operation = dict[str, Any]
Clock = Callable[[], datetime]

_NAME_WIDTH, _TIME_WIDTH = 22, 12
_MARKS = {"Succeeded": "✓", "Failed": "✗", "Canceled": "✗", "Skipped": "-", "NotStarted": "·"}
_STYLES = {"Succeeded": "green", "Failed": "red", "Canceled": "red", "Skipped": "dim", "NotStarted": "dim"}


@dataclass(frozen=True)
class StepLine:
    """One step as it is shown; ``taken`` is simulated time."""

    name: str
    status: str
    taken: str
    detail: str

    @property
    def over(self) -> bool:
        """Whether the step has ended."""
        return self.status in _MARKS and self.status != "NotStarted"


def step_lines(operation: Operation, now: datetime) -> list[StepLine]:
    """The steps of an operation with how long each took, or has been taking by ``now`` (simulated)."""
    lines = []
    for step in operation["steps"]:
        started = step["startedDateTime"]
        taken = in_words(between(started, step["finishedDateTime"] or now.isoformat())) if started else ""
        detail = step["error"]["code"] if step.get("error") else step["detail"] or ""
        lines.append(StepLine(step["name"], step["status"], taken, detail))
    return lines


class View(Protocol):
    """What a play tells, in the order in which it happens."""

    def title(self, text: str, more: str) -> None:
        """The head of everything."""

    def section(self, text: str) -> None:
        """A new part begins."""

    def line(self, text: str) -> None:
        """Something that was done or found."""

    def command(self, text: str) -> None:
        """Something that the reader could type."""

    def refusal(self, text: str, remedy: str) -> None:
        """A refusal that was meant to happen, with what to do about it."""

    def failure(self, text: str) -> None:
        """The play did not go as it should."""

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Rows of cells, aligned."""

    def waiting(self, text: str) -> AbstractContextManager[None]:
        """Something is waited for while the block runs."""

    def watching(self, now: Clock) -> AbstractContextManager[Callable[[Operation], None]]:
        """Shows every reading of an operation that it is given, until the block ends."""


def make_view(out: TextIO = sys.stdout) -> View:
    """The live view on a capable terminal, else the plain one."""
    capable = os.environ.get("TERM", "dumb") != "dumb" and (out.encoding or "").lower().startswith("utf")
    if out.isatty() and capable:
        return RichView(Console(file=out, highlight=False))
    return PlainView(out)


class PlainView:
    """Lines that are complete when they are written: for logs and pipes."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def title(self, text: str, more: str) -> None:
        """The head of everything."""
        self._write(f"{text}: {more}")

    def section(self, text: str) -> None:
        """A new part begins."""
        self._write("", text)

    def line(self, text: str) -> None:
        """Something that was done or found."""
        self._write(f"  {text}")

    def command(self, text: str) -> None:
        """Something that the reader could type."""
        self._write(*(f"    {line}" for line in text.splitlines()))

    def refusal(self, text: str, remedy: str) -> None:
        """A refusal that was meant to happen."""
        self._write(f"  refused: {text}", f"  remedy:  {remedy}")

    def failure(self, text: str) -> None:
        """The play did not go as it should."""
        self._write("", f"FAILED: {text}")

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Rows of cells, aligned."""
        widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
        for row in rows:
            self._write("  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Something is waited for while the block runs."""
        self.line(f"{text} ...")
        yield

    @contextmanager
    def watching(self, now: Clock) -> Iterator[Callable[[Operation], None]]:
        """Write each step once it is over."""
        told: set[str] = set()

        def show(operation: Operation) -> None:
            for step in step_lines(operation, now()):
                if step.over and step.name not in told:
                    told.add(step.name)
                    text = f"{step.name:<{_NAME_WIDTH}}{step.status:<11}{step.taken:>{_TIME_WIDTH}}  {step.detail}"
                    self.line(text.rstrip())

        yield show

    def _write(self, *lines: str) -> None:
        self._out.writelines(f"{line}\n" for line in lines)
        self._out.flush()


class RichView:
    """Colour where the terminal has it (NO_COLOR is honoured), and steps that move while they run."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def title(self, text: str, more: str) -> None:
        """The head of everything."""
        self._console.print()
        self._console.print(Text.assemble("  ", (text, "bold cyan"), "  ", (more, "default")))

    def section(self, text: str) -> None:
        """A new part begins."""
        self._console.print()
        self._console.print(Text(f"  {text}", "bold"))

    def line(self, text: str) -> None:
        """Something that was done or found. The terminal wraps it, so that long names can be copied."""
        self._console.print(Text(f"  {text}"), soft_wrap=True)

    def command(self, text: str) -> None:
        """Something that the reader could type; the terminal wraps it too."""
        for line in text.splitlines():
            self._console.print(Text(f"    {line}", "cyan"), soft_wrap=True)

    def refusal(self, text: str, remedy: str) -> None:
        """A refusal that was meant to happen."""
        self._print(Text.assemble(("refused  ", "yellow"), text))
        self._print(Text.assemble(("remedy   ", "dim"), remedy))

    def failure(self, text: str) -> None:
        """The play did not go as it should."""
        self._console.print()
        self._print(Text.assemble(("FAILED  ", "bold red"), text))

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Rows of cells, aligned."""
        grid = Table.grid(padding=(0, 2))
        for row in rows:
            grid.add_row(*(Text(cell) for cell in row))
        self._print(grid)

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """A spinner while the block runs; nothing of it stays."""
        grid = _grid()
        grid.add_row(Spinner("dots", style="cyan"), Text(text, "dim"), "", "")
        with Live(_indented(grid), console=self._console, transient=True, refresh_per_second=12):
            yield

    @contextmanager
    def watching(self, now: Clock) -> Iterator[Callable[[Operation], None]]:
        """Keep the list of steps up to date; its last state stays."""
        spinner = Spinner("dots", style="cyan")
        with Live(console=self._console, refresh_per_second=12) as live:

            def show(operation: Operation) -> None:
                live.update(_indented(_steps(step_lines(operation, now()), spinner)))

            yield show

    def _print(self, what: Any) -> None:
        self._console.print(_indented(what))


def _steps(lines: Sequence[StepLine], spinner: Spinner) -> Table:
    grid = _grid()
    for step in lines:
        style = _STYLES.get(step.status, "default")
        mark = Text(_MARKS[step.status], style) if step.status in _MARKS else spinner
        name = Text(step.name, "dim" if step.status in ("NotStarted", "Skipped") else "default")
        grid.add_row(mark, name, Text(step.taken, "dim"), Text(step.detail, "dim"))
    return grid


def _grid() -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    grid.add_column(min_width=_NAME_WIDTH)
    grid.add_column(min_width=_TIME_WIDTH, justify="right", no_wrap=True)
    grid.add_column()
    return grid


def _indented(what: Any) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_row("", Group(what))
    return grid
