"""kill -9 at any instant: every instance goes on where it was, nothing is lost, nothing counts twice."""

import json
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from local.functions_host.durable.store import Store

from .victim import INSTANCES, STEPS

SEED = 20261120
KILLS = 6


def _run(state: Path, effects: Path) -> subprocess.Popen[str]:
    module = "tests.local.functions_host.durable.victim"
    root = Path(__file__).parents[4]
    command = [sys.executable, "-W", "ignore", "-m", module, str(state), str(effects)]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_instances_survive_kills_at_random_moments(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    state, effects = tmp_path / "state", tmp_path / "effects"
    effects.touch()
    kills = 0
    while kills < KILLS:
        process = _run(state, effects)
        time.sleep(chance.uniform(0.0, 0.12))
        if process.poll() is not None:
            process.communicate()
            break
        process.kill()
        process.communicate()
        kills += 1
    process = _run(state, effects)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert kills >= 3, f"seed {SEED}: the work was done before it could be disturbed"
    _check(state, effects)


def _check(state: Path, effects: Path) -> None:
    store = Store(state / "durable.db")
    expected = {"done": [2 * n for n in range(STEPS)], "polls": 4, "fan": [200, 202, 204]}
    for number in range(INSTANCES):
        row = store.instance(f"j-{number}")
        assert row is not None
        assert (row.status, json.loads(row.output or "null")) == ("Completed", expected), f"seed {SEED}"
        history = store.history(row.instance_id)
        for kind, key in ((5, "TaskScheduledId"), (8, "TaskScheduledId"), (11, "TimerId")):
            counted = Counter(event[key] for event in history if event["EventType"] == kind)
            assert all(count == 1 for count in counted.values()), f"seed {SEED}"
        scheduled = [event["EventId"] for event in history if event["EventType"] in (4, 7, 10)]
        assert scheduled == list(range(len(scheduled)))
    assert store.activities() == []
    assert store.timers() == []
    assert store.instances_with_messages() == []
    done = {tuple(line.split()[:2]) for line in effects.read_text().splitlines()}
    wanted = {(f"j-{i}", str(n)) for i in range(INSTANCES) for n in [*range(STEPS), 100, 101, 102]}
    wanted |= {(f"j-{i}:poll", str(n)) for i in range(INSTANCES) for n in range(5)}
    assert done == wanted
    store.close()
