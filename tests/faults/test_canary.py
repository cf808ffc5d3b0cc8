"""No secret that the app knows, or is sent, is ever written anywhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.app_client import AppClient
from tests.faults import canary
from tests.faults.canary import KeptAnswers
from tests.faults.driver import ATTACH, DETACH, Driver
from tests.faults.fault_stack import fault_stack

SEEDED = {
    "a seeded connection string": "Endpoint=sb://relay;SharedAccessKeyName=k;SharedAccessKey=c2VlZGVkLXJlbGF5LXNlY3JldA==",
    "a seeded TLS key": "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwseededTLSkey",
    "a seeded storage key": "c2VlZGVkLXN0b3JhZ2Uta2V5LXRoYXQtbm9ib2R5LWhhcw==",
}


@pytest.fixture
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    settings = {"MOOR_CANARY": SEEDED["a seeded storage key"]}
    with fault_stack(tmp_path_factory.mktemp("canary") / "stack", settings=settings) as faults:
        driven = Driver(faults)
        yield driven
        driven.close()


def test_secrets_stay_where_they_are(driver: Driver) -> None:
    with KeptAnswers().kept() as answers:
        assert driver.run(ATTACH, None).problems == []
        assert driver.run(DETACH, None).problems == []
        app = driver.stack.app
        _read_all(app)
        _send_secrets(app)
    assert len(answers.answers) > 10
    assert canary.search(driver.stack, answers, SEEDED) == []


def _read_all(app: AppClient) -> None:
    for operation in app.operations():
        app.operation(operation["id"])
        app.journal(operation["id"])
    for path in ("/health", "/openapi.json", "/operations/none", "/operations?top=x", "/nothing"):
        app.call("GET", path)


def _send_secrets(app: AppClient) -> None:
    """What is refused is not repeated: not in the answer, not in the log."""
    for value in SEEDED.values():
        assert app.call("POST", "/attach", {"connectionString": value, "sslKey": value}).status == 400
        assert app.call("POST", "/attach", {"workspaceId": value, "computeName": value}).status == 400
        assert app.call("GET", f"/operations/{value[:60].replace('/', '_')}").status in (400, 404)
