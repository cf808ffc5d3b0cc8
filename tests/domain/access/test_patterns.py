from __future__ import annotations

import time

import pytest

from domain.access.patterns import arm_pattern, fits_id, fits_name, fits_secret, secret_pattern
from domain.arm_ids import MANAGED_CLUSTER, WORKSPACE
from tests.making import CLUSTER_ID, SUB, WORKSPACE_ID

BELOW = f"/subscriptions/{SUB}/resourceGroups"
CLUSTERS = f"providers/{MANAGED_CLUSTER}"


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        (CLUSTER_ID, True),
        (CLUSTER_ID.upper(), True),
        (f"{BELOW}/*/{CLUSTERS}/*", True),
        (f"{BELOW}/r*/{CLUSTERS}/a*s", True),
        (f"{BELOW}/rg*/{CLUSTERS}/aks*", True),
        (f"{BELOW}/rg/{CLUSTERS}/ak", False),
        (f"{BELOW}/rg/{CLUSTERS}/*aksaks*", False),
        (f"{BELOW}/g*/{CLUSTERS}/*", False),
        (f"{BELOW}/*", False),
        (f"{BELOW}/*/*", False),
        ("*", False),
        (f"{BELOW}/rg/providers/*/aks", False),
    ],
)
def test_a_star_stands_for_text_within_one_segment(pattern: str, fits: bool) -> None:
    assert fits_id(pattern, CLUSTER_ID) is fits


def test_the_ends_of_a_pattern_do_not_share_text() -> None:
    assert not fits_name("ab*ba", "aba")
    assert fits_name("ab*ba", "abba")
    assert not fits_name("a*b*c", "ac")


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "",
        "/",
        WORKSPACE_ID.replace(SUB, "*"),
        WORKSPACE_ID.replace(SUB, SUB[:-1] + "*"),
        WORKSPACE_ID.replace(SUB, "not-a-guid"),
        WORKSPACE_ID[1:],
        WORKSPACE_ID + "/",
        WORKSPACE_ID + "/computes/x",
        WORKSPACE_ID.replace("/rg/", "//"),
        WORKSPACE_ID.replace("/rg/", "/r@g/"),
        WORKSPACE_ID.replace("/rg/", "/r%2Fg/"),
        WORKSPACE_ID.replace("workspaces/ws", "*/ws"),
        WORKSPACE_ID + "\n",
        CLUSTER_ID,
    ],
)
def test_what_is_no_pattern_of_a_workspace_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be|is no|is about"):
        arm_pattern(text, WORKSPACE)


def test_a_pattern_is_put_into_canonical_spelling() -> None:
    assert arm_pattern(WORKSPACE_ID.lower(), WORKSPACE).endswith(
        "providers/Microsoft.MachineLearningServices/workspaces/ws"
    )
    anywhere = WORKSPACE_ID.replace(SUB, "*")
    assert arm_pattern(anywhere, WORKSPACE, any_subscription=True) == anywhere


@pytest.mark.parametrize(
    ("pattern", "secret", "fits"),
    [
        ("https://team-tls.vault.azure.net/secrets/*", "https://team-tls.vault.azure.net/secrets/cert", True),
        ("https://team-*.vault.azure.net/secrets/tls-*", "https://TEAM-tls.vault.azure.net/secrets/TLS-key", True),
        ("https://team-tls.vault.azure.net/secrets/*", "https://other.vault.azure.net/secrets/cert", False),
        ("https://*.vault.azure.net/secrets/*", "https://a.b.vault.azure.net/secrets/cert", False),
        ("https://*.vault.azure.net/secrets/*", "https://kvt.vault.azure.cn/secrets/cert", False),
        ("https://kvt.vault.azure.net/secrets/cert", f"https://kvt.vault.azure.net/secrets/cert/{'a' * 32}", True),
        (f"https://kvt.vault.azure.net/secrets/cert/{'a' * 32}", "https://kvt.vault.azure.net/secrets/cert", False),
        ("https://kvt.vault.azure.net/secrets/*", "https://kvt.vault.azure.net@evil.example/secrets/cert", False),
        ("https://kvt.vault.azure.net/secrets/*", "no id", False),
    ],
)
def test_secrets_are_matched_by_vault_and_name(pattern: str, secret: str, fits: bool) -> None:
    assert fits_secret(secret_pattern(pattern), secret) is fits


@pytest.mark.parametrize(
    "text",
    [
        "http://kv.vault.azure.net/secrets/x",
        "https://kvt.*/secrets/x",
        "https://kvt.vault.azure.net/keys/x",
        "https://*/secrets/*",
        "https://a@kv.vault.azure.net/secrets/x",
    ],
)
def test_what_is_no_pattern_of_a_secret_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be https"):
        secret_pattern(text)


def test_names_of_settings_have_a_letter_case() -> None:
    assert fits_name("amloperator.*", "amloperator.skip")
    assert not fits_name("amloperator.*", "AmlOperator.skip")
    assert not fits_name("*", "amloperator.skip")


def test_no_pattern_takes_long() -> None:
    began = time.monotonic()
    assert not fits_name("*a" * 1000 + "*b", "a" * 20_000)
    assert time.monotonic() - began < 1
