"""What Moor finds wrong inside a cluster."""

from __future__ import annotations

import pytest

from domain.catalogue.entry import MOOR, Entry
from domain.catalogue.moor import cluster
from domain.cluster.legacy_objects import LEGACY_OBJECTS
from tests.domain.catalogue.shelf import unraised


@pytest.mark.parametrize("entry", cluster.ENTRIES, ids=lambda e: e.key)
def test_what_moor_says_is_raised_by_it_alone_and_with_every_fact(entry: Entry) -> None:
    assert unraised(entry) == set()
    assert (entry.situations, entry.on) == ((MOOR,), ())


def test_the_command_against_leftovers_deletes_each_of_them() -> None:
    left = next(entry for entry in cluster.ENTRIES if entry.code == "LegacyObjectsLeft")
    words = left.command.split()
    assert words[:2] == ["kubectl", "delete"]
    assert {f"{each.plural}/{each.name}" for each in LEGACY_OBJECTS} <= set(words)


def test_who_may_not_is_not_who_was_refused() -> None:
    remedies = {entry.code: entry.remedy for entry in cluster.ENTRIES}
    assert "role" in remedies["KubernetesForbidden"]
    assert "role" not in remedies["KubernetesRefused"]


def test_only_components_get_well_alone() -> None:
    assert [entry.key for entry in cluster.ENTRIES if entry.transient] == ["ComponentsUnhealthy"]
