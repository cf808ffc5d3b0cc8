"""After an undo nobody is sent to delete, detach or look at what is gone."""

from __future__ import annotations

import re

import pytest

from domain.catalogue.entry import ATTACH, COMPUTE_MADE, EXTENSION, EXTENSION_MADE, HEALTH, Entry
from domain.catalogue.explain import ENTRIES, problem_of
from domain.catalogue.reverted import after_undo
from domain.operation.facts import facts_of
from tests.making import make_operation

FACTS = {**facts_of(make_operation()), "said": "odd", "resource": "clusterrole", "kind": "ClusterRole", "object": "x"}
BOTH = (COMPUTE_MADE, EXTENSION_MADE)
GONE = re.compile(
    r"\b(delete|update|reinstall|look at|show) (the |a )?(failed )?extension\b|\bdetach (the|and)\b"
    r"|read (the|its) (reports|log)|succeeded and that its pods",
    re.IGNORECASE,
)
# What these say of an earlier compute or extension is not of the operation's own.
OF_OTHERS = {"ComputeCannotBeUpdated", "ComputeNameInUse-azure", "ComputeTypeRetired"}


@pytest.mark.parametrize(
    "entry",
    [e for e in ENTRIES if {ATTACH, EXTENSION, HEALTH} & {*e.situations} and e.key not in OF_OTHERS],
    ids=lambda e: e.key,
)
def test_r18_no_remedy_sends_to_what_is_gone(entry: Entry) -> None:
    problem = after_undo(problem_of(entry, FACTS, None), BOTH, FACTS)
    remedy = (
        str(problem.remedy)
        .replace("read the reports, which stay then", "")
        .replace("read the reports and the log, which stay then", "")
    )
    assert GONE.search(remedy) is None, problem.remedy
    assert not re.match(r"az (ml compute|k8s-extension) (show|detach|delete|update) ", str(problem.command))


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.without is not None], ids=lambda e: e.key)
def test_the_remedy_stays_while_what_was_made_does(entry: Entry) -> None:
    assert entry.without is not None
    before = problem_of(entry, FACTS, None)
    assert after_undo(before, (), FACTS) == before
    assert after_undo(before, (entry.without.of,), FACTS).remedy == entry.without.remedy
