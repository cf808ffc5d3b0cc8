import io
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from local.demo.views import (
    PlainView,
    RichView,
    StepLine,
    View,
    make_view,
    step_lines,
)

NOW = datetime(2026, 1, 1, 0, 5, tzinfo=UTC)


def step(
    name: str, status: str, started: str | None = None, finished: str | None = None, **more: Any
) -> dict[str, Any]:
    return {
        "name": name,
        "status": status,
        "startedDateTime": started,
        "finishedDateTime": finished,
        "detail": None,
        "error": None,
        **more,
    }


def operation() -> dict[str, Any]:
    steps = [
        step("claim", "Succeeded", "2026-01-01T00:00:00Z", "2026-01-01T00:00:12Z", detail="mine"),
        step("survey", "Failed", "2026-01-01T00:01:00Z", "2026-01-01T00:01:02Z", error={"code": "ComputeInUse"}),
        step("extension_ready", "Waiting", "2026-01-01T00:02:00Z", detail="being installed"),
        step("release", "NotStarted"),
    ]
    return {"steps": steps}


def rich_view(out: io.StringIO) -> View:
    return RichView(Console(file=out, force_terminal=True, width=100, color_system=None))


def test_step_lines() -> None:
    assert step_lines(operation(), NOW) == [
        StepLine("claim", "Succeeded", "12 s", "mine"),
        StepLine("survey", "Failed", "2 s", "ComputeInUse"),
        StepLine("extension_ready", "Waiting", "3 min", "being installed"),
        StepLine("release", "NotStarted", "", ""),
    ]


def test_plain_view_tells_each_step_once_it_is_over() -> None:
    out = io.StringIO()
    with PlainView(out).watching(lambda: NOW) as show:
        show(operation())
        show(operation())
    assert [line.split() for line in out.getvalue().splitlines()] == [
        ["claim", "Succeeded", "12", "s", "mine"],
        ["survey", "Failed", "2", "s", "ComputeInUse"],
    ]


def test_rich_view_leaves_the_last_state_of_every_step() -> None:
    out = io.StringIO()
    with rich_view(out).watching(lambda: NOW) as show:
        show(operation())
        changed = operation()
        changed["steps"][2]["status"] = "Succeeded"
        show(changed)
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()).splitlines()[-4:]
    marks = [(line.split()[0], line.split()[1]) for line in last]
    assert marks == [("✓", "claim"), ("✗", "survey"), ("✓", "extension_ready"), ("·", "release")]


@pytest.mark.parametrize("make", [PlainView, rich_view])
def test_both_views_tell_everything(make: Any) -> None:
    out = io.StringIO()
    view: View = make(out)
    view.title("Moor", "attaches")
    view.section("Part one")
    view.line("something [done]")
    view.command("curl -s 'x'\n  -d y")
    view.refusal("in use", "wait")
    view.table([("a", "bb"), ("ccc", "d")])
    with view.waiting("for a while"):
        pass
    view.failure("badly")
    text = out.getvalue()
    for told in ("Moor", "attaches", "Part one", "something [done]", "curl -s 'x'", "in use", "wait", "ccc", "FAILED"):
        assert told in text


def test_plain_lines_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    view = make_view(out)
    view.line("x")
    assert isinstance(view, PlainView)
    assert "\x1b" not in out.getvalue()


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("term", "encoding", "kind"),
    [("xterm-256color", "utf-8", RichView), ("dumb", "utf-8", PlainView), ("xterm", "latin-1", PlainView)],
)
def test_live_only_on_a_capable_terminal(
    monkeypatch: pytest.MonkeyPatch, term: str, encoding: str, kind: type[object]
) -> None:
    monkeypatch.setenv("TERM", term)
    assert isinstance(make_view(Terminal(io.BytesIO(), encoding=encoding)), kind)


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    raw = io.BytesIO()
    out = Terminal(raw, encoding="utf-8", write_through=True)
    make_view(out).command("curl")
    written = raw.getvalue().decode()
    assert "curl" in written
    assert "\x1b[36m" not in written
