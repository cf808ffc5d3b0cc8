from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from domain.extension.tls_material import BadMaterial, check_material, to_setting
from tests.pem import CNAME, make_pair

NOW = datetime(2026, 11, 20, tzinfo=UTC)
PAIR, OTHER = make_pair(), make_pair()
ROOT = make_pair("root.example")
LEAF = make_pair(issuer=ROOT)


def broken(pem: str) -> str:
    """A PEM text whose first line of content is missing."""
    lines = pem.splitlines(keepends=True)
    return "".join([lines[0], *lines[2:]])


def test_a_pair_is_kept_as_it_is() -> None:
    material = check_material(PAIR.certificate, PAIR.key, CNAME, NOW)
    assert (material.certificates, material.key, material.warnings) == (PAIR.certificate, PAIR.key, ())
    assert base64.b64decode(to_setting(material.key)).decode() == PAIR.key
    assert "BEGIN" not in repr(material)


def test_one_text_with_both_is_taken_apart() -> None:
    both = f"Bag Attributes\n{PAIR.key}{PAIR.certificate}"
    material = check_material(both, both, CNAME, NOW)
    assert (material.certificates, material.key) == (PAIR.certificate, PAIR.key)


@pytest.mark.parametrize(
    ("certificate", "key", "message"),
    [
        (PAIR.certificate, PAIR.encrypted_key, "with pass phrase is not supported"),
        (PAIR.certificate, PAIR.traditional_encrypted_key, "with pass phrase is not supported"),
        (PAIR.certificate, OTHER.key, "do not match"),
        (ROOT.certificate + LEAF.certificate, LEAF.key, "must come first"),
        (PAIR.key, PAIR.key, "no certificate in PEM"),
        (PAIR.certificate, PAIR.certificate, "no key in PEM"),
        (PAIR.certificate, PAIR.key + OTHER.key, "more than one private key"),
        ("MIIKcQIBAzCCCi0GCSqGSIb3DQEHAaCC", PAIR.key, "no certificate in PEM"),
        (broken(PAIR.certificate), PAIR.key, "no valid PEM certificate"),
        (PAIR.certificate, broken(PAIR.key), "no valid PEM private key"),
        (make_pair("x.example").certificate, PAIR.key, "do not match"),
    ],
)
def test_what_cannot_be_used(certificate: str, key: str, message: str) -> None:
    with pytest.raises(BadMaterial, match=message) as refused:
        check_material(certificate, key, CNAME, NOW)
    assert refused.value.__cause__ is None
    assert not any(line in str(refused.value) for line in key.splitlines() if line)


@pytest.mark.parametrize(
    ("names", "cname", "fits"),
    [
        (("a.example", CNAME), CNAME, True),
        ((CNAME,), CNAME.upper(), True),
        (("*.contoso.example",), CNAME, True),
        (("*.contoso.example",), "a.b.contoso.example", False),
        (("*.contoso.example",), "contoso.example", False),
        (("contoso.example",), CNAME, False),
    ],
)
def test_the_certificate_is_for_the_name(names: tuple[str, ...], cname: str, fits: bool) -> None:
    pair = make_pair(*names)
    if fits:
        check_material(pair.certificate, pair.key, cname, NOW)
    else:
        with pytest.raises(BadMaterial, match="is not for"):
            check_material(pair.certificate, pair.key, cname, NOW)


def test_a_common_name_counts_where_there_is_no_other() -> None:
    pair = make_pair(alternative=False)
    assert check_material(pair.certificate, pair.key, CNAME, NOW).warnings == ()


def test_what_is_warned_of() -> None:
    past, future = make_pair(start=NOW - timedelta(days=9), days=8), make_pair(start=NOW + timedelta(days=1))
    for pair, text in ((past, "expired on"), (future, "not valid before")):
        assert [text in w for w in check_material(pair.certificate, pair.key, CNAME, NOW).warnings] == [True]
    whole = LEAF.certificate + ROOT.certificate
    assert check_material(whole, LEAF.key, CNAME, NOW).warnings == ()
    alone = check_material(LEAF.certificate, LEAF.key, CNAME, NOW).warnings
    assert "intermediate" in alone[0]
    mixed = check_material(LEAF.certificate + PAIR.certificate, LEAF.key, CNAME, NOW).warnings
    assert "out of order" in mixed[0]
