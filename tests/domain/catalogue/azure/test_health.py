"""Reports of the extension's health check: one number, one entry."""

from __future__ import annotations

import pytest

from domain.catalogue.azure import health
from domain.cluster.legacy_objects import LEGACY_OBJECTS
from domain.problems import AzureAnswer
from tests.domain.catalogue.shelf import known_to, resolved

# Code or message, as Microsoft's troubleshooting pages and public issues give them -> Moor's code.
LITERALS = [
    ("health", "E40000", "UNKNOWN_ERROR", "HealthUnknownError"),
    ("health", "E40001", "", "LoadBalancerNotSupported"),
    ("health", "E40002", "", "InsufficientNodes"),
    ("health", "E40003", "", "InternalLoadBalancerNotSupported"),
    ("health", "E40004", "", "RouterMissing"),
    ("health", "E40005", "", "RouterScaleUpTimeout"),
    ("health", "E40006", "", "RouterReplicasNotUpdated"),
    ("health", "E40007", "", "TlsSettingInvalid"),
    ("health", "E45001", "", "ExtensionResourcesUnhealthy"),
    ("health", "E45002", "", "PrometheusConflict"),
    ("health", "E45003", "", "OutboundNetworkBlocked"),
    ("health", "E45004", "", "LegacyRouterRoles"),
    ("health", "E45005", "", "LegacyRouterDeployment"),
    ("health", "E49999", "", "HealthCheckCrashed"),
    ("health", "E45005", "Azureml Fe deployment confict", "LegacyRouterDeployment"),
    (
        "extension",
        None,
        "Status: Failed Name: inferencev1 ErrorCode: E45005 ErrorMessage: Azureml Fe deployment confict",
        "LegacyRouterDeployment",
    ),
]
# Words that come near those of an entry, or that mean something in another situation only.
NEAR_MISSES = [
    (
        "health",
        "Status: Failed Name: instancetype ErrorCode: E45006 ErrorMessage: Failed to validate or update instancetype",
    ),
    ("health", "E400011"),
    ("health", "XE40001"),
    ("health", "INSUFFICIENT_NODES_X"),
    ("job", "AGENT_UNHEALTHY"),
    ("attach", "E40001"),
]


@pytest.mark.parametrize(("situation", "code", "message", "expected"), LITERALS)
def test_a_literal_of_the_sources_is_explained(situation: str, code: str | None, message: str, expected: str) -> None:
    assert resolved(health.ENTRIES, situation, AzureAnswer(code, message)) == expected


@pytest.mark.parametrize(("situation", "message"), NEAR_MISSES)
def test_a_near_miss_is_not(situation: str, message: str) -> None:
    assert resolved(health.ENTRIES, situation, AzureAnswer(None, message)) is None


def test_a_number_that_the_check_does_not_document_is_repeated() -> None:
    assert health.GENERIC not in health.ENTRIES
    assert "{said}" in health.GENERIC.cause


def test_each_number_and_each_name_has_one_entry() -> None:
    plain = [entry for entry in health.ENTRIES if entry.variant is None]
    numbers = [str(entry.samples[0].code) for entry in plain]
    assert len(set(numbers)) == len(numbers) == len({entry.code for entry in health.ENTRIES})
    for entry, number in zip(plain, numbers, strict=True):
        assert known_to(health.ENTRIES, AzureAnswer(number)) == [entry.key]
        assert known_to(health.ENTRIES, AzureAnswer(None, f"x: {number}:y")) == [entry.key]


def test_a_variant_takes_the_place_of_its_number_where_its_setting_is_set() -> None:
    variants = [entry for entry in health.ENTRIES if entry.variant is not None]
    assert len(variants) == 3
    for entry in variants:
        (sample,) = entry.samples
        assert known_to(health.ENTRIES, sample.answer, *sample.facts) == [entry.key]
        assert known_to(health.ENTRIES, AzureAnswer(None, entry.samples[0].message.lower()), *sample.facts) == [
            entry.key
        ]


def test_what_deletes_the_router_of_v1_names_all_that_it_left() -> None:
    words = health.LEGACY_ROUTER.split()
    assert {f"{each.kind.lower()}/{each.name}" for each in LEGACY_OBJECTS} <= set(words)
