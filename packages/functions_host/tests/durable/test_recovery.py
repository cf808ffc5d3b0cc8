"""kill -9 at any instant: every instance goes on where it was, nothing is lost, nothing counts twice."""

import json
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from packages.functions_host.durable.store import Store
from packages.functions_host.tests.durable.victim import INSTANCES, STEPS

SEED = 20261120
KILLS = 6


def _run(state: Path, effects: Path, *killed_after: str) -> subprocess.CompletedProcess[str]:
    module = "packages.functions_host.tests.durable.victim"
    root = Path(__file__).parents[4]
    command = [sys.executable, "-W", "ignore", "-m", module, str(state), str(effects), *killed_after]
    return subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, timeout=120, check=False)


def test_instances_survive_kills_at_random_moments(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    state, effects = tmp_path / "state", tmp_path / "effects"
    effects.touch()
    kills = 0
    while kills < KILLS:
        done = _run(state, effects, str(chance.uniform(0.0, 0.12)))
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stdout
        kills += 1
    done = _run(state, effects)
    assert done.returncode == 0, done.stdout
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
            assert counted, f"seed {SEED}"
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
