"""What a detach costs in a workspace that has kept its jobs: ``python -m benchmarks.survey``.

The activities are the app's own, and so is what they keep; Azure Resource Manager is a list that answers after virtual
seconds. Ends with 1 when an activity takes longer than a minute, or a poll of a drain more than one percent of the
first look's calls.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from activities.runtime.step import StepAtWork
from activities.workloads.drain import came_since, drain
from activities.workloads.uses import find_orphans, survey
from domain.operation.outcomes import Done, Outcome
from domain.workloads.policy import WAIT, Policy
from tests.activities.workloads.job_list import Detach, Job, JobList

LONGEST_ACTIVITY, SHARE_OF_A_POLL = 60.0, 0.01
_POLLS, _BETWEEN = 30, 120.0


@dataclass(frozen=True)
class Cost:
    """Calls of Azure, activities, the longest of them and the sum of their seconds."""

    name: str
    calls: int
    activities: int
    longest: float
    seconds: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--live", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0.8, help="what a page, and any other call, takes")
    parser.add_argument("--tokens", action="store_true", help="links that do not count items")
    given = parser.parse_args()
    costs = measure(given.jobs, given.live, given.seconds, tokens=given.tokens)
    print(f"{given.jobs:,} jobs, {given.live} of them live; {given.seconds:g} s a call, 50 jobs a page\n")
    print(f"{'':<38}{'calls':>7}{'activities':>12}{'longest':>10}{'in all':>11}")
    for cost in costs:
        print(f"{cost.name:<38}{cost.calls:>7}{cost.activities:>12}{cost.longest:>8.1f} s{cost.seconds:>9.0f} s")
    share = costs[1].calls / costs[0].calls
    print(f"\na poll of the drain: {share:.2%} of the first look's calls; longest activity {_longest(costs):.1f} s")
    sys.exit(_longest(costs) > LONGEST_ACTIVITY or share > SHARE_OF_A_POLL)


def _longest(costs: list[Cost]) -> float:
    return max(cost.longest for cost in costs)


def measure(jobs: int, live: int, seconds: float, *, tokens: bool = False) -> list[Cost]:
    """The first look, the dearest poll of a drain, the look at which no job is left, the last look, what is left over.

    The live jobs stand all over the list; one more comes with each poll, on another compute.
    """
    with pytest.MonkeyPatch.context() as patch:
        azure = JobList(seconds=seconds, tokens=tokens).install(patch)
        azure.jobs = [Job(f"old-{number}", -float(number), "Completed") for number in range(jobs)]
        running = [azure.put(Job(f"train-{n}", -(n + 0.5) * jobs / max(1, live))) for n in range(live)]
        detach = Detach(azure, workloads={"policy": WAIT, "deadline": "P1D"})
        costs = [_cost(azure, detach, "first look (survey)", survey)]
        polls = []
        for number in range(_POLLS):
            azure.now += _BETWEEN
            azure.put(Job(f"other-{number}", float(number), compute="/elsewhere"))
            polls.append(_cost(azure, detach, "dearest poll with all of them live", drain))
        costs.append(max(polls, key=lambda cost: cost.calls))
        for job in running:
            job.status = "Completed"
        azure.now += _BETWEEN
        costs.append(_cost(azure, detach, "poll that finds none left", drain))
        costs.append(_cost(azure, detach, "last look before the detach", _last_look))
        azure.now += 10 * _BETWEEN
        costs.append(_cost(azure, detach, "look for what was left over", find_orphans))
    return costs


def _last_look(step: StepAtWork) -> Outcome:
    return came_since(step, Policy(WAIT)) or Done()


def _cost(azure: JobList, detach: Detach, name: str, work: Callable[[StepAtWork], Outcome]) -> Cost:
    azure.calls.clear()
    detach.seconds.clear()
    detach.see(work)
    return Cost(name, len(azure.calls), len(detach.seconds), max(detach.seconds), sum(detach.seconds))


if __name__ == "__main__":
    main()
