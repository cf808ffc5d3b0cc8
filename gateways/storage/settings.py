"""The app settings that name a storage account, in every form in which Azure Functions takes them.

A connection is a connection string, or (by identity) several settings that begin with its name and two underscores;
.NET reads a colon as the same, and letter case does not count. What the host makes of them:
https://learn.microsoft.com/azure/azure-functions/functions-reference#configure-an-identity-based-connection and
``ClientFactory.CreateCredential`` (Microsoft.Extensions.Azure) of https://github.com/Azure/azure-sdk-for-net. What the
host would pass over in silence is an error here: the records would be elsewhere, or reached by somebody else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gateways.settings import SettingError

# The account of the Functions host, and the account of the records where they have one of their own.
HOST_STORAGE = "AzureWebJobsStorage"
RECORD_STORAGE = "MOOR_STORAGE"

# What a connection may consist of; the services beside tables are the host's.
_ENDPOINT = "tableServiceUri"
_OTHER_SERVICES = ("blobServiceUri", "queueServiceUri", "fileServiceUri", "serviceUri")
_KNOWN = (
    *("accountName", _ENDPOINT, "endpoint", *_OTHER_SERVICES),
    *("credential", "clientId", "managedIdentityResourceId", "tenantId", "clientSecret"),
)
# Forms of the host that the app does not take: it would need a certificate store of Windows, or a Kubernetes cluster.
_NOT_TAKEN = ("clientCertificate", "tokenFilePath", "additionallyAllowedTenants")
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")


class StorageSettingError(SettingError):
    """No app setting says where Table Storage is, or one of those that do cannot be used; the text names it."""


@dataclass(frozen=True)
class StorageIdentity:
    """Who asks Table Storage: a managed identity (the system-assigned one without an id), or an application."""

    client_id: str | None = None
    resource_id: str | None = None
    tenant_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    managed: bool = False


@dataclass(frozen=True)
class StorageConnection:
    """A storage account as the settings name it: ``connection_string``, ``endpoint`` (of its tables) or ``account``.

    ``name`` is the connection's name, with which every setting of it begins. ``identity`` is None where the settings
    leave it to the app's own identity.
    """

    name: str
    connection_string: str | None = field(default=None, repr=False)
    endpoint: str | None = None
    account: str | None = None
    identity: StorageIdentity | None = None


def read_storage_connection() -> StorageConnection:
    """The account that keeps the records: that of ``MOOR_STORAGE`` where one of its settings is set, or the host's.

    Raises StorageSettingError naming the setting that is missing, cannot be used or contradicts another.
    """
    for name in (RECORD_STORAGE, HOST_STORAGE):
        given = _given(name)
        if given:
            return _connection(name, given)
    raise StorageSettingError(
        f"no setting says where the records are: set {HOST_STORAGE}__accountName, {HOST_STORAGE}__{_ENDPOINT} or, "
        f"with an account of their own, the same of {RECORD_STORAGE}"
    )


def host_identity() -> StorageIdentity | None:
    """The user-assigned identity by which the Functions host reaches its storage; None when the settings name none.

    Raises StorageSettingError when they name two.
    """
    identity = _identity(HOST_STORAGE, _given(HOST_STORAGE))
    if identity is None or identity.client_secret or not (identity.client_id or identity.resource_id):
        return None
    return identity


def _given(name: str) -> Mapping[str, str]:
    """The settings of a connection that are not blank, by what follows its name, in lower case; the plain one by ""."""
    given = {}
    for setting, value in os.environ.items():
        lower = setting.lower().replace(":", "__")
        if value.strip() and (lower == name.lower() or lower.startswith(f"{name.lower()}__")):
            given[lower[len(name) :].removeprefix("__")] = value.strip()
    return given


def _connection(name: str, given: Mapping[str, str]) -> StorageConnection:
    if name == RECORD_STORAGE:
        _check_names(name, given)
    if "" in given:
        others = [f"{name}__{known}" for known in _KNOWN if known.lower() in given]
        if others:
            raise StorageSettingError(
                f"{name} is a connection string and {others[0]} is set too: they are two ways of naming an account; "
                "remove one of them (the Functions host goes by the connection string)"
            )
        return StorageConnection(name, connection_string=given[""])
    endpoint = _endpoint(name, given)
    account = _account(name, given)
    if endpoint is None and account is None:
        raise StorageSettingError(
            f"{name}__{_ENDPOINT} (or {name}__accountName) is missing: the records are in tables"
            + next((f", and {name}__{key} does not say where those are" for key in _KNOWN if key.lower() in given), "")
        )
    if endpoint is not None and account is not None:
        host = urlsplit(endpoint).hostname or ""
        if ".table." in host and host.partition(".")[0] != account:
            raise StorageSettingError(f"{name}__accountName and {name}__{_ENDPOINT} name different accounts")
    return StorageConnection(name, endpoint=endpoint, account=account, identity=_identity(name, given))


def _check_names(name: str, given: Mapping[str, str]) -> None:
    # The host reads these for nothing else, so what is not known here is a slip.
    known = {"", *(key.lower() for key in (*_KNOWN, *_NOT_TAKEN))}
    unknown = next((key for key in given if key not in known), None)
    if unknown is not None:
        raise StorageSettingError(f"{name}__{unknown} is no setting of a storage account (docs/settings.md lists them)")


def _endpoint(name: str, given: Mapping[str, str]) -> str | None:
    # "endpoint" is another name of it in the bindings for tables, and gives way to the full name.
    key = _ENDPOINT if _ENDPOINT.lower() in given else "endpoint"
    text = given.get(key.lower())
    if text is None:
        return None
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.username:
        raise StorageSettingError(f"{name}__{key}: not the https URL of a table service, without a signature")
    return text.rstrip("/")


def _account(name: str, given: Mapping[str, str]) -> str | None:
    text = given.get("accountname")
    if text is not None and not _ACCOUNT.fullmatch(text):
        raise StorageSettingError(
            f"{name}__accountName: '{text}' is no account name (3 to 24 small letters and digits)"
        )
    return text


def _identity(name: str, given: Mapping[str, str]) -> StorageIdentity | None:
    for key in _NOT_TAKEN:
        if key.lower() in given:
            raise StorageSettingError(f"{name}__{key} is not supported; use a managed identity")
    kind = given.get("credential")
    client, resource = given.get("clientid"), given.get("managedidentityresourceid")
    tenant, secret = given.get("tenantid"), given.get("clientsecret")
    if client and resource:
        raise StorageSettingError(f"{name}__clientId and {name}__managedIdentityResourceId: set one of them only")
    if kind is not None:
        if kind.lower() != "managedidentity":
            raise StorageSettingError(f"{name}__credential: '{kind}' is not supported; the value is managedidentity")
        extra = next((key for key, value in (("tenantId", tenant), ("clientSecret", secret)) if value), None)
        if extra:
            raise StorageSettingError(f"{name}__{extra} and {name}__credential=managedidentity: set one of them only")
        return StorageIdentity(client, resource, managed=True)
    if secret or tenant:
        missing = [f"{name}__{key}" for key, value in _application(tenant, client, secret).items() if not value]
        if missing:
            raise StorageSettingError(
                f"{' and '.join(missing)} missing: an application needs tenant, client and secret"
            )
        return StorageIdentity(client, tenant_id=tenant, client_secret=secret)
    if resource:
        raise StorageSettingError(
            f"{name}__managedIdentityResourceId needs {name}__credential=managedidentity beside it"
        )
    return StorageIdentity(client) if client else None


def _application(tenant: str | None, client: str | None, secret: str | None) -> dict[str, str | None]:
    return {"tenantId": tenant, "clientId": client, "clientSecret": secret}
