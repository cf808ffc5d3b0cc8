"""Which settings name which account and identity, and what is refused by name."""

from __future__ import annotations

import os

import pytest

from gateways.storage.settings import (
    HOST_STORAGE,
    RECORD_STORAGE,
    StorageConnection,
    StorageIdentity,
    StorageSettingError,
    host_identity,
    read_storage_connection,
)

ENDPOINT = "https://records.table.core.windows.net"
ACCOUNT = {"accountName": "records"}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().startswith((HOST_STORAGE.lower(), RECORD_STORAGE.lower())):
            monkeypatch.delenv(name)


def give(monkeypatch: pytest.MonkeyPatch, connection: str, settings: dict[str, str]) -> None:
    for key, value in settings.items():
        monkeypatch.setenv(f"{connection}__{key}" if key else connection, value)


@pytest.mark.parametrize("name", [HOST_STORAGE, RECORD_STORAGE])
@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"": "UseDevelopmentStorage=true"}, {"connection_string": "UseDevelopmentStorage=true"}),
        ({"accountName": "records"}, {"account": "records"}),
        ({"ACCOUNTNAME": " records "}, {"account": "records"}),
        ({"tableServiceUri": f"{ENDPOINT}/"}, {"endpoint": ENDPOINT}),
        ({"endpoint": ENDPOINT}, {"endpoint": ENDPOINT}),
        ({"endpoint": "https://other.example", "tableServiceUri": ENDPOINT}, {"endpoint": ENDPOINT}),
        ({"": " ", "blobServiceUri": "https://b", "tableServiceUri": ENDPOINT}, {"endpoint": ENDPOINT}),
        ({"accountName": "records", "tableServiceUri": ENDPOINT}, {"account": "records", "endpoint": ENDPOINT}),
        ({**ACCOUNT, "credential": "managedIdentity"}, {"identity": StorageIdentity(managed=True)}),
        (
            {**ACCOUNT, "credential": "managedidentity", "clientId": "c"},
            {"identity": StorageIdentity("c", managed=True)},
        ),
        (
            {**ACCOUNT, "credential": "managedidentity", "managedIdentityResourceId": "/r"},
            {"identity": StorageIdentity(resource_id="/r", managed=True)},
        ),
        ({**ACCOUNT, "clientId": "c"}, {"identity": StorageIdentity("c")}),
        (
            {**ACCOUNT, "tenantId": "t", "clientId": "c", "clientSecret": "s"},
            {"identity": StorageIdentity("c", tenant_id="t", client_secret="s")},
        ),
    ],
)
def test_every_form_of_a_connection(
    monkeypatch: pytest.MonkeyPatch, name: str, settings: dict[str, str], found: dict[str, str]
) -> None:
    give(monkeypatch, name, settings)
    account = {} if {"account", "endpoint", "connection_string"} & set(found) else {"account": "records"}
    assert read_storage_connection() == StorageConnection(name, **account, **found)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [HOST_STORAGE, RECORD_STORAGE])
@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"": "AccountName=a;AccountKey=k", "accountName": "records"}, ["{}", "{}__accountName"]),
        ({"": "AccountName=a;AccountKey=k", "credential": "managedidentity"}, ["{}", "{}__credential"]),
        ({"blobServiceUri": "https://a.blob.core.windows.net"}, ["{}__tableServiceUri", "{}__blobServiceUri"]),
        ({"credential": "managedidentity"}, ["{}__tableServiceUri", "{}__accountName", "{}__credential"]),
        ({"accountName": "Records"}, ["{}__accountName"]),
        ({"accountName": "records.table.core.windows.net"}, ["{}__accountName"]),
        ({"accountName": "another", "tableServiceUri": ENDPOINT}, ["{}__accountName", "{}__tableServiceUri"]),
        ({"tableServiceUri": "http://records.table.core.windows.net"}, ["{}__tableServiceUri"]),
        ({"tableServiceUri": "records"}, ["{}__tableServiceUri"]),
        ({"endpoint": "https://"}, ["{}__endpoint"]),
        ({**ACCOUNT, "credential": "workloadidentity"}, ["{}__credential"]),
        ({**ACCOUNT, "credential": "managedidentity", "clientSecret": "s"}, ["{}__clientSecret", "{}__credential"]),
        ({**ACCOUNT, "credential": "managedidentity", "tenantId": "t"}, ["{}__tenantId", "{}__credential"]),
        (
            {**ACCOUNT, "credential": "managedidentity", "clientId": "c", "managedIdentityResourceId": "/r"},
            ["{}__clientId", "{}__managedIdentityResourceId"],
        ),
        ({**ACCOUNT, "managedIdentityResourceId": "/r"}, ["{}__managedIdentityResourceId", "{}__credential"]),
        ({**ACCOUNT, "tenantId": "t", "clientId": "c"}, ["{}__clientSecret"]),
        ({**ACCOUNT, "clientSecret": "s"}, ["{}__tenantId", "{}__clientId"]),
        ({**ACCOUNT, "clientCertificate": "thumb"}, ["{}__clientCertificate"]),
        ({**ACCOUNT, "tokenFilePath": "/f"}, ["{}__tokenFilePath"]),
        ({**ACCOUNT, "credential": "managedidentity", "managedIdentityObjectId": "o"}, ["{}__managedIdentityObjectId"]),
        ({"tableServiceUri": "https://[records"}, ["{}__tableServiceUri"]),
        ({"tableServiceUri": "https://records.table.core.windows.net:x"}, ["{}__tableServiceUri"]),
        ({"tableServiceUri": "https://:key@records.table.core.windows.net"}, ["{}__tableServiceUri"]),
        ({"tableServiceUri": "https://records.blob.core.windows.net"}, ["{}__tableServiceUri"]),
        ({"tableServiceUri": "https://records.z12.blob.storage.azure.net"}, ["{}__tableServiceUri"]),
        ({"acountName": "records"}, ["{}__acountName", "{}__accountName"]),
        ({**ACCOUNT, "clientsId": "c"}, ["{}__clientsId", "{}__clientId may be meant"]),
        # Whatever is wrong is named, not what comes first.
        (
            {"accountName": "No", "tableServiceUri": "http://a", "credential": "x", "tokenFilePath": "/f"},
            ["{}__accountName", "{}__tableServiceUri", "{}__credential", "{}__tokenFilePath"],
        ),
        (
            {**ACCOUNT, "credential": "managedidentity", "clientSecret": "s", "tenantId": "t"},
            ["{}__clientSecret", "{}__tenantId", "{}__credential"],
        ),
        (
            {"": "AccountName=a;AccountKey=k", "accountName": "a", "credential": "managedidentity", "clientId": "c"},
            ["{} is a connection string", "{}__accountName", "{}__credential", "{}__clientId"],
        ),
        (
            {"credential": "managedidentity", "clientId": "c", "queueServiceUri": "https://q"},
            ["{}__tableServiceUri", "{}__accountName", "{}__credential", "{}__clientId", "{}__queueServiceUri"],
        ),
        ({"clientCertificate": "t", "azureCloud": "x"}, ["{}__accountName", "{}__clientCertificate", "{}__azureCloud"]),
    ],
)
def test_what_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, settings: dict[str, str], named: list[str]
) -> None:
    give(monkeypatch, name, settings)
    with pytest.raises(StorageSettingError) as error:
        read_storage_connection()
    for setting in named:
        assert setting.format(name) in str(error.value)


def test_nothing_is_set() -> None:
    with pytest.raises(StorageSettingError, match=r"AzureWebJobsStorage__accountName.*MOOR_STORAGE"):
        read_storage_connection()


def test_no_error_tells_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, HOST_STORAGE, {"tableServiceUri": f"{ENDPOINT}?sig=sesame"})
    with pytest.raises(StorageSettingError) as error:
        read_storage_connection()
    assert "sesame" not in str(error.value)
    give(monkeypatch, HOST_STORAGE, {"": "AccountKey=sesame", "tableServiceUri": ENDPOINT})
    with pytest.raises(StorageSettingError) as error:
        read_storage_connection()
    assert "sesame" not in str(error.value)
    for misplaced in ({"accountName": "AccountKey=sesame"}, {**ACCOUNT, "credential": "se/sesame"}):
        monkeypatch.delenv(HOST_STORAGE, raising=False)
        give(monkeypatch, HOST_STORAGE, misplaced)
        with pytest.raises(StorageSettingError) as error:
            read_storage_connection()
        assert "sesame" not in str(error.value)
    secret = StorageIdentity("c", tenant_id="t", client_secret="sesame")
    assert "sesame" not in repr(StorageConnection("x", connection_string="AccountKey=sesame", identity=secret))


def test_the_records_have_an_account_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, HOST_STORAGE, {"accountName": "host", "credential": "managedidentity", "clientId": "c"})
    assert read_storage_connection().account == "host"
    give(monkeypatch, RECORD_STORAGE, {"accountName": "records"})
    # Nothing of the host's connection goes into it.
    assert read_storage_connection() == StorageConnection(RECORD_STORAGE, account="records")
    give(monkeypatch, RECORD_STORAGE, {"accountName": ""})
    assert read_storage_connection().account == "host"


def test_a_slip_in_a_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, RECORD_STORAGE, {"accountName": "records", "credentialType": "managedidentity"})
    with pytest.raises(StorageSettingError, match="MOOR_STORAGE__credentialType"):
        read_storage_connection()


@pytest.mark.parametrize("other", ["AzureWebJobsStorage:accountName", "AZUREWEBJOBSSTORAGE__ACCOUNTNAME"])
def test_one_setting_in_two_spellings_has_one_value(monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    give(monkeypatch, HOST_STORAGE, ACCOUNT)
    monkeypatch.setenv(other, "records")
    assert read_storage_connection().account == "records"
    monkeypatch.setenv(other, "another")
    with pytest.raises(StorageSettingError) as error:
        read_storage_connection()
    assert other in str(error.value)
    assert "AzureWebJobsStorage__accountName" in str(error.value)


def test_what_the_host_has_of_its_own_is_no_slip(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, HOST_STORAGE, {**ACCOUNT, "subscriptionId": "s"})
    assert read_storage_connection().account == "records"


def test_a_colon_separates_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("azurewebjobsstorage:accountName", "records")
    assert read_storage_connection().account == "records"


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, None),
        ({"accountName": "host"}, None),
        ({"accountName": "host", "credential": "managedidentity"}, None),
        ({"credential": "managedidentity", "clientId": "c"}, StorageIdentity("c", managed=True)),
        ({"clientId": "c"}, StorageIdentity("c")),
        (
            {"credential": "managedidentity", "managedIdentityResourceId": "/r"},
            StorageIdentity(resource_id="/r", managed=True),
        ),
        ({"tenantId": "t", "clientId": "c", "clientSecret": "s"}, None),
    ],
)
def test_the_user_assigned_identity_of_the_host(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], found: StorageIdentity | None
) -> None:
    give(monkeypatch, HOST_STORAGE, settings)
    assert host_identity() == found
