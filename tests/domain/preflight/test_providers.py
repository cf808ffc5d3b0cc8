"""Resource providers: what worries the check, and near misses that pass."""

from __future__ import annotations

import pytest

from domain.preflight.providers import providers_for, unregistered
from tests.domain.preflight.case import Case, assert_judged, untested
from tests.domain.preflight.clusters import (
    DOWN,
    facts,
)

UNREGISTERED = {"Microsoft.KubernetesConfiguration": "NotRegistered", "Microsoft.ContainerService": "Registered"}


CASES = (
    Case("providers", "not registered", facts(providers=UNREGISTERED), "fail", "Microsoft.KubernetesConfiguration"),
    Case(
        "providers", "to be registered",
        facts(providers=UNREGISTERED, request={"registerProviders": True}), "pass", "as asked",
    ),
    Case("providers", "cannot be read", facts(providers=DOWN), "unknown", "503"),
    Case(
        "providers", "cannot be read, and it depends",
        facts(providers=DOWN, request={"registerProviders": True}), "fail", "depends",
    ),
    Case("providers", "registered", facts(), "pass"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.check}: {c.name}")
def test_a_check(case: Case) -> None:
    assert_judged(case)


def test_every_check_has_a_worry_and_a_near_miss() -> None:
    assert untested("domain.preflight.providers", CASES) == set()


def test_only_registered_is_registered() -> None:
    states = {"A": "Registered", "B": "registered", "C": "Registering", "D": "NotRegistered", "E": "unknown"}
    assert unregistered(states) == ["C", "D", "E"]


def test_an_arc_cluster_needs_the_relay_and_no_aks() -> None:
    assert set(providers_for(True)) - set(providers_for(False)) == {"Microsoft.Kubernetes", "Microsoft.Relay"}
    assert set(providers_for(False)) - set(providers_for(True)) == {"Microsoft.ContainerService"}
