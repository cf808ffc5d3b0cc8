"""The app settings that name a storage account, in every form in which Azure Functions takes them.

A connection is a connection string, or (by identity) several settings that begin with its name and two underscores;
.NET reads a colon as the same, and letter case does not count. What the host makes of them:
https://learn.microsoft.com/azure/azure-functions/functions-reference#configure-an-identity-based-connection and
``ClientFactory.CreateCredential`` (Microsoft.Extensions.Azure) of https://github.com/Azure/azure-sdk-for-net. What the
host would pass over in silence is an error here: the records would be elsewhere, or reached by somebody else.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gateways.settings import SettingError

# The account of the Functions host, and the account of the records where they have one of their own.
HOST_STORAGE = "AzureWebJobsStorage"
RECORD_STORAGE = "MOOR_STORAGE"

# What a connection may consist of; the services beside tables are the host's.
_ENDPOINT, _ACCOUNT_NAME = "tableServiceUri", "accountName"
_OTHER_SERVICES = ("blobServiceUri", "queueServiceUri", "fileServiceUri", "serviceUri")
_KNOWN = (
    *(_ACCOUNT_NAME, _ENDPOINT, "endpoint", *_OTHER_SERVICES),
    *("credential", "clientId", "managedIdentityResourceId", "tenantId", "clientSecret"),
)
# Forms of the host that the app does not take: they would need a certificate store of Windows, a Kubernetes cluster or
# a second way of naming one identity.
_NOT_TAKEN = (
    *("clientCertificate", "tokenFilePath", "additionallyAllowedTenants", "azureCloud"),
    *("managedIdentityObjectId", "managedIdentityClientId"),
)
_SPELLINGS = {known.lower(): known for known in (*_KNOWN, *_NOT_TAKEN)}
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_WORD = re.compile(r"[A-Za-z0-9.-]{1,60}")
# The second or third label of the host of a service that has no tables.
_WITHOUT_TABLES = frozenset({"blob", "queue", "file", "dfs", "web"})


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

    Raises StorageSettingError naming every setting that is missing, cannot be used or contradicts another.
    """
    for name in (RECORD_STORAGE, HOST_STORAGE):
        given, faults = _given(name)
        if given:
            connection, more = _connection(name, given)
            _refuse([*faults, *more])
            return connection
    raise StorageSettingError(
        f"no setting says where the records are: set {HOST_STORAGE}__{_ACCOUNT_NAME}, {HOST_STORAGE}__{_ENDPOINT} or, "
        f"with an account of their own, the same of {RECORD_STORAGE}"
    )


def host_identity() -> StorageIdentity | None:
    """The user-assigned identity by which the Functions host reaches its storage; None when the settings name none.

    Raises StorageSettingError when what they say of an identity cannot be used.
    """
    identity, faults = _identity(HOST_STORAGE, _given(HOST_STORAGE)[0])
    _refuse(faults)
    if identity is None or identity.client_secret or not (identity.client_id or identity.resource_id):
        return None
    return identity


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise StorageSettingError("; ".join(faults))


def _given(name: str) -> tuple[Mapping[str, str], list[str]]:
    """The settings of a connection that are not blank, by what follows its name; the plain one by "".

    Beside them what is wrong with their names. What is known has its own spelling, whatever the environment has.
    """
    given: dict[str, str] = {}
    named: dict[str, str] = {}
    faults = []
    for setting, value in sorted(os.environ.items()):
        spelt = setting.replace(":", "__")
        if not value.strip() or not (spelt.lower() == name.lower() or spelt.lower().startswith(f"{name.lower()}__")):
            continue
        key = spelt[len(name) :].removeprefix("__")
        known = _SPELLINGS.get(key.lower(), key)
        if known in given and given[known] != value.strip():
            faults.append(f"{named[known]} and {setting} are one setting with two values: remove one of them")
        given.setdefault(known, value.strip())
        named.setdefault(known, setting)
        if key and known not in _SPELLINGS.values():
            faults += _slip(name, key)
    return given, faults


def _slip(name: str, key: str) -> list[str]:
    """What is wrong with a setting that nobody knows. The host may have others of its own, but none so similar."""
    close = difflib.get_close_matches(key.lower(), _SPELLINGS, n=1, cutoff=0.85)
    if name == HOST_STORAGE and not close:
        return []
    meant = f"; {name}__{_SPELLINGS[close[0]]} may be meant" if close else ""
    return [f"{name}__{key} is no setting of a storage account (docs/settings.md lists them){meant}"]


def _connection(name: str, given: Mapping[str, str]) -> tuple[StorageConnection, list[str]]:
    if "" in given:
        others = [f"{name}__{key}" for key in _SPELLINGS.values() if key in given]
        faults = [
            f"{name} is a connection string, beside {_list(others)}: these are two ways of naming an account; "
            "remove the one or the other (the Functions host goes by the connection string)"
        ]
        return StorageConnection(name, connection_string=given[""]), faults if others else []
    # "endpoint" is another name of it in the bindings for tables, and gives way to the full name.
    key = _ENDPOINT if _ENDPOINT in given else "endpoint"
    endpoint, account = given.get(key), given.get(_ACCOUNT_NAME)
    identity, of_identity = _identity(name, given)
    faults = [*_faults_of_place(name, key, endpoint, account, given), *of_identity]
    return StorageConnection(name, None, endpoint and endpoint.rstrip("/"), account, identity), faults


def _faults_of_place(
    name: str, key: str, endpoint: str | None, account: str | None, given: Mapping[str, str]
) -> Iterator[str]:
    """What is wrong with where the tables are said to be."""
    if endpoint is None and account is None:
        said = _list([f"{name}__{each}" for each in given])
        yield (
            f"{name}__{_ENDPOINT} (or {name}__{_ACCOUNT_NAME}) is missing: the records are in tables, and where those "
            f"are does not follow from {said}"
        )
    if account is not None and not _ACCOUNT.fullmatch(account):
        yield f"{name}__{_ACCOUNT_NAME}: {_shown(account)} is no account name (3 to 24 small letters and digits)"
    if endpoint is None:
        return
    host = _host_of_tables(endpoint)
    if host is None:
        yield f"{name}__{key}: not the https URL of a table service, without a signature"
    elif account is not None and ".table." in host and host.partition(".")[0] != account:
        yield f"{name}__{_ACCOUNT_NAME} and {name}__{key} name different accounts"


def _host_of_tables(endpoint: str) -> str | None:
    """The host of a URL of tables; None where it is none."""
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme != "https" or not host or parts.query or parts.fragment or "@" in parts.netloc:
        return None
    return None if _WITHOUT_TABLES & {*host.split(".")[1:3]} else host


def _identity(name: str, given: Mapping[str, str]) -> tuple[StorageIdentity | None, list[str]]:
    """Who asks, and what is wrong with what the settings say of it."""
    faults = [f"{name}__{key} is not supported; use a managed identity" for key in _NOT_TAKEN if key in given]
    kind = given.get("credential")
    client, resource = given.get("clientId"), given.get("managedIdentityResourceId")
    application = {key: given.get(key) for key in ("tenantId", "clientId", "clientSecret")}
    tenant, secret = application["tenantId"], application["clientSecret"]
    of_application = [f"{name}__{key}" for key in ("tenantId", "clientSecret") if key in given]
    if client and resource:
        faults.append(f"{name}__clientId and {name}__managedIdentityResourceId: set one of them only")
    if kind is not None and kind.lower() != "managedidentity":
        faults.append(f"{name}__credential: {_shown(kind)} is not supported; the value is managedidentity")
    elif kind is not None and of_application:
        faults.append(f"{_list(of_application)} beside {name}__credential=managedidentity: set one or the other")
    elif kind is None and of_application and not all(application.values()):
        missing = [f"{name}__{key}" for key, value in application.items() if not value]
        faults.append(f"{_list(missing)} missing: an application needs tenant, client and secret")
    elif kind is None and resource:
        faults.append(f"{name}__managedIdentityResourceId needs {name}__credential=managedidentity beside it")
    if kind is not None:
        return StorageIdentity(client, resource, managed=True), faults
    if of_application:
        return StorageIdentity(client, tenant_id=tenant, client_secret=secret), faults
    return StorageIdentity(client) if client else None, faults


def _shown(value: str) -> str:
    """A value that is not what it is to be: it may be a secret in the wrong place, so only a word is repeated."""
    return f"'{value}'" if _WORD.fullmatch(value) else "the value"


def _list(names: Sequence[str]) -> str:
    """Names as a sentence has them: a, b and c."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
