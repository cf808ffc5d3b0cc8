"""Requests read from JSON: every offending field at once, each with a code and its place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.requests.models import AttachRequest, DetachRequest
from domain.requests.parsing import MODELS, parse_request, request_to_json
from domain.violations import INVALID, NOT_YET, Refused, Violation
from tests.domain.asking import ATTACH, BAD, DETACH, IDENTITY, LATER, WORKSPACE, attach, violations, wrong

# Anything that JSON can hold.
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
AMOUNTS = {"cpu": "1", "memory": "1Gi"}
SMALL = {"name": "small", "resources": {"requests": AMOUNTS, "limits": AMOUNTS}}
# The same examples every time: no run may fail that another passed.
steady = settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FIELDS = (*AttachRequest.model_fields, *DetachRequest.model_fields, "extension", "deadline", "x")


def test_an_accepted_request_is_accepted_again_as_it_is() -> None:
    given = {
        "manage": "update",
        "version": "1.1.91",
        "configurationSettings": {
            "enableInference": True,
            "sslCname": "a.b.c",
            "inferenceRouterServiceType": "NodePort",
        },
        "configurationProtectedSettings": {
            "sslCertPemFile": "https://KV-1.vault.azure.net:443/secrets/Cert/",
            "sslKeyPemFile": "https://kv-1.vault.azure.net/secrets/key/0123456789abcdef0123456789abcdef",
        },
    }
    once = attach(extension=given, clusterPurpose="devTest")
    assert once["extension"]["configurationProtectedSettings"]["sslCertPemFile"] == (
        "https://kv-1.vault.azure.net/secrets/cert"
    )
    assert request_to_json(parse_request("attach", once)) == once


def test_all_offending_fields_are_reported_together() -> None:
    body = {"clusterId": WORKSPACE, "computeName": "", "x": 1, "expiresAt": "", "identity": {"type": 1, "y": 2}}
    assert wrong("attach", body) == {
        "/workspaceId": BAD,
        "/clusterId": BAD,
        "/computeName": BAD,
        "/x": BAD,
        "/expiresAt": LATER,
        "/identity/type": BAD,
        "/identity/y": BAD,
    }


@pytest.mark.parametrize("body", [None, [], "text", 3, True, [ATTACH]])
def test_what_is_no_object_is_refused(body: Any) -> None:
    assert wrong("attach", body) == {"": BAD}


@steady
@given(
    kind=st.sampled_from(["attach", "detach"]),
    body=st.dictionaries(st.sampled_from(FIELDS), json_values, min_size=1, max_size=4),
)
def test_any_json_is_taken_or_refused_with_reasons(kind: str, body: dict[str, Any]) -> None:
    for violation in violations(kind, {**(ATTACH if kind == "attach" else DETACH), **body}):
        assert violation.code in (BAD, LATER)
        assert violation.message
        assert violation.target.startswith("/")


@steady
@given(text=st.text() | st.from_regex(r"/?subscriptions/[0-9a-f-]*/resourceGroups/.*/providers/.*", fullmatch=True))
def test_any_text_as_an_id_is_taken_or_refused(text: str) -> None:
    assert {violation.target for violation in violations("attach", {**ATTACH, "clusterId": text})} <= {"/clusterId"}


@pytest.mark.parametrize(
    ("body", "violation"),
    [
        ({**ATTACH, "x": 1}, Violation(INVALID, "There is no such field.", "/x")),
        ({**ATTACH, "x/y~": 1}, Violation(INVALID, "There is no such field.", "/x~1y~0")),
        (
            {key: value for key, value in ATTACH.items() if key != "computeName"},
            Violation(INVALID, "The field is required.", "/computeName"),
        ),
        ([], Violation(INVALID, "must be a JSON object", "")),
        ({**ATTACH, "identity": 5}, Violation(INVALID, "must be a JSON object", "/identity")),
        (
            {**ATTACH, "expiresAt": "2027-01-01"},
            Violation(
                NOT_YET, "The field is described by the contract and not available in this release.", "/expiresAt"
            ),
        ),
    ],
)
def test_a_violation_says_what_in_words_of_our_own(body: Any, violation: Violation) -> None:
    assert violations("attach", body) == [violation]


@pytest.mark.parametrize("value", ["x" * 300, "a\x00b"])
def test_a_member_of_a_map_is_named_by_its_key(value: str) -> None:
    assert [each.target for each in violations("attach", {**ATTACH, "tags": {"te/am": value}})] == ["/tags/te~1am"]


def test_the_name_of_a_member_is_checked_too() -> None:
    assert [each.target for each in violations("attach", {**ATTACH, "tags": {"a\x00": "b"}})] == ["/tags/a\x00"]


def test_shape_and_rules_are_reported_together() -> None:
    body = {**ATTACH, "x": 1, "identity": {"type": "UserAssigned", "userAssignedIdentityId": IDENTITY}}
    body["extension"] = {"configurationSettings": {"enableTraining": "yes"}}
    assert wrong("attach", body) == {"/x": BAD, "/extension/configurationSettings/enableTraining": BAD}


def test_each_kind_of_operation_has_its_model() -> None:
    assert set(MODELS) == {"attach", "detach", "reattach"}
    with pytest.raises(KeyError):
        parse_request("plan", ATTACH)


def test_what_was_left_out_and_has_no_default_stays_out() -> None:
    kept = request_to_json(parse_request("detach", DETACH))
    assert DETACH.items() <= kept.items()
    assert None not in kept.values()


@pytest.mark.parametrize(
    ("kind", "field", "value", "words"),
    [
        ("attach", "computeName", "aks_pool", "2 to 16 letters, digits and hyphens, a letter first, no hyphen last"),
        ("attach", "computeName", "a-name-that-is-too-long", "2 to 16 letters"),
        ("detach", "computeName", "aks_pool", "letters, digits and hyphens"),
        ("reattach", "computeName", "aks_pool", "letters, digits and hyphens"),
        ("attach", "namespace", "AzureML-Jobs", "lower-case letters, digits and hyphens, no hyphen first or last"),
        ("attach", "namespace", "jobs-", "no hyphen first or last"),
        ("attach", "defaultInstanceType", "Not A Name", "at most 63 letters, digits and hyphens"),
        ("attach", "instanceTypes", [{**SMALL, "name": "Gpu_Large"}], "lower-case letters, digits and hyphens"),
    ],
)
def test_r26_a_rule_is_told_in_words(kind: str, field: str, value: Any, words: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_request(kind, {**(ATTACH if kind == "attach" else DETACH), field: value})
    (found,) = refused.value.violations
    assert (found.target.split("/")[1], words in found.message) == (field, True)
    assert not {*"^$[]\\"} & {*found.message}, found.message


@pytest.mark.parametrize("name", ["nodeSelector.gpu", r"nodeSelector.team\.contoso\.com/ml", "toleration[0].value"])
def test_true_is_written_as_kubernetes_writes_it_where_it_is_of_a_label(name: str) -> None:
    settings_ = {"enableTraining": True, name: True}
    for kind, body in (("attach", ATTACH), ("reattach", DETACH)):
        asked = request_to_json(parse_request(kind, {**body, "extension": {"configurationSettings": settings_}}))
        assert asked["extension"]["configurationSettings"] == {"enableTraining": "True", name: "true"}
