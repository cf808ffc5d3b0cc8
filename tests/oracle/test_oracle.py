"""A share of the random worlds, and a planted bug that the oracle must not miss; all of it is ``make oracle``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from tests.faults.plants import PAUSED_COUNTS_AS_ENDED, UNASKED_CLUSTER, USED_COUNTS_AS_UNUSED, app_with
from tests.make_program import said_by
from tests.oracle.attachments import EXTENSION, OTHER
from tests.oracle.cluster_work import YES
from tests.oracle.player import Story
from tests.oracle.reading import overtaken
from tests.oracle.run import play
from tests.oracle.worlds import World, draw

SEED, WORLDS = 6011, 4


def test_worlds_are_drawn_from_their_seed_alone() -> None:
    assert draw(7) == draw(7)
    assert (draw(7).request, draw(7).jobs) != (draw(8).request, draw(8).jobs)


def test_detaches_end_as_they_should_in_random_worlds() -> None:
    said = said_by("oracle", f"--seed {SEED} --worlds {WORLDS} --kills 2")
    assert f"{WORLDS} of {WORLDS} worlds as they should be" in said
    for end in ("Succeeded", "Failed ComputeInUse"):
        assert re.search(rf"(^|, ){end} \d+(,|$)", said, re.MULTILINE), said


@pytest.mark.parametrize(
    ("away", "counts"),
    [
        ([], False),
        ([(5, 20)], False),
        ([(5, 27)], True),
        ([(-30, 12), (20, 90)], True),
        ([(-60, -5), (60, 90)], False),
    ],
)
def test_a_step_is_overtaken_by_the_time_that_no_host_was_there(away: list[tuple[int, int]], counts: bool) -> None:
    """It took 51 minutes, which are 21 more than it has."""
    begin = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def at(minutes: int) -> datetime:
        return begin + timedelta(minutes=minutes)

    step = {"name": "survey", "startedDateTime": at(0).isoformat(), "finishedDateTime": at(51).isoformat()}
    operation = {"steps": [step], "error": {"code": "DeadlineExceeded", "step": "survey"}}
    story = Story(draw(7), "op", begin, operation=operation, away=[(at(a), at(b)) for a, b in away])
    assert overtaken(story) is counts
    story.operation["error"]["code"] = "ComputeInUse"
    assert not overtaken(story)


def _calm(world: World) -> bool:
    """A world that would be refused, and in which nothing disturbs."""
    quiet = not world.faults and not world.scripts and world.cancel is None and world.outage is None
    served = world.endpoints or world.batch or world.builds_images
    return quiet and not served and world.attached and world.workloads["policy"] == "refuse"


def _paused_at_work(world: World) -> bool:
    """A paused job alone protects the compute."""
    paused = [job for job in world.jobs if job.uses == YES and job.properties["status"] == "Paused" and not job.at]
    return len(paused) == len(world.jobs) == 1 and not world.in_cluster and world.attachment is None


def _cluster_alone_knows(world: World) -> bool:
    """Work that Azure ML does not list protects the compute."""
    there = [work for work in world.in_cluster if work.uses == YES and not work.at and work.ends_after is None]
    return bool(there) and not world.jobs and world.attachment is None


def _used_by_another(world: World) -> bool:
    """The app installed the extension, is asked to remove it, and another workspace uses it."""
    attachment = world.attachment
    if attachment is None or world.jobs or world.in_cluster:
        return False
    made = not attachment.extension_there and EXTENSION not in (*attachment.removed, *attachment.refused)
    return made and attachment.asks(EXTENSION) and attachment.neighbour == OTHER


PLANTED = {
    "detached_only_if_allowed": (PAUSED_COUNTS_AS_ENDED, _paused_at_work),
    "cluster_work_respected": (UNASKED_CLUSTER, _cluster_alone_knows),
    "own_stays_unless_asked": (USED_COUNTS_AS_UNUSED, _used_by_another),
}


@pytest.mark.long
def test_planted_bugs_are_found(tmp_path: Path) -> None:
    plants = [plant for plant, _ in PLANTED.values()]
    seeds = {
        rule: next(world.seed for world in map(draw, count()) if _calm(world) and fits(world))
        for rule, (_, fits) in PLANTED.items()
    }
    app = app_with(plants[0], tmp_path / "app", *plants[1:])
    verdicts = play(tmp_path / "stack", seeds.values(), options={"app": app})
    found = {(verdict.seed, wrong.split(":")[0]) for verdict in verdicts for wrong in verdict.wrong}
    assert {(seed, rule) for rule, seed in seeds.items()} <= found
