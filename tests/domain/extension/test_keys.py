"""The documented settings: their names, the spellings that are wrong, and what is secret."""

from __future__ import annotations

import base64

import pytest

from domain.extension.keys import (
    BOTH,
    INFERENCE,
    KEYS,
    PROTECTED,
    TRAINING,
    WRONG,
    for_helm,
    is_documented,
    label_of,
    looks_secret,
    mode_of,
    right_spelling,
    secret_name,
)


@pytest.mark.parametrize(
    "name", [*KEYS, "nodeSelector.agentpool", "toleration[0].key", "workLoadToleration[12].effect"]
)
def test_what_is_documented_is_spelled_right(name: str) -> None:
    assert is_documented(name)
    assert right_spelling(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "nodeSelector",
        "nodeSelector.",
        "toleration[x].key",
        "toleration[0].other",
        "toleration[0]",
        "enabletraining",
        "x",
    ],
)
def test_what_comes_near_is_not_documented(name: str) -> None:
    assert not is_documented(name)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        *((name.upper(), right) for name, right in WRONG.items() if name.upper() not in (n.upper() for n in KEYS)),
        ("ENABLETRAINING", "enableTraining"),
        ("sslcertpemfile", "sslCertPemFile"),
        ("NodeSelector.Team", "nodeSelector.Team"),
        ("Toleration[0].key", "toleration[0].key"),
        ("workloadToleration[1].value", "workLoadToleration[1].value"),
        ("my.own", None),
    ],
)
def test_a_wrong_spelling_has_a_right_one(name: str, right: str | None) -> None:
    assert right_spelling(name) == right


def test_no_wrong_spelling_is_documented_and_every_right_one_is() -> None:
    for wrong, right in WRONG.items():
        name = right.partition("=")[0].replace("<label>", "x")
        assert not is_documented(wrong)
        assert is_documented(name) or name in PROTECTED


@pytest.mark.parametrize(("asked", "wire"), PROTECTED.items())
def test_a_protected_setting_is_known_by_both_its_names_in_any_spelling(asked: str, wire: str) -> None:
    assert {secret_name(name) for name in (asked, wire, asked.upper(), wire.lower())} == {asked}
    assert asked not in KEYS


def test_a_plain_setting_is_no_secret() -> None:
    assert {secret_name(name) for name in (*KEYS, "my.own")} == {None}


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ("-----BEGIN CERTIFICATE-----", True),
        (base64.b64encode(b"-----BEGIN PRIVATE KEY-----").decode(), True),
        ("Endpoint=sb://x/;SharedAccessKey=k", True),
        ("DefaultEndpointsProtocol=https;AccountKey=k", True),
        ("https://x/y?a=b&SIG=s", True),
        ("loadBalancer", False),
        ("https://kv-1.vault.azure.net/secrets/cert", False),
        ("design=x", False),
    ],
)
def test_a_value_is_visibly_secret_or_not(value: str, secret: bool) -> None:
    assert looks_secret(value) is secret


def test_a_setting_has_the_mode_that_it_has_an_effect_in() -> None:
    assert mode_of("installVolcano") == TRAINING
    assert mode_of("sslCname") == INFERENCE
    assert {mode_of("nodeSelector.x"), mode_of("my.own"), mode_of("enableTraining")} == {BOTH}


def test_choices_are_those_of_choices_only() -> None:
    assert {key.kind for key in KEYS.values() if key.choices} == {"choice"}
    assert [key.name for key in KEYS.values() if key.kind == "choice" and not key.choices] == []


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("nodeSelector.agentpool", "nodeSelector.agentpool"),
        ("nodeSelector.a.b/c", r"nodeSelector.a\.b/c"),
        (r"nodeSelector.a\.b/c", r"nodeSelector.a\.b/c"),
        (r"nodeSelector.a\.b.c/d", r"nodeSelector.a\.b\.c/d"),
        ("toleration[0].key", "toleration[0].key"),
        ("scoringFe.enableUpgrade", "scoringFe.enableUpgrade"),
    ],
)
def test_r4_only_dots_of_labels_are_escaped_and_only_once(name: str, sent: str) -> None:
    assert for_helm(name) == for_helm(sent) == sent
    assert label_of(name) == label_of(sent)
    assert "\\" not in label_of(sent)
