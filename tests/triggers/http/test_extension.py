"""What is refused of an extension at the edge: every offending setting named, nothing begun, nothing repeated."""

from __future__ import annotations

from typing import Any

import pytest

from gateways.storage import records
from tests.conftest import Tables
from tests.domain.extension.making import (
    CERT,
    HTTP,
    KEY,
    PEM,
    TLS,
    TRAINING,
)
from tests.domain.extension.test_rules import RULES
from tests.triggers.http.http_app import App, attach_body

PLAIN, PROTECTED = "configurationSettings", "configurationProtectedSettings"


@pytest.mark.parametrize("row", RULES, ids=[row[0] for row in RULES])
async def test_a_rule(app: App, tables: Tables, row: Any) -> None:
    _, settings, protected, where, message, *_ = row
    answer = await app.post("/attach", attach_body(extension={PLAIN: settings, PROTECTED: protected}))
    assert answer.status == 400
    assert answer.error["code"] == "InvalidRequest"
    (detail,) = answer.error["details"]
    assert detail["target"] == f"/extension/{where}"
    assert message in detail["message"]
    assert tables.rows() == []
    assert app.engine.started == []


async def test_every_offending_setting_is_named_and_no_secret_repeated(app: App, tables: Tables) -> None:
    extension = {
        "manage": "sometimes",
        PLAIN: {"enableInference": True, "InferenceRouterHA": False, "sslKeyPemFile": "hunter2"},
        PROTECTED: {"sslCertPemFile": "hunter2", "sslCertKeyFile": "hunter2", "a/b~c": "hunter2"},
    }
    answer = await app.post("/attach", attach_body(extension=extension, computeName="-"))
    assert answer.status == 400
    assert set(answer.targets()) == {
        "/computeName",
        "/extension/manage",
        "/extension/configurationSettings/InferenceRouterHA",
        "/extension/configurationSettings/sslKeyPemFile",
        "/extension/configurationProtectedSettings/sslCertPemFile",
        "/extension/configurationProtectedSettings/sslCertKeyFile",
        "/extension/configurationProtectedSettings/a~1b~0c",
    }
    assert "hunter2" not in str(answer.json)
    assert tables.rows() == []


# The four scenarios of how-to-deploy-kubernetes-extension.md, as it words their settings.
PROOF_OF_CONCEPT = {**HTTP, **TRAINING, "inferenceRouterServiceType": "LoadBalancer", "InferenceRouterHA": False}
ARC_TRAINING = {"enableTraining": True}
PRODUCTION = {**TLS, **TRAINING, "inferenceRouterServiceType": "LoadBalancer"}
ARC_PRODUCTION = {
    **TLS,
    **TRAINING,
    "inferenceRouterServiceType": "NodePort",
    "installNvidiaDevicePlugin": True,
    "installDcgmExporter": True,
}


async def test_proof_of_concept_has_the_documents_own_misspelling(app: App) -> None:
    answer = await app.post("/attach", attach_body(extension={PLAIN: PROOF_OF_CONCEPT}))
    assert answer.targets() == {"/extension/configurationSettings/InferenceRouterHA": "InvalidRequest"}
    assert "inferenceRouterHA" in answer.error["details"][0]["message"]
    right = {k: v for k, v in PROOF_OF_CONCEPT.items() if k != "InferenceRouterHA"} | {"inferenceRouterHA": False}
    assert (await app.post("/attach", attach_body(extension={PLAIN: right}))).status == 202


@pytest.mark.parametrize(
    ("settings", "protected"),
    [(ARC_TRAINING, {}), (PRODUCTION, PEM), (ARC_PRODUCTION, PEM)],
    ids=["training", "tls", "gpu"],
)
async def test_the_other_scenarios_are_accepted(app: App, settings: dict[str, Any], protected: dict[str, str]) -> None:
    answer = await app.post("/attach", attach_body(extension={PLAIN: settings, PROTECTED: protected}))
    assert answer.status == 202
    shown = answer.json["request"]["extension"]
    assert shown[PROTECTED] == protected, "references are no secrets"
    stored = records.read(answer.json["id"])
    assert stored is not None
    assert stored.operation.request["extension"] == shown


@pytest.mark.parametrize("paths", [{"sslCertPemFile": "./cert.pem", "sslKeyPemFile": "./key.pem"}])
async def test_paths_are_a_notion_of_the_command_line(app: App, paths: dict[str, str]) -> None:
    answer = await app.post("/attach", attach_body(extension={PLAIN: PRODUCTION, PROTECTED: paths}))
    assert set(answer.targets()) == {f"/extension/{PROTECTED}/{name}" for name in paths}


async def test_a_request_is_the_same_in_every_spelling(app: App) -> None:
    one = {PLAIN: {**TLS, "enableTraining": True}, PROTECTED: PEM}
    other = {
        "manage": "ensure",
        "version": None,
        PLAIN: {**TLS, "enableTraining": "True"},
        PROTECTED: {"sslKeyPemFile": KEY.upper().replace("HTTPS", "https"), "sslCertPemFile": CERT + "/"},
    }
    first = await app.post("/attach", attach_body(extension=one))
    second = await app.post("/attach", attach_body(extension=other))
    assert (first.status, second.status) == (202, 200)
    assert first.json["id"] == second.json["id"]
