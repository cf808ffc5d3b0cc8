"""What host, worker and SDKs write to the log in one attach and in one idle hour, against what was once measured.

``log_volume.json`` holds one measurement, of which ``python -m tests.scenarios.test_log_volume`` makes more: lines
and bytes by who writes them. Take new numbers only with a reason, and only when they are lower or the reason is
good: on Azure each line is paid for, and the line that matters is found among the others.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from domain.operation import step_lists
from local.stack import Options, Stack, running_stack
from tests.scenarios.conftest import BY_HAND, FACTOR, place_in
from tests.scenarios.helpers import eventually, succeeded

COMMITTED = Path(__file__).with_name("log_volume.json")
LINE = re.compile(r"^\[[^\]]+Z\] (\w+) +([^\s:]+): (.*)$", re.S)
# How the SDKs write requests, answers, tokens and options that they do not know.
SDK = re.compile(r"Request URL|Request headers|Response status|HTTP Request:|Credential\b|known attribute", re.I)
WATCH_ENDED = "Executed 'Functions.watch_operations'"
# The watch runs twelve times an hour.
AN_HOUR = 12
ORCHESTRATORS = {"attach", "wait_until"}
ATTACH = {"http_attach", *ORCHESTRATORS, *(step.name for step in step_lists.ATTACH)}

Volume = dict[str, dict[str, int]]


@pytest.mark.long
@pytest.mark.own_engine
def test_no_more_is_written_than_was_measured(tmp_path: Path) -> None:
    measured, logs = measure(tmp_path)
    committed = json.loads(COMMITTED.read_text())
    said = f"measured:\n{json.dumps(measured, indent=2)}\nin\n{tmp_path}"
    for part in ("idleHour", "attach"):
        assert over(measured[part], committed[part]) == {}, said
        # Nothing of it is an SDK's, and nothing is a warning.
        assert [line for line in logs[part] if SDK.search(line)] == []
        assert [line for line in logs[part] if " warn " in line[:40] or " error " in line[:40]] == []


def test_a_line_more_and_a_line_of_an_sdk_are_noticed() -> None:
    committed = json.loads(COMMITTED.read_text())["attach"]
    assert over(committed, committed) == {}
    more = {**committed, "app": {**committed["app"], "lines": committed["app"]["lines"] + 1}}
    assert list(over(more, committed)) == ["app"]
    assert list(over({"somebody": {"lines": 1, "bytes": 1}}, committed)) == ["somebody"]
    for said in (
        "Request URL: 'https://management.azure.com/subscriptions/REDACTED'",
        "Response status: 200",
        "DefaultAzureCredential acquired a token from ManagedIdentityCredential",
        "retry_total is not a known attribute of class <class 'CloudEvent'> and will be ignored",
    ):
        line = f"[2026-11-30T07:16:37.946Z] info  Function.claim.User: {said}"
        assert SDK.search(line)
        assert (writer_of(line), function_of(line)) == ("app", "claim")


def test_polls_are_left_out_and_what_comes_with_every_call_is_not() -> None:
    line = "[2026-11-30T07:16:37.946Z] info  Function.compute_ready.User: 1e7be74c-3374-4196-96a2-f452ea86f283: {}"
    polls = [line.format("compute_ready: Waiting")] * 6
    noise = [line.format(f"a request that took {number} ms") for number in range(40)]
    assert len(without_polls(polls, 6)) == 1
    assert len(without_polls([*polls, *noise], 6)) == 1 + 34


def over(measured: Volume, committed: Volume) -> dict[str, Any]:
    """Who has written more than was committed."""
    nothing = {"lines": 0, "bytes": 0}
    pairs = {who: (volume, committed.get(who, nothing)) for who, volume in measured.items()}
    return {who: pair for who, pair in pairs.items() if any(pair[0][unit] > pair[1][unit] for unit in nothing)}


def measure(directory: Path) -> tuple[dict[str, Volume], dict[str, list[str]]]:
    """The volumes of an idle hour and of an attach less its polls, and the lines that were counted."""
    with running_stack(Options(factor=FACTOR), state_dir=directory / "idle") as stack:
        hour = eventually(lambda: idle_hour(entries(stack)), "an hour to pass", 120)
    with running_stack(Options(factor=FACTOR, settings=BY_HAND), state_dir=directory / "attach") as stack:
        place = place_in(stack)
        before = len(entries(stack))
        succeeded(stack, stack.app.start("attach", place.attach_body())["id"], 120)
        whole = [line for line in entries(stack)[before:] if function_of(line) in ("", *ATTACH)]
        # The journal has those alone that had something new to tell.
        polled = sum(line.rstrip().endswith(": Waiting") for line in whole)
    once = without_polls(whole, polled)
    return {"idleHour": volume(hour), "attach": volume(once)}, {"idleHour": hour, "attach": whole}


def entries(stack: Stack) -> list[str]:
    """What the host has logged, one text each, stacks and lists under their first line."""
    text = (stack.state_dir / "logs" / "host.log").read_text(errors="replace")
    return [entry for entry in re.split(r"\n(?=\[)", text.rstrip("\n")) if entry]


def idle_hour(lines: list[str]) -> list[str] | None:
    """From the end of one watch to the end of the twelfth after it; None until so many have ended.

    Without what is done once a day, which may or may not fall into the hour.
    """
    lines = [line for line in lines if function_of(line) not in ("purge_histories", "remove_records")]
    ends = [number for number, line in enumerate(lines) if WATCH_ENDED in line]
    return lines[ends[0] + 1 : ends[AN_HOUR] + 1] if len(ends) > AN_HOUR else None


def without_polls(lines: Iterable[str], polled: int) -> list[str]:
    """The lines of an attach in which nothing had to be asked twice: how often Azure is asked is not the log's doing.

    Of each shape of line - numbers and ids left out - as many are dropped as there were polls, but never the last. A
    poll is one call of its activity, and of the orchestrators up to four: they go on by messages, which may come
    together.
    """
    left: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        left[shape(line)].append(line)
    return [line for found in left.values() for line in found[: max(1, len(found) - polled * _calls(found[0]))]]


def _calls(line: str) -> int:
    return 4 if function_of(line) in ORCHESTRATORS else 1


def shape(line: str) -> str:
    """A line without what differs from one call to the next."""
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+", "#", line)


def function_of(line: str) -> str:
    """The function that a line is about; empty for those of the host itself."""
    found = LINE.match(line)
    category = found.group(2) if found else ""
    return category.split(".")[1] if category.startswith("Function.") else ""


def writer_of(line: str) -> str:
    """Who writes: the host of itself, the host of calls, or the app (SDKs under it)."""
    found = LINE.match(line)
    category = found.group(2) if found else "unknown"
    if category.startswith("Function."):
        return "app" if category.endswith(".User") else "calls"
    return category.split(".")[0]


def volume(lines: Iterable[str]) -> Volume:
    """Lines and bytes of each writer; an id or a number, which may be long or short, counts as one byte."""
    found: Volume = {}
    for line in lines:
        of = found.setdefault(writer_of(line), {"lines": 0, "bytes": 0})
        of["lines"] += line.count("\n") + 1
        of["bytes"] += len(shape(line).encode()) + 1
    return found


def highest(volumes: Iterable[Mapping[str, Volume]]) -> dict[str, Volume]:
    """The most of each number."""
    found: dict[str, Volume] = {}
    for measured in volumes:
        for part, writers in measured.items():
            for who, numbers in writers.items():
                of = found.setdefault(part, {}).setdefault(who, {"lines": 0, "bytes": 0})
                for unit, number in numbers.items():
                    of[unit] = max(of[unit], number)
    return found


def main() -> None:
    """Measure three times and write the most of each."""
    found = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as directory:
            found.append(measure(Path(directory))[0])
    COMMITTED.write_text(json.dumps(highest(found), indent=2) + "\n")


if __name__ == "__main__":
    main()
