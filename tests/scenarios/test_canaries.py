"""Secrets in what Azure, a job and a cluster say, in a stack of their own: none of them comes out of any sink."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from domain.catalogue.entry import ATTACH, DETACH, EXTENSION, HEALTH, JOB, REQUEST, Sample
from domain.catalogue.explain import GENERIC
from local import world as worlds
from local.stack import Options, Stack, running_stack
from tests.faults import canary
from tests.faults.canary import KeptAnswers
from tests.scenarios.catalogue_ways import Way, prepare
from tests.scenarios.conftest import BY_HAND
from tests.scenarios.helpers import ended
from tests.scenarios.test_catalogue_on_the_wire import DURATIONS, FACTOR
from tests.scenarios.test_extension import put_secrets

pytestmark = pytest.mark.long

SITUATIONS = (ATTACH, EXTENSION, HEALTH, JOB, DETACH, REQUEST)
# What the secret part of each canary is, by a name; each stands in its own shape in everything that Azure says.
HEARTS = {
    kind: base64.b64encode(f"the heart of a {kind}, which nobody may read".encode()).decode().rstrip("=")
    for kind in ("connection string", "private key", "token", "signature", "bearer", "password", "signed operation URL")
}
VAULT_VALUE = "opaque words that only the vault and the cluster know"
SAID = " ".join(
    [
        f"Endpoint=sb://relay.example.net/;SharedAccessKeyName=k;SharedAccessKey={HEARTS['connection string']}=",
        f"-----BEGIN RSA PRIVATE KEY-----\n{HEARTS['private key']}\n-----END RSA PRIVATE KEY-----",
        f"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJ4In0.{HEARTS['token']}",
        f"https://a.blob.core.windows.net/c?sv=2022-11-02&sig={HEARTS['signature']}%3D",
        f"Authorization: Bearer {HEARTS['bearer']}",
        f"https://moor:{HEARTS['password']}@registry.example.net/v2",
        f"https://management.azure.com/subscriptions/s?t=6388&c=MIIa&s={HEARTS['signed operation URL']}&h=abc",
        f"value '{VAULT_VALUE}' of serviceBusConnectionString is refused",
    ]
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    options = Options(factor=FACTOR, settings=BY_HAND, world=worlds.world_of())
    with running_stack(options, state_dir=tmp_path_factory.mktemp("canaries")) as running:
        running.azure.settings(durations=DURATIONS, throttling={"enabled": False})
        yield running


def way(number: int, situation: str) -> Way:
    return Way(GENERIC[situation], situation, Sample("E49990" if situation == HEALTH else "Odd", SAID, 418), number)


def test_what_azure_says_with_secrets_is_told_without(hostile: Stack) -> None:
    ways = [way(900 + number, situation) for number, situation in enumerate(SITUATIONS)]
    secret = put_secrets(hostile, {"own": VAULT_VALUE})["own"]
    hearts = {**HEARTS, "vault value": VAULT_VALUE}
    with KeptAnswers().kept() as answers:
        for each in ways:
            prepare(hostile, each)
        started = []
        for each in ways:
            body = each.body
            if each.situation == EXTENSION:
                body["extension"] = {"configurationProtectedSettings": {"serviceBusConnectionString": secret}}
            started.append(hostile.app.start(each.kind, body)["id"])
        operations = [ended(hostile, operation_id) for operation_id in started]
        for operation in operations:
            hostile.app.journal(operation["id"])
        hostile.app.operations()

    texts = [json.dumps(operation) for operation in operations]
    assert [operation["status"] for operation in operations] == ["Failed"] * len(SITUATIONS)
    # What stands around a secret is told: Azure's words came as far as the record.
    told = [situation for situation, text in zip(SITUATIONS, texts, strict=True) if "SharedAccessKey=REDACTED" in text]
    assert {ATTACH, EXTENSION, JOB, DETACH, REQUEST} <= set(told)
    assert [str(leak) for leak in canary.search(hostile, answers, hearts)] == []
    failed = [e["event"] for e in hostile.azure.topic_events() if e["event"]["type"] == "Moor.OperationFailed"]
    assert [set(event["data"]["error"]) for event in failed] == [{"code"}] * len(SITUATIONS)
