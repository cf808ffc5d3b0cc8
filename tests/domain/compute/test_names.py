from __future__ import annotations

import re

import pytest

from domain.compute.names import PATTERN, compute_name_for


@pytest.mark.parametrize("name", ["aks", "a1", "gpu-cluster-01", "A" * 16])
def test_a_name_that_fits_is_kept(name: str) -> None:
    assert compute_name_for(name, "/id") == name


@pytest.mark.parametrize(
    "name", ["a", "1aks", "my_cluster", "aks-", "-", "a" * 63, "gpu.cluster", "42", "fifteen-letters-"]
)
def test_any_other_name_is_made_to_fit(name: str) -> None:
    made = compute_name_for(name, "/id")
    assert re.match(PATTERN, made), made


def test_clusters_whose_names_begin_alike_get_names_of_their_own() -> None:
    long = "training-cluster-westeurope-"
    assert compute_name_for(long + "1", "/ids/1") != compute_name_for(long + "2", "/ids/2")


def test_the_same_cluster_always_gets_the_same_name() -> None:
    assert compute_name_for("x" * 30, "/Sub/A") == compute_name_for("x" * 30, "sub/a/")
