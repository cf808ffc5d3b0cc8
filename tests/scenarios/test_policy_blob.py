"""The policy from a blob, by the app's own token over TLS: changed, spoilt, gone, and mended."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from local import tenant
from local import world as worlds
from local.azurite import ACCOUNT
from local.policy import entry
from local.stack import Options, Stack, running_stack
from tests.scenarios.conftest import BY_HAND
from tests.scenarios.event_reports import host_log
from tests.scenarios.helpers import eventually

# A quarter of an hour takes six seconds, and a minute less than half of one.
FACTOR = 150.0
HOST = f"{ACCOUNT}.blob.core.windows.net"
URL = f"https://{HOST}/policies/policy.json"
ADA = f"user:{tenant.ASKER.object_id}"


def policy(**who: list[str]) -> bytes:
    return json.dumps({"version": 1, "workspaces": [entry(worlds.SUBSCRIPTION, who=who)]}).encode()


class Blob:
    """The blob, as whoever owns the account writes it."""

    def __init__(self, stack: Stack) -> None:
        self._place = urlsplit(stack.settings["AzureWebJobsStorage__blobServiceUri"])
        self._token = stack.azure.token("https://storage.azure.com")
        self._trust = ssl.create_default_context(cafile=stack.azure.about["authority"])
        # From here on the name leads to Azurite.
        assert self._place.port is not None
        stack.azure.settings(names={HOST: self._place.port})
        assert self._send("PUT", "/policies?restype=container") == 201

    def write(self, data: bytes) -> None:
        assert self._send("PUT", "/policies/policy.json", data) == 201

    def delete(self) -> None:
        assert self._send("DELETE", "/policies/policy.json") == 202

    def _send(self, method: str, path: str, data: bytes = b"") -> int:
        connection = http.client.HTTPSConnection(str(self._place.netloc), context=self._trust, timeout=30)
        headers = {"Authorization": f"Bearer {self._token}", "x-ms-version": "2024-11-04"}
        headers |= {"x-ms-blob-type": "BlockBlob", "Content-Type": "application/json"} if data else {}
        connection.request(method, f"{self._place.path}{path}", data, headers)
        status = connection.getresponse().status
        connection.close()
        return status


@pytest.mark.long
def test_a_policy_in_a_blob(tmp_path_factory: pytest.TempPathFactory) -> None:
    options = Options(factor=FACTOR, settings={**BY_HAND, "MOOR_POLICY": URL})
    with running_stack(options, state_dir=tmp_path_factory.mktemp("policy-blob")) as stack:

        def asked() -> tuple[int, Any]:
            """What Ada gets who asks for a detach, and why not."""
            body = {"workspaceId": worlds.WORKSPACE, "computeName": "gpu"}
            answer = stack.app.call("POST", "/detach?plan=true", body)
            return answer.status, (answer.body.get("error") or {}).get("code")

        def unavailable() -> str:
            answer = stack.app.call("GET", "/operations")
            assert (answer.status, answer.body["error"]["code"]) == (503, "PolicyUnavailable"), answer.body
            assert int(answer.headers["retry-after"]) > 0
            return str(answer.body["error"]["message"])

        def healthy() -> str:
            answer: str = stack.app.call("GET", "/health").body["checks"]["policy"]
            return answer

        # Nobody has it yet: the app cannot even connect.
        assert "the blob cannot be read" in unavailable()
        blob = Blob(stack)
        eventually(lambda: "404" in unavailable(), "a blob that is not there")
        assert healthy() == "failing"

        blob.write(policy(operator=[ADA]))
        eventually(lambda: asked()[0] == 202, "the policy that lets Ada ask")
        assert healthy() == "ok"

        blob.write(policy(reader=[ADA]))
        eventually(lambda: asked() == (403, "NotAllowed"), "the policy that lets her read")
        assert stack.app.call("GET", "/operations").status == 200

        spoilt = time.monotonic()
        blob.write(policy(operator=[ADA]).replace(b'"version": 1', b'"version": 1, "owner": "*"'))
        # It is read when somebody asks, at most once a minute.
        said = "/owner: There is no such field"
        eventually(lambda: asked() == (403, "NotAllowed") and said in host_log(stack), "a word in the log")
        blob.delete()
        eventually(lambda: asked() == (503, "PolicyUnavailable"), "the end of the quarter of an hour")
        assert time.monotonic() - spoilt > (15 - 2) * 60 / FACTOR
        assert "the blob answers 404 (BlobNotFound)" in unavailable()
        assert "MOOR_POLICY" in unavailable()
        assert healthy() == "failing"

        blob.write(policy(operator=[ADA]))
        eventually(lambda: asked()[0] == 202, "the policy once it is mended")
        assert stack.azure.refused_names() == [HOST], "asked for before the name led anywhere"
