"""Tables by identity, in every form of the settings: Azurite over TLS, with tokens of the simulated Azure."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest
from azure.core.exceptions import AzureError, ClientAuthenticationError

from gateways.azure import identity
from gateways.storage import tables
from gateways.storage.settings import (
    HOST_STORAGE,
    RECORD_STORAGE,
    StorageSettingError,
)
from local.processes import free_port
from tests.conftest import forget_clients
from tests.gateways.storage.storage_cloud import (
    HOST_ACCOUNT,
    RECORD_ACCOUNT,
    StorageCloud,
    storage_cloud,
)

SYSTEM, USER = "cccccccc-0000-4000-8000-000000000001", "cccccccc-0000-4000-8000-000000000002"
USER_ID = (
    "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers"
    "/Microsoft.ManagedIdentity/userAssignedIdentities/moor"
)
PRINCIPALS = [
    {"objectId": "aaaaaaaa-0000-4000-8000-000000000001", "clientId": SYSTEM, "systemAssigned": True},
    {"objectId": "aaaaaaaa-0000-4000-8000-000000000002", "clientId": USER, "resourceId": USER_ID},
]
MANAGED = {"credential": "managedidentity"}
# What follows the connection's name, and what the identity endpoint is then asked for.
FORMS = {
    "account name": ({"accountName": "{account}"}, {}),
    "table endpoint": ({"tableServiceUri": "{endpoint}"}, {}),
    "table endpoint by its other name": ({"endpoint": "{endpoint}"}, {}),
    "every endpoint": (
        {"tableServiceUri": "{endpoint}", "blobServiceUri": "https://b.test", "queueServiceUri": "https://q.test"},
        {},
    ),
    "system-assigned": ({"accountName": "{account}", **MANAGED}, {}),
    "user-assigned": ({"accountName": "{account}", **MANAGED, "clientId": USER}, {"client_id": USER}),
    "user-assigned at an endpoint": (
        {"tableServiceUri": "{endpoint}", **MANAGED, "clientId": USER},
        {"client_id": USER},
    ),
    "user-assigned by its ARM id": (
        {"accountName": "{account}", **MANAGED, "managedIdentityResourceId": USER_ID},
        {"mi_res_id": USER_ID},
    ),
    "client id alone": ({"accountName": "{account}", "clientId": USER}, {"client_id": USER}),
}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageCloud]:
    with storage_cloud(tmp_path_factory.mktemp("cloud")) as running:
        running.azure.seed({"principals": PRINCIPALS})
        yield running


@pytest.fixture
def cloud(started: StorageCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[StorageCloud]:
    """The environment of an app in that cloud, without a word of storage."""
    foreign = ("AZURE", "IDENTITY_", "MSI_", "ARM_", RECORD_STORAGE)
    for name in [name for name in os.environ if name.upper().startswith(foreign)]:
        monkeypatch.delenv(name)
    settings = {
        "IDENTITY_ENDPOINT": started.azure.about["identityEndpoint"],
        "IDENTITY_HEADER": started.azure.about["identityHeader"],
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        "ARM_CLOUD_METADATA_URL": started.metadata_url,
        "REQUESTS_CA_BUNDLE": str(started.bundle),
        "HTTPS_PROXY": started.proxy_url,
        "NO_PROXY": "127.0.0.1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    started.azure.clear_requests()
    forget()
    yield started
    forget()


def forget() -> None:
    forget_clients()
    identity.credential.cache_clear()
    identity.cloud.cache_clear()


def give(
    monkeypatch: pytest.MonkeyPatch, cloud: StorageCloud, name: str, account: str, settings: dict[str, str]
) -> None:
    for key, value in settings.items():
        text = value.format(account=account, endpoint=cloud.endpoint(account))
        monkeypatch.setenv(f"{name}__{key}" if key else name, text)


def write_and_read() -> str:
    name = f"t{uuid.uuid4().hex[:8]}"
    tables.table(name).create_entity({"PartitionKey": "p", "RowKey": "r", "value": 1})
    assert tables.table(name).get_entity("p", "r")["value"] == 1
    return name


def asked(cloud: StorageCloud) -> list[dict[str, str]]:
    """Which identity the identity endpoint was asked for, each time."""
    entries = [entry["query"] for entry in cloud.azure.requests(kind="identity")]
    return [{key: value for key, value in query.items() if key in ("client_id", "mi_res_id")} for query in entries]


@pytest.mark.parametrize("name", [HOST_STORAGE, RECORD_STORAGE])
@pytest.mark.parametrize("form", FORMS)
def test_each_form_reads_and_writes(cloud: StorageCloud, monkeypatch: pytest.MonkeyPatch, name: str, form: str) -> None:
    settings, identities = FORMS[form]
    give(monkeypatch, cloud, name, RECORD_ACCOUNT, settings)
    made = write_and_read()
    assert made in cloud.tables_of(RECORD_ACCOUNT)
    assert asked(cloud) == [identities]


@pytest.mark.parametrize("name", [HOST_STORAGE, RECORD_STORAGE])
def test_a_connection_string(cloud: StorageCloud, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, cloud.connection_string(RECORD_ACCOUNT))
    assert write_and_read() in cloud.tables_of(RECORD_ACCOUNT)
    assert asked(cloud) == []


@pytest.mark.parametrize("text", ["UseDevelopmentStorage=true", "usedevelopmentstorage=true;"])
def test_the_short_form_is_azurite_on_this_machine(
    cloud: StorageCloud, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(HOST_STORAGE, text)
    assert tables._service().url == "http://127.0.0.1:10002/devstoreaccount1"


def test_the_records_stay_out_of_the_account_of_the_host(cloud: StorageCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, cloud, HOST_STORAGE, HOST_ACCOUNT, {"accountName": "{account}"})
    give(monkeypatch, cloud, RECORD_STORAGE, RECORD_ACCOUNT, {"accountName": "{account}"})
    made = write_and_read()
    assert made in cloud.tables_of(RECORD_ACCOUNT)
    assert made not in cloud.tables_of(HOST_ACCOUNT)


@pytest.mark.parametrize("settings", [{"clientId": "nobody"}, {"managedIdentityResourceId": "/nobody"}])
def test_a_wrong_identity_is_refused(
    cloud: StorageCloud, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    given = {"accountName": "{account}", **MANAGED, **settings}
    give(monkeypatch, cloud, RECORD_STORAGE, RECORD_ACCOUNT, given)
    with pytest.raises(ClientAuthenticationError, match="No User Assigned"):
        write_and_read()


def test_an_identity_of_the_records_alone_is_nobody_elses(cloud: StorageCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"accountName": "{account}", **MANAGED, "clientId": USER}
    give(monkeypatch, cloud, RECORD_STORAGE, RECORD_ACCOUNT, given)
    identity.credential().get_token("https://management.azure.com/.default")
    assert asked(cloud) == [{}]


@pytest.mark.parametrize("settings", [{"clientId": USER}, {"managedIdentityResourceId": USER_ID}])
def test_the_identity_of_the_host_is_the_apps(
    cloud: StorageCloud, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    give(monkeypatch, cloud, HOST_STORAGE, HOST_ACCOUNT, {"accountName": "{account}", **MANAGED, **settings})
    write_and_read()
    identity.credential().get_token("https://management.azure.com/.default")
    (storage_asked, arm_asked) = asked(cloud)
    assert storage_asked == arm_asked != {}
    # AZURE_CLIENT_ID goes before it, for everything but storage.
    monkeypatch.setenv("AZURE_CLIENT_ID", SYSTEM)
    forget()
    write_and_read()
    identity.credential().get_token("https://management.azure.com/.default")
    assert asked(cloud)[2:] == [storage_asked, {"client_id": SYSTEM}]


def test_an_account_name_needs_the_clouds_metadata(cloud: StorageCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, cloud, RECORD_STORAGE, RECORD_ACCOUNT, {"accountName": "{account}"})
    monkeypatch.setenv("ARM_CLOUD_METADATA_URL", f"http://127.0.0.1:{free_port()}/metadata")
    with pytest.raises(AzureError) as error:
        tables.table("t")
    assert tables.is_outage(error.value)
    monkeypatch.setenv("ARM_CLOUD_METADATA_URL", cloud.metadata_url.replace("127.0.0.1", "localhost"))
    with pytest.raises(StorageSettingError, match=r"ARM_CLOUD_METADATA_URL.*MOOR_STORAGE__accountName"):
        tables.table("t")


def test_an_account_name_is_in_the_public_cloud_without_metadata(
    monkeypatch: pytest.MonkeyPatch, cloud: StorageCloud
) -> None:
    monkeypatch.delenv("ARM_CLOUD_METADATA_URL")
    give(monkeypatch, cloud, RECORD_STORAGE, RECORD_ACCOUNT, {"accountName": "{account}"})
    assert tables._service().url == f"https://{RECORD_ACCOUNT}.table.core.windows.net"


def test_what_is_no_connection_string_is_named(cloud: StorageCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RECORD_STORAGE, "AccountKey=sesame")
    with pytest.raises(StorageSettingError, match="MOOR_STORAGE is no connection string") as error:
        tables.table("t")
    assert "sesame" not in str(error.value)
