"""What the Makefile offers is there and works: a small round of each program that no other test runs as make does.

``make oracle`` and ``make prove-restart`` are run by tests/oracle/test_oracle.py and tests/faults/test_restarts.py, the
program of ``make demo`` and ``make up`` by tests/local/test_commands.py.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.make_program import ROOT, run_make, said_by

MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
HEADER = MAKEFILE.partition("\n\n")[0]
# In prose "make" is also a verb: a page names a target in code, at the beginning of a line of it or in backticks.
_IN_CODE = re.compile(r"(?:^|`)make ([a-z][a-z-]*)", re.MULTILINE)
UNDER_LOAD = str(ROOT / "scripts" / "under_load.sh")
# Sorted: every process of a run side by side has to collect the same tests in the same order.
PAGES = sorted(
    [*ROOT.glob("*.md"), *(page for folder in ("docs", "local", "tests") for page in ROOT.glob(f"{folder}/**/*.md"))]
)


def named_in_header() -> set[str]:
    """The targets of the Makefile's header, where some share a line: "make lint, pytest, ..."."""
    lines = re.findall(r"^# make ([a-z][a-z, -]*)", HEADER, re.MULTILINE)
    return {name for line in lines for name in line.split("  ")[0].replace(" ", "").split(",")}


def test_the_header_names_what_there_is() -> None:
    # What others need, and what nobody has to be told of.
    assert named_in_header() | {"setup", "tools", "clean"} == TARGETS


def test_no_target_is_a_file() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony
    assert set(phony[1].split()) == TARGETS


def test_what_needs_no_stack_leaves_out_what_there_is() -> None:
    lines = [line for name in ("no_stack", "no_host") for line in (ROOT / f"tests/{name}.txt").read_text().splitlines()]
    left_out = [line.removeprefix("--ignore=") for line in lines]
    assert [path for path in left_out if not (ROOT / path).exists()] == []
    assert "tests/scenarios" in left_out


@pytest.mark.parametrize("failing", [None, "@tests/no_stack.txt", "tests/scenarios"])
def test_all_tests_run_in_two_parts_of_which_none_may_fail(tmp_path: Path, failing: str | None) -> None:
    """What one part leaves out is what the other runs, and both are heard."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/bash\nprintf "%s\\n" "run" "$@"\n[[ " $* " != *" {failing} "* ]]\n')
    python.chmod(0o755)
    done = subprocess.run(
        [ROOT / "scripts" / "all_tests.sh"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHON": str(python)},
    )
    assert done.returncode == (0 if failing is None else 1), done.stdout + done.stderr
    starting, others = (part.splitlines() for part in done.stdout.split("run\n")[1:])
    assert {"@tests/no_stack.txt", "@tests/no_host.txt"} <= set(others)
    left_out = (ROOT / "tests/no_stack.txt").read_text() + (ROOT / "tests/no_host.txt").read_text()
    assert {f"--ignore={path}" for path in starting} >= set(left_out.split())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_name_targets_that_there_are(page: Path) -> None:
    assert set(_IN_CODE.findall(page.read_text())) - TARGETS == set()


def test_the_readme_names_targets() -> None:
    assert {"demo", "test", "up"} <= set(_IN_CODE.findall((ROOT / "README.md").read_text()))


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_make_knows_how(target: str) -> None:
    """It would run something, or finds that nothing is to be done."""
    assert run_make(target, dry=True).returncode == 0


def test_bench() -> None:
    said = said_by("bench", "--small")
    rows = [line for line in said.splitlines() if line.startswith(("attach ", "attach, extension there ", "detach "))]
    assert [row.split("  ")[0] for row in rows] == ["attach", "attach, extension there", "detach"]
    for row in rows:
        arm, tables, transactions, events, _, ratio = re.split(r"  +", row)[1:]
        assert min(int(arm), int(tables), int(transactions), int(events)) > 0
        # Nothing ends before Azure is done.
        assert float(ratio) >= 1


def test_bench_watch() -> None:
    said = dict(line.split(maxsplit=1) for line in said_by("bench-watch", "--small").splitlines())
    assert said["operations"] == "200 live, 2 of them with a wait that has died"
    assert said["runs"].startswith("1 until all that had died were resumed")
    # What is well costs no reading of its record: those that died are read once, to be judged and changed.
    assert said["storage"].endswith(", 2 heads read")
    assert float(said["ratio"]) > 0


def test_faults(tmp_path: Path) -> None:
    """Another start continues the file of the first."""
    arguments = f"--operation detach --fault error-before --stacks 1 --results {tmp_path}/faults.jsonl --seed 7"
    said = said_by("faults", f"{arguments} --most 1 --verbose")
    assert re.search(r"^ok +detach, error-before at \w+ 1 \w+ [A-Z]+ \S+, ", said, re.MULTILINE), said
    assert re.search(r"^detach +\d+ +\d+ +\d+ +1 +1 +0 +0 ", said, re.MULTILINE), said
    again = said_by("faults", f"{arguments} --most 1")
    assert " stacks" in again
    assert re.search(r"^detach +\d+ +\d+ +\d+ +1 +1 +0 +0 ", again, re.MULTILINE), again


def test_conformance() -> None:
    said = said_by("conformance", "eventgrid")
    total = re.search(r"^total +(\d+) +(\d+) +\d+$", said, re.MULTILINE)
    assert total, said
    assert (int(total[1]) > 0, int(total[2])) == (True, 0)


def test_under_load_runs_loops_beside_a_command() -> None:
    seen = 'pgrep -g 0 -fc "^/bin/bash [^ ]*under_load.sh"; exit 3'
    done = subprocess.run(
        [UNDER_LOAD, "2", "bash", "-c", seen], capture_output=True, text=True, check=False, start_new_session=True
    )
    # The script itself and its two loops.
    assert (done.returncode, done.stdout.strip()) == (3, "3"), done.stderr


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_under_load_leaves_no_loop(tmp_path: Path, end: signal.Signals) -> None:
    """Interrupted or terminated, as a terminal does it to all; killed alone, the loops see that by themselves."""
    ready = tmp_path / "ready"
    # No command of its own before the sleep: a shell takes no notice of an interrupt that its command survives.
    command = [UNDER_LOAD, "2", "bash", "-c", f": >{ready}; exec sleep 600"]
    # What a shell runs in the background ignores interrupts, and so does all that it starts.
    reset = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True, preexec_fn=reset) as process:
        try:
            _until(lambda: ready.exists() or process.poll() is not None)
            (os.kill if end is signal.SIGKILL else os.killpg)(process.pid, end)
            assert process.wait(timeout=120) != 0
            _until(lambda: not _loops(process.pid))
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _loops(group: int) -> bytes:
    return subprocess.run(["pgrep", "-g", str(group), "-f", "under_load"], capture_output=True, check=False).stdout


def _until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
