"""Every rule that needs the request alone: what violates it, and the nearest thing that does not."""

from __future__ import annotations

from typing import Any

import pytest

from domain.extension.keys import KEYS, WRONG, is_generated
from domain.extension.rules import check
from tests.domain.extension.making import (
    CERT,
    HTTP,
    KEY,
    PEM,
    TLS,
    TRAINING,
    texts,
)

Settings = dict[str, Any]
PLAIN, PROTECTED = "configurationSettings", "configurationProtectedSettings"
ASKED_FOR = [name for name in KEYS if not is_generated(name)]


def without(settings: Settings, *names: str) -> Settings:
    return {name: value for name, value in settings.items() if name not in names}


def against(settings: Settings, protected: dict[str, str]) -> dict[str, str]:
    """Messages by pointer, below the extension."""
    return {v.target.removeprefix("/extension/"): v.message for v in check(texts(settings), protected)}


# (rule, settings that violate it, protected, where, part of the message, settings and protected that just do not)
RULES: list[tuple[str, Settings, dict[str, str], str, str, Settings, dict[str, str]]] = [
    (
        "C3 key in both",
        {**TRAINING, "x": "1"},
        {"x": CERT},
        f"{PROTECTED}/x",
        "in one of them only",
        {**TRAINING, "x": "1"},
        {"X": CERT},
    ),
    (
        "C4 only true is true",
        {"enableTraining": "yes"},
        {},
        f"{PLAIN}/enableTraining",
        "reads everything else as false",
        {"enableTraining": "TRUE"},
        {},
    ),
    (
        "C4 one is not true",
        {**TRAINING, "installPromOp": 1},
        {},
        f"{PLAIN}/installPromOp",
        "true or false",
        {**TRAINING, "installPromOp": False},
        {},
    ),
    (
        "C5 a mode",
        {"enableTraining": False, "enableInference": False},
        {},
        f"{PLAIN}/enableTraining",
        "must be true",
        {"enableTraining": True, "enableInference": False},
        {},
    ),
    (
        "C6 a switch is no secret",
        TRAINING,
        {"enableInference": CERT},
        f"{PROTECTED}/enableInference",
        "is no secret",
        TRAINING,
        {"my.own": CERT},
    ),
    (
        "C8 TLS or insecure",
        without(HTTP, "allowInsecureConnections"),
        {},
        f"{PLAIN}/sslSecret",
        "allowInsecureConnections=true",
        HTTP,
        {},
    ),
    (
        "C8 insecure is false",
        {**HTTP, "allowInsecureConnections": False},
        {},
        f"{PLAIN}/sslSecret",
        "is required for inference",
        {**TLS, "allowInsecureConnections": False, "sslSecret": "tls"},
        {},
    ),
    (
        "C8 certificate without key",
        TLS,
        {"sslCertPemFile": CERT},
        f"{PROTECTED}/sslKeyPemFile",
        "is required with sslCertPemFile",
        TLS,
        PEM,
    ),
    (
        "C8 key without certificate",
        TLS,
        {"sslKeyPemFile": KEY},
        f"{PROTECTED}/sslCertPemFile",
        "is required with sslKeyPemFile",
        {**TLS, "sslSecret": "tls"},
        {},
    ),
    (
        "C9 cname with a secret",
        {**without(TLS, "sslCname"), "sslSecret": "tls"},
        {},
        f"{PLAIN}/sslCname",
        "is required with TLS",
        {**TLS, "sslSecret": "tls"},
        {},
    ),
    ("C9 cname with PEM", without(TLS, "sslCname"), PEM, f"{PLAIN}/sslCname", "is required with TLS", TLS, PEM),
    (
        "C9 cname whatever else",
        HTTP,
        PEM,
        f"{PLAIN}/sslCname",
        "also when allowInsecureConnections",
        {**HTTP, "sslCname": "a.example"},
        PEM,
    ),
    (
        "C10 router",
        without(HTTP, "inferenceRouterServiceType"),
        {},
        f"{PLAIN}/inferenceRouterServiceType",
        "is required",
        HTTP,
        {},
    ),
    (
        "C10 kinds of router",
        {**HTTP, "inferenceRouterServiceType": "ingress"},
        {},
        f"{PLAIN}/inferenceRouterServiceType",
        "loadBalancer or nodePort or clusterIP",
        {**HTTP, "inferenceRouterServiceType": "CLUSTERIP"},
        {},
    ),
    (
        "C11 only azure",
        {**HTTP, "internalLoadBalancerProvider": "aws"},
        {},
        f"{PLAIN}/internalLoadBalancerProvider",
        "must be azure",
        {**HTTP, "internalLoadBalancerProvider": "Azure"},
        {},
    ),
    (
        "C12 node port or balancer",
        {**HTTP, "inferenceRouterServiceType": "NodePort", "internalLoadBalancerProvider": "azure"},
        {},
        f"{PLAIN}/internalLoadBalancerProvider",
        "exclude each other",
        {**HTTP, "inferenceRouterServiceType": "NodePort"},
        {},
    ),
    (
        "C16 certificate among plain",
        {**TLS, "sslCertPemFile": "./cert.pem"},
        {"sslKeyPemFile": KEY},
        f"{PLAIN}/sslCertPemFile",
        "is a secret",
        TLS,
        PEM,
    ),
    (
        "key among plain",
        {**TRAINING, "scoringFe.sslKey": "c2VjcmV0"},
        {},
        f"{PLAIN}/scoringFe.sslKey",
        "as sslKeyPemFile",
        {**TRAINING, "scoringFe.other": "x"},
        {},
    ),
    (
        "connection string among plain",
        {**TRAINING, "relayserver.relayConnectionString": "x"},
        {},
        f"{PLAIN}/relayserver.relayConnectionString",
        "is a secret",
        {**TRAINING, "relayserver.image": "x"},
        {},
    ),
    (
        "PEM in any plain value",
        {**TRAINING, "x": "-----BEGIN PRIVATE KEY-----"},
        {},
        f"{PLAIN}/x",
        "holds a secret",
        {**TRAINING, "x": "BEGIN"},
        {},
    ),
    (
        "base64 of PEM in a plain value",
        {**TRAINING, "x": "LS0tLS1CRUdJTiBD"},
        {},
        f"{PLAIN}/x",
        "holds a secret",
        {**TRAINING, "x": "LS0t"},
        {},
    ),
    (
        "shared key in a plain value",
        {**TRAINING, "x": "Endpoint=sb://r;SharedAccessKey=k"},
        {},
        f"{PLAIN}/x",
        "holds a secret",
        {**TRAINING, "x": "Endpoint=sb://r"},
        {},
    ),
    (
        "protected is a reference",
        TLS,
        {**PEM, "sslKeyPemFile": "-----BEGIN PRIVATE KEY-----"},
        f"{PROTECTED}/sslKeyPemFile",
        "id of a Key Vault secret",
        TLS,
        PEM,
    ),
    (
        "reference to a secret",
        TLS,
        {**PEM, "sslCertPemFile": "https://kv-one.vault.azure.net/certificates/cert"},
        f"{PROTECTED}/sslCertPemFile",
        "id of a Key Vault secret",
        TLS,
        {**PEM, "sslCertPemFile": CERT + "/0123456789abcdef0123456789abcdef"},
    ),
    (
        "reference over https",
        TLS,
        {**PEM, "sslCertPemFile": CERT.replace("https", "http")},
        f"{PROTECTED}/sslCertPemFile",
        "id of a Key Vault secret",
        TLS,
        PEM,
    ),
    (
        "protected on the wire",
        TLS,
        {**PEM, "scoringFe.sslCert": CERT},
        f"{PROTECTED}/scoringFe.sslCert",
        "write sslCertPemFile",
        TLS,
        {**PEM, "scoringFe.more": CERT},
    ),
    (
        "cname is a name",
        {**TLS, "sslCname": "https://a.example"},
        PEM,
        f"{PLAIN}/sslCname",
        "DNS name",
        {**TLS, "sslCname": "*.a.example"},
        PEM,
    ),
    (
        "secret is a name",
        {**TLS, "sslSecret": "My Secret"},
        {},
        f"{PLAIN}/sslSecret",
        "Kubernetes secret",
        {**TLS, "sslSecret": "my-secret.v1"},
        {},
    ),
    (
        "nothing empty",
        {**TLS, "sslSecret": " "},
        {},
        f"{PLAIN}/sslSecret",
        "must not be empty",
        {**TLS, "sslSecret": "s"},
        {},
    ),
    (
        "purpose",
        {**TRAINING, "clusterPurpose": "production"},
        {},
        f"{PLAIN}/clusterPurpose",
        "FastProd or DevTest",
        {**TRAINING, "clusterPurpose": "devtest"},
        {},
    ),
    (
        "a label to select by",
        {**TRAINING, "nodeSelector.": "x"},
        {},
        f"{PLAIN}/nodeSelector.",
        "nodeSelector.<label>",
        {**TRAINING, "nodeSelector.a": "x"},
        {},
    ),
    ("a name of a setting", {**TRAINING, "a\nb": "x"}, {}, f"{PLAIN}/a\nb", "no name", {**TRAINING, "a b": "x"}, {}),
    (
        "text in one line",
        {**TRAINING, "x": "a\nb"},
        {},
        f"{PLAIN}/x",
        "control characters",
        {**TRAINING, "x": "a b"},
        {},
    ),
]


@pytest.mark.parametrize(
    ("settings", "protected", "where", "message", "near", "near_protected"),
    [row[1:] for row in RULES],
    ids=[row[0] for row in RULES],
)
def test_a_rule(
    settings: Settings,
    protected: dict[str, str],
    where: str,
    message: str,
    near: Settings,
    near_protected: dict[str, str],
) -> None:
    found = against(settings, protected)
    assert list(found) == [where]
    assert message in found[where]
    assert against(near, near_protected) == {}


def test_everything_wrong_is_said_at_once() -> None:
    settings = {"enableInference": "yes", "inferenceRouterServiceType": "x", "sslCname": "a b", "sslKeyPemFile": "k"}
    assert set(against(settings, {"y": "z"})) == {
        f"{PLAIN}/enableInference",
        f"{PLAIN}/inferenceRouterServiceType",
        f"{PLAIN}/sslCname",
        f"{PLAIN}/sslKeyPemFile",
        f"{PROTECTED}/y",
    }


@pytest.mark.parametrize(("name", "right"), WRONG.items())
def test_a_wrong_spelling_is_named_with_the_right_one(name: str, right: str) -> None:
    for place, settings, protected in ((PLAIN, {**TRAINING, name: "x"}, {}), (PROTECTED, TRAINING, {name: CERT})):
        found = against(settings, protected)
        where = f"{place}/{name}"
        assert list(found) == [where]
        assert right in found[where]


@pytest.mark.parametrize("name", ASKED_FOR)
def test_a_key_in_another_letter_case_is_a_wrong_spelling(name: str) -> None:
    for other in {name.upper(), name.lower(), name[0].swapcase() + name[1:]} - {name}:
        found = against({**TRAINING, other: "true"}, {})
        assert list(found) == [f"{PLAIN}/{other}"]
        assert name in found[f"{PLAIN}/{other}"]


@pytest.mark.parametrize(
    "other", ["NodeSelector.gpu", "nodeselector.gpu", "Toleration[0].key", "workloadToleration[1].value"]
)
def test_a_prefix_in_another_letter_case_is_a_wrong_spelling(other: str) -> None:
    assert "write" in against({**TRAINING, other: "x"}, {})[f"{PLAIN}/{other}"]


@pytest.mark.parametrize("name", ASKED_FOR)
def test_every_documented_key_is_taken(name: str) -> None:
    key = KEYS[name]
    value = {"switch": "true", "choice": (key.choices or ("",))[0], "text": "a.example"}[key.kind]
    assert against({**HTTP, "sslCname": "a.example", "enableTraining": True, name: value}, {}) == {}


def test_no_message_repeats_a_value() -> None:
    canary = "-----BEGIN hunter2"
    settings = dict.fromkeys([*KEYS, *WRONG, "sslCertPemFile", "x"], canary)
    for violation in check(settings, dict.fromkeys([*settings, "y"], canary)):
        assert "hunter2" not in violation.message
