"""A share of the random worlds, and a planted bug that the oracle must not miss; all of it is ``make oracle``."""

from __future__ import annotations

from itertools import count, islice
from pathlib import Path

from tests.faults.plants import PAUSED_COUNTS_AS_ENDED, app_with
from tests.oracle.run import play
from tests.oracle.worlds import YES, World, draw

SEED, WORLDS = 6000, 15


def test_worlds_are_drawn_from_their_seed_alone() -> None:
    assert draw(7) == draw(7)
    assert draw(7).request != draw(8).request or draw(7).jobs != draw(8).jobs


def test_detaches_end_as_they_should_in_random_worlds(tmp_path: Path) -> None:
    verdicts = play(tmp_path / "stack", range(SEED, SEED + WORLDS), kills=2)
    assert {verdict.seed: verdict.wrong for verdict in verdicts if verdict.wrong} == {}
    assert {"Succeeded", "Failed ComputeInUse"} <= {verdict.end for verdict in verdicts}


def _paused_at_work(world: World) -> bool:
    """A world in which a paused job alone protects the compute, and nothing else disturbs."""
    paused = [job for job in world.jobs if job.uses == YES and job.properties["status"] == "Paused" and not job.at]
    calm = not world.faults and not world.scripts and world.cancel is None and not world.endpoints and not world.batch
    return len(paused) == len(world.jobs) == 1 and calm and world.workloads["policy"] == "refuse"


def test_a_planted_bug_is_found(tmp_path: Path) -> None:
    seeds = list(islice((seed for seed in count() if _paused_at_work(draw(seed))), 2))
    app = app_with(PAUSED_COUNTS_AS_ENDED, tmp_path / "app")
    verdicts = play(tmp_path / "stack", seeds, options={"app": app})
    found = {wrong.split(":")[0] for verdict in verdicts for wrong in verdict.wrong}
    assert "detached_only_if_allowed" in found
