"""A share of the random worlds, and a planted bug that the oracle must not miss; all of it is ``make oracle``."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count, islice
from pathlib import Path

import pytest

from tests.faults.plants import PAUSED_COUNTS_AS_ENDED, UNASKED_CLUSTER, Plant, app_with
from tests.oracle.cluster_work import YES
from tests.oracle.run import play
from tests.oracle.worlds import World, draw

SEED, WORLDS = 6000, 15


def test_worlds_are_drawn_from_their_seed_alone() -> None:
    assert draw(7) == draw(7)
    assert draw(7).request != draw(8).request or draw(7).jobs != draw(8).jobs


def test_detaches_end_as_they_should_in_random_worlds(tmp_path: Path) -> None:
    verdicts = play(tmp_path / "stack", range(SEED, SEED + WORLDS), kills=2)
    assert {verdict.seed: verdict.wrong for verdict in verdicts if verdict.wrong} == {}
    assert {"Succeeded", "Failed ComputeInUse"} <= {verdict.end for verdict in verdicts}


def _calm(world: World) -> bool:
    """A world that would be refused, and in which nothing disturbs."""
    quiet = not world.faults and not world.scripts and world.cancel is None and world.outage is None
    served = world.endpoints or world.batch or world.builds_images
    return quiet and not served and world.attached and world.workloads["policy"] == "refuse"


def _paused_at_work(world: World) -> bool:
    """A paused job alone protects the compute."""
    paused = [job for job in world.jobs if job.uses == YES and job.properties["status"] == "Paused" and not job.at]
    return len(paused) == len(world.jobs) == 1 and not world.in_cluster


def _cluster_alone_knows(world: World) -> bool:
    """Work that Azure ML does not list protects the compute."""
    there = [work for work in world.in_cluster if work.uses == YES and not work.at and work.ends_after is None]
    return bool(there) and not world.jobs


@pytest.mark.parametrize(
    ("plant", "fits", "rule"),
    [
        (PAUSED_COUNTS_AS_ENDED, _paused_at_work, "detached_only_if_allowed"),
        (UNASKED_CLUSTER, _cluster_alone_knows, "cluster_work_respected"),
    ],
    ids=["paused", "cluster"],
)
def test_a_planted_bug_is_found(tmp_path: Path, plant: Plant, fits: Callable[[World], bool], rule: str) -> None:
    worlds = (draw(seed) for seed in count())
    seeds = [world.seed for world in islice((w for w in worlds if _calm(w) and fits(w)), 2)]
    app = app_with(plant, tmp_path / "app")
    verdicts = play(tmp_path / "stack", seeds, options={"app": app})
    found = {wrong.split(":")[0] for verdict in verdicts for wrong in verdict.wrong}
    assert rule in found
