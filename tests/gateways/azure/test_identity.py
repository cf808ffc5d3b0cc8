"""Which identity the app takes, and which cloud it works in."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential

from domain.arm_ids import ArmPath
from domain.extension.secret_ids import SecretId
from domain.operation.azure_errors import outcome_of_error
from domain.operation.outcomes import Stop
from gateways.azure import arm, identity, key_vault
from gateways.azure.arm import ArmError
from gateways.azure.identity import Cloud
from gateways.azure.key_vault import VaultError
from gateways.storage.settings import HOST_STORAGE, RECORD_STORAGE, StorageIdentity
from gateways.storage.tables import is_outage

TENANT = "11111111-2222-4333-8444-555555555555"
CHINA = "https://management.chinacloudapi.cn"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    foreign = ("AZURE_", "ARM_", "IDENTITY_", "MSI_", HOST_STORAGE.upper(), RECORD_STORAGE)
    for name in [name for name in os.environ if name.upper().startswith(foreign)]:
        monkeypatch.delenv(name)
    identity.credential.cache_clear()
    identity.cloud.cache_clear()
    yield
    identity.credential.cache_clear()
    identity.cloud.cache_clear()


class Made:
    """In place of a credential's class: what each was made with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kinds: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        for kind in (ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential):
            monkeypatch.setattr(identity, kind.__name__, self._class(kind.__name__))

    def _class(self, name: str) -> Any:
        def make(*what: Any, **options: Any) -> str:
            limits = options.pop("transport").connection_config
            assert (options.pop("retry_total"), limits.timeout, limits.read_timeout) == (1, 5, 15)
            self.kinds.append((name, what, options))
            return name

        return make


@pytest.mark.parametrize(
    ("named", "kind", "what", "options"),
    [
        (
            StorageIdentity("c", tenant_id=TENANT, client_secret="s"),
            *("ClientSecretCredential", (TENANT, "c", "s"), {}),
        ),
        (
            StorageIdentity(resource_id="/r", managed=True),
            *("ManagedIdentityCredential", (), {"identity_config": {"resource_id": "/r"}}),
        ),
        (StorageIdentity("c", managed=True), "ManagedIdentityCredential", (), {"client_id": "c"}),
        (StorageIdentity(managed=True), "ManagedIdentityCredential", (), {"client_id": None}),
        (StorageIdentity("c"), "DefaultAzureCredential", (), {"managed_identity_client_id": "c"}),
        (StorageIdentity("c", client_secret="s"), "DefaultAzureCredential", (), {"managed_identity_client_id": "c"}),
    ],
)
def test_a_named_identity_has_the_credential_that_the_host_makes(
    monkeypatch: pytest.MonkeyPatch, named: StorageIdentity, kind: str, what: tuple[Any, ...], options: dict[str, Any]
) -> None:
    made = Made(monkeypatch)
    identity.credential_of(named)
    assert made.kinds == [(kind, what, options)]


def test_an_application_is_a_credential_of_its_own() -> None:
    application = StorageIdentity("c", tenant_id="11111111-2222-4333-8444-555555555555", client_secret="s")
    assert isinstance(identity.credential_of(application), ClientSecretCredential)
    assert isinstance(identity.credential_of(StorageIdentity("c")), DefaultAzureCredential)


def test_the_app_is_whoever_azure_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch)
    identity.credential()
    identity.credential()
    assert made.kinds == [("DefaultAzureCredential", (), {})]


def test_the_hosts_identity_is_the_apps_unless_another_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{HOST_STORAGE}__credential", "managedidentity")
    monkeypatch.setenv(f"{HOST_STORAGE}__clientId", "hosts")
    made = Made(monkeypatch)
    identity.credential()
    assert made.kinds == [("ManagedIdentityCredential", (), {"client_id": "hosts"})]
    identity.credential.cache_clear()
    monkeypatch.setenv("AZURE_CLIENT_ID", "own")
    identity.credential()
    assert made.kinds[1:] == [("DefaultAzureCredential", (), {})]


def serve(monkeypatch: pytest.MonkeyPatch, url: str, document: Any, status: int = 200) -> None:
    answer = requests.Response()
    answer.status_code = status
    monkeypatch.setattr(answer, "json", lambda: document)
    monkeypatch.setattr(
        requests.Session,
        "get",
        lambda _, asked, **options: answer if asked == url and not options["allow_redirects"] else None,
    )
    monkeypatch.setenv("ARM_CLOUD_METADATA_URL", url)


def test_without_metadata_it_is_the_public_cloud() -> None:
    assert identity.cloud() == Cloud("https://management.azure.com", "vault.azure.net", "core.windows.net")
    assert identity.cloud().scope == "https://management.azure.com/.default"


@pytest.mark.parametrize("as_list", [True, False])
def test_the_entry_is_the_one_whose_resource_manager_is_in_the_url(
    monkeypatch: pytest.MonkeyPatch, as_list: bool
) -> None:
    login = "https://login.chinacloudapi.cn"
    entry = {
        "resourceManager": f"{CHINA}/",
        "authentication": {"loginEndpoint": f"{login}/"},
        "suffixes": {"keyVaultDns": ".Vault.Azure.CN", "storage": "core.chinacloudapi.cn"},
    }
    others: list[Any] = [{"resourceManager": "https://management.azure.com"}, {"resourceManager": ""}, {}]
    serve(monkeypatch, f"{CHINA}/metadata/endpoints?api-version=1", [*others, entry] if as_list else entry)
    assert identity.cloud() == Cloud(CHINA, "vault.azure.cn", "core.chinacloudapi.cn", login_endpoint=login)


@pytest.mark.parametrize("suffixes", [None, {}, {"keyVaultDns": "", "storage": None}])
def test_domains_that_a_cloud_does_not_say_are_those_of_the_public_one(
    monkeypatch: pytest.MonkeyPatch, suffixes: Any
) -> None:
    serve(monkeypatch, f"{CHINA}/metadata", {"resourceManager": CHINA, "suffixes": suffixes})
    # Keys of another cloud must not open the app: where it signs in stays unknown.
    assert identity.cloud() == Cloud(CHINA, login_endpoint="")


def test_work_for_another_cloud_never_goes_to_the_public_one(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, f"{CHINA}/metadata?key=sesame", [{"resourceManager": "https://management.azure.com"}])
    with pytest.raises(ValueError, match="no entry of the cloud metadata") as refused:
        identity.cloud()
    assert "sesame" not in str(refused.value)
    serve(monkeypatch, f"{CHINA}/metadata", {"resourceManager": CHINA}, 500)
    with pytest.raises(requests.RequestException):
        identity.cloud()


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The identity endpoint of App Service, which answers as it is told to: ``status``, ``body`` and ``headers``."""
    told: dict[str, Any] = {"status": 200, "body": {}, "headers": {}, "asked": 0}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told["asked"] += 1
            data = json.dumps(told["body"]).encode()
            self.send_response(told["status"])
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            for name, value in told["headers"].items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{server.server_port}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "h")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
    monkeypatch.setenv("AZURE_CLIENT_ID", "client-1")
    arm._client.cache_clear()
    yield told
    arm._client.cache_clear()
    server.shutdown()
    server.server_close()


NOT_FOUND = "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."


def refused_call() -> ArmError:
    with pytest.raises(ArmError) as caught:
        arm.get(ArmPath("/subscriptions/s/resourceGroups/g"), "2021-04-01")
    return caught.value


@pytest.mark.parametrize("status", [400, 401, 403])
def test_an_identity_that_is_refused_a_token_ends_the_step_and_is_named(endpoint: dict[str, Any], status: int) -> None:
    """The identity is not assigned to the app: no waiting assigns it."""
    endpoint.update(status=status, body={"statusCode": status, "message": NOT_FOUND})
    error = refused_call()
    assert (error.status, error.code, error.outage, error.transient) == (400, "AppIdentityRefused", False, False)
    assert "client-1 (AZURE_CLIENT_ID)" in error.message
    assert f"{status}: {NOT_FOUND}" in error.message
    outcome = outcome_of_error(error.status, error.code, error.message, error.retry_after, error.answer)
    assert isinstance(outcome, Stop)
    assert outcome.problem.code == "AppIdentityRefused"
    assert NOT_FOUND in outcome.problem.message
    assert "AZURE_CLIENT_ID" in str(outcome.problem.remedy)


@pytest.mark.parametrize("status", [404, 410, 429, 500, 503])
def test_an_identity_endpoint_with_an_outage_is_waited_for(endpoint: dict[str, Any], status: int) -> None:
    endpoint.update(status=status, body={"statusCode": status, "message": "try later"})
    error = refused_call()
    assert (error.status, error.outage) == (0, True)


@pytest.mark.parametrize("status", [404, 429, 503])
def test_no_thread_sleeps_for_as_long_as_an_identity_endpoint_says(
    endpoint: dict[str, Any], monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """The host ends a worker after five minutes, with all that it does: the step waits."""
    slept: list[float] = []
    monkeypatch.setattr("azure.core.pipeline.transport._base.time.sleep", slept.append)
    endpoint.update(status=status, body={"message": "slow down"}, headers={"Retry-After": "600"})
    error = refused_call()
    assert (error.status, error.outage, error.retry_after) == (0, True, 600.0)
    assert sum(slept) < 10


def test_a_vault_is_not_said_to_lack_a_secret_that_the_identity_endpoint_has_no_token_for(
    endpoint: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.update(status=503, headers={"Retry-After": "1"})
    refused_call()
    asked = SimpleNamespace(url=os.environ["IDENTITY_ENDPOINT"])
    response: Any = SimpleNamespace(status_code=404, reason="updating", headers={}, request=asked)

    class Vault:
        def get_secret(self, name: str, version: str | None) -> Any:
            raise ClientAuthenticationError(response=response)

    monkeypatch.setattr(key_vault, "_client", lambda url: Vault())
    with pytest.raises(VaultError) as caught:
        key_vault.secret(SecretId("kv-1.vault.azure.net", "s"))
    assert (caught.value.status, caught.value.retry_after) == (0, 1.0)
    assert is_outage(ClientAuthenticationError(response=response))


def test_an_identity_endpoint_that_does_not_answer_is_waited_for_whatever_it_said_before(
    endpoint: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.update(status=400, body={"message": NOT_FOUND})
    assert refused_call().code == "AppIdentityRefused"
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token")
    identity.credential.cache_clear()
    arm._client.cache_clear()
    assert refused_call().outage


def test_storage_that_is_reached_with_a_refused_identity_is_no_outage(endpoint: dict[str, Any]) -> None:
    endpoint.update(status=400, body={"message": NOT_FOUND})
    with pytest.raises(ClientAuthenticationError) as caught:
        identity.credential().get_token("https://storage.azure.com/.default")
    assert not is_outage(caught.value)
    endpoint.update(status=503)
    with pytest.raises(ClientAuthenticationError) as caught:
        identity.credential().get_token("https://storage.azure.com/.default")
    assert is_outage(caught.value)


def test_a_vault_that_does_not_take_a_token_is_no_identity_that_gets_none(endpoint: dict[str, Any]) -> None:
    endpoint.update(status=400, body={"message": NOT_FOUND})
    refused_call()
    response: Any = SimpleNamespace(
        status_code=401, reason="no", headers={}, request=SimpleNamespace(url="https://v.vault.azure.net/secrets/s")
    )
    assert identity.refusal(ClientAuthenticationError(response=response)) is None
    response.request.url = os.environ["IDENTITY_ENDPOINT"]
    assert "client-1" in str(identity.refusal(ClientAuthenticationError(response=response)))
