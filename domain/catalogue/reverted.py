"""What is to be done once an operation has reverted what it made: not to delete or to look at what is gone."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace

from domain.catalogue.entry import AT_CLUSTER, AT_WORKSPACE, COMPUTE_MADE, EXTENSION_MADE, fill_command, fill_text
from domain.catalogue.explain import ENTRIES
from domain.problems import Problem

# Commands that name what was reverted, and what to look at instead.
_COMMANDS = (
    (
        COMPUTE_MADE,
        re.compile(r"az ml compute (?:show|detach|update) "),
        f"az ml compute list {AT_WORKSPACE} --output table",
    ),
    (
        EXTENSION_MADE,
        re.compile(
            r"az k8s-extension (?:show|delete|update) |kubectl .*--namespace azureml\b(?!.*owner=helm)", re.DOTALL
        ),
        f"az k8s-extension list {AT_CLUSTER} --output table",
    ),
)


def after_undo(problem: Problem, gone: Collection[str], facts: Mapping[str, str]) -> Problem:
    """The problem with a remedy and a command for what is left; ``gone`` holds COMPUTE_MADE, EXTENSION_MADE or both."""
    remedies = [
        entry.without.remedy
        for entry in ENTRIES
        if entry.code == problem.code
        and entry.without is not None
        and entry.without.of in gone
        and fill_text(entry.remedy, facts) == problem.remedy
    ]
    commands = [
        fill_command(instead, facts)
        for of, named, instead in _COMMANDS
        if of in gone and problem.command is not None and named.match(problem.command)
    ]
    return replace(problem, remedy=next(iter(remedies), problem.remedy), command=next(iter(commands), problem.command))
