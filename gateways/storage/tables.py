"""Table Storage: clients, keys, and long values cut into properties.

Limits of the service (and not of Azurite, which accepts larger entities and answers too large a transaction with
broken HTTP): 64 KiB a property, 1 MiB an entity, 100 rows a transaction. They are kept here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

import requests
from azure.core.exceptions import AzureError, ResourceExistsError, ServiceRequestError
from azure.data.tables import TableClient, TableServiceClient

from gateways.azure.identity import cloud, credential, credential_of, is_without_token, refusal
from gateways.azure.own_host import own_host_options
from gateways.storage.settings import StorageSettingError, read_storage_connection

# A string is stored as UTF-16: 64 KiB are 32 Ki code units, a character outside the basic plane counts two.
_PROPERTY_UNITS = 32_000
_ENTITY_BYTES = 1024 * 1024
_PART = "__part"
MAX_TRANSACTION = 100
# The version of what is stored, a column of every row. Rows of release 0.2.0 and before have none.
SCHEMA, SCHEMA_COLUMN = 1, "schema"


class RecordTooLarge(ValueError):
    """An entity would go over what Table Storage keeps."""


_TIMEOUTS: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 15}


@lru_cache(maxsize=1)
def _service() -> TableServiceClient:
    """Where tables are and how the app signs in there; calls go through the clients of ``table``."""
    options: dict[str, Any] = {"retry_total": 0, **_TIMEOUTS}
    connection = read_storage_connection()
    if connection.connection_string is not None:
        try:
            # The host takes Azurite's short form with a semicolon behind it too; the SDK does not.
            return TableServiceClient.from_connection_string(connection.connection_string.rstrip(";"), **options)
        except ValueError as error:
            # Not what the SDK said: nobody knows what of a secret that holds.
            raise StorageSettingError(f"{connection.name} is no connection string of a storage account") from error
    endpoint = connection.endpoint or f"https://{connection.account}.table.{_storage_domain(connection.name)}"
    who = credential() if connection.identity is None else credential_of(connection.identity)
    return TableServiceClient(endpoint, credential=who, **options)


def _storage_domain(connection: str) -> str:
    try:
        return cloud().storage_domain
    except requests.RequestException as error:
        raise ServiceRequestError(f"the cloud's metadata cannot be read: {error}", error=error) from error
    except ValueError as error:
        raise StorageSettingError(f"ARM_CLOUD_METADATA_URL, which {connection}__accountName needs: {error}") from error


@lru_cache(maxsize=8)
def table(name: str) -> TableClient:
    """The client of a table, which is made when it is missing.

    Raises azure.core.exceptions.AzureError, and StorageSettingError when the settings do not say where tables are.
    """
    service = _service()
    # Not by get_table_client: what it makes leaves out the policies that the service's client was given.
    client = TableClient(
        service.url,
        name,
        credential=service.credential,
        api_version=service.api_version,
        retry_total=0,
        **own_host_options(service.url, **_TIMEOUTS),
    )
    with suppress(ResourceExistsError):
        client.create_table()
    return client


def is_outage(error: AzureError) -> bool:
    """Whether Table Storage (or the identity it is reached with) did not answer, rather than refuse what was asked."""
    if refusal(error) is not None:
        return False
    if is_without_token(error):  # Its status is not that of Table Storage.
        return True
    status = getattr(error, "status_code", None)
    return status is None or status in (408, 429) or status >= 500


def hashed(*parts: str) -> str:
    """A key made of parts that may hold characters illegal in keys (``/ \\ # ?``); letter case does not count."""
    return hashlib.sha256("\n".join(part.lower() for part in parts).encode()).hexdigest()[:40]


def quoted(text: str) -> str:
    """Text as a literal of a query filter."""
    return text.replace("'", "''")


def rows_below(prefix: str, after: str = "") -> str:
    """The filter of row keys that begin so, or of those of them behind one. No key has a character above the tilde."""
    return f"RowKey gt '{after or prefix}' and RowKey lt '{prefix}~'"


def pack(columns: Mapping[str, Any]) -> dict[str, Any]:
    """An entity's columns: objects and lists as JSON text, long text cut into properties of legal size.

    None is left out. Raises RecordTooLarge when the entity would be over 1 MiB.
    """
    entity: dict[str, Any] = {}
    size = 0
    for name, value in columns.items():
        if value is None:
            continue
        if isinstance(value, bool | int | float):
            entity[name] = value
            size += 2 * len(name) + 8
            continue
        text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        for number, part in enumerate(_cut(text)):
            key = name if number == 0 else f"{name}{_PART}{number}"
            entity[key] = part
            size += 2 * (len(key) + _units(part)) + 8
    if size > _ENTITY_BYTES:
        raise RecordTooLarge(f"the entity would take {size} bytes; Table Storage keeps {_ENTITY_BYTES}")
    return entity


def unpack_text(entity: Mapping[str, Any], name: str) -> str | None:
    """The text that ``pack`` put into one or more properties; None when it was left out."""
    if name not in entity:
        return None
    parts = [str(entity[name])]
    while (key := f"{name}{_PART}{len(parts)}") in entity:
        parts.append(str(entity[key]))
    return "".join(parts)


def unpack_json(entity: Mapping[str, Any], name: str) -> Any:
    """The object or list that ``pack`` stored; None when it was left out."""
    text = unpack_text(entity, name)
    return None if text is None else json.loads(text)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _cut(text: str) -> list[str]:
    if _units(text) <= _PROPERTY_UNITS:
        return [text]
    # Half the limit in characters is at most the limit in code units, whatever the characters are.
    step = _PROPERTY_UNITS // 2
    return [text[start : start + step] for start in range(0, len(text), step)]
