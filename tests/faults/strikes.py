"""Which calls are struck: each distinct one of an operation with each fault, and of the others a share, by seed.

Calls of one step with one label are alike: what the app does when one of them is struck hardly depends on which it is.
"""

from __future__ import annotations

import math
import random
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.faults.calls import ALL_CHANGES, Call, Fault, Plan
from tests.faults.driver import COLD, COLD_CALLS
from tests.faults.refusals import FAILED_LATER, REFUSED_OPERATIONS

# Of the calls that are not the first of their kind, one in so many is struck.
SHARE = 20
# So many calls are struck in one run.
_MOST_ERRORS, _MOST_KILLS = 8, 4
_NO_STEP = "-"
# Stands for the step of an operation of Azure's that it accepts and fails: no call is struck.
_AZURE = "azure"

Named = tuple[str, str]
"""Step and label of a call."""


@dataclass(frozen=True)
class Strike:
    """One fault at one call: the ``occurrence``-th, counted from 1, of those with this step and label."""

    operation: str
    fault: Fault
    step: str
    label: str
    occurrence: int = 1

    @property
    def plan(self) -> Plan:
        """What the switchboard is asked for."""
        if self.fault is Fault.FAILED_LATER:
            return Plan(FAILED_LATER.index(self.label) + 1, self.fault)
        return Plan(self.occurrence, self.fault, f"^{re.escape(self.label)}$", self.step)

    @property
    def at(self) -> str:
        """The call in one text, for the command line: step, occurrence and label."""
        return f"{self.step or _NO_STEP} {self.occurrence} {self.label}"

    def __str__(self) -> str:
        return f"{self.operation}, {self.fault} at {self.at}"


def together(strikes: Iterable[Strike]) -> list[list[Strike]]:
    """The strikes in groups that one run takes: of one fault each, and no two of one step.

    What the app does when a call is struck is to do its step again. So strikes at other steps neither hide it nor hide
    behind it; a group that fails is parted until the strikes that fail are known (side_by_side.py). A fault that ends
    the operation is alone.
    """
    groups: list[list[Strike]] = []
    for strike in strikes:
        most = 1 if strike.fault.ends else _MOST_KILLS if strike.fault.kills else _MOST_ERRORS
        for group in groups:
            same = group[0].fault is strike.fault
            if same and len(group) < most and strike.step not in {other.step for other in group}:
                group.append(strike)
                break
        else:
            groups.append([strike])
    return groups


def strike_at(operation: str, fault: Fault, at: str) -> Strike:
    """The strike that ``at`` names. Raises ValueError when it is not step, occurrence and label."""
    step, occurrence, label = at.split(" ", 2)
    return Strike(operation, fault, "" if step == _NO_STEP else step, label, int(occurrence))


def command(strikes: Sequence[Strike]) -> str:
    """What a person types to strike these once more, in one run of their operation."""
    first = strikes[0]
    at = " ".join(f"--at {shlex.quote(strike.at)}" for strike in strikes)
    return f"python -m tests.faults --operation {shlex.quote(first.operation)} --fault {first.fault} {at}"


def named(calls: Iterable[Call]) -> list[Named]:
    """The calls of a run by step and label, in order."""
    return [(call.step, call.label) for call in calls]


def faults_of(operation: str) -> list[Fault]:
    """What an operation is taken through: those that end it are for the attaches of everything."""
    return [fault for fault in Fault if not fault.ends or operation in REFUSED_OPERATIONS]


def strikeable(operation: str, calls: Iterable[Named]) -> list[Named]:
    """The calls of an operation that count. Of a cold attach only those do that no other attach makes."""
    return [(step, label) for step, label in calls if operation != COLD or re.search(COLD_CALLS, label)]


def strikes_of(operation: str, calls: Sequence[Named], seed: int, share: int = SHARE) -> list[Strike]:
    """Every strike of an operation that makes these calls: the distinct ones first, each part in an order by seed."""
    counted, seen = [], dict[Named, int]()
    for name in strikeable(operation, calls):
        seen[name] = seen.get(name, 0) + 1
        counted.append((*name, seen[name]))
    chance = random.Random(f"{seed} {operation}")
    first: list[Strike] = []
    others: list[Strike] = []
    for fault in faults_of(operation):
        if fault is Fault.FAILED_LATER:
            first += [Strike(operation, fault, _AZURE, kind) for kind in FAILED_LATER]
            continue
        all_of_it = [
            Strike(operation, fault, step, label, occurrence)
            for step, label, occurrence in counted
            if fault is not Fault.REFUSED or re.search(ALL_CHANGES, label)
        ]
        first += [strike for strike in all_of_it if strike.occurrence == 1]
        rest = [strike for strike in all_of_it if strike.occurrence > 1]
        others += chance.sample(rest, math.ceil(len(rest) / share))
    chance.shuffle(first)
    chance.shuffle(others)
    return first + others
