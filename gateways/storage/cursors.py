"""Where the runs of a timer stand: what the next one begins with."""

from __future__ import annotations

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import UpdateMode

from gateways.storage.tables import SCHEMA, SCHEMA_COLUMN, pack, table, unpack_text

TABLE = "timers"
_PARTITION = "cursor"


def read(duty: str) -> str:
    """The position that the last run of a timer has left; empty when it has left none.

    Raises azure.core.exceptions.AzureError.
    """
    try:
        row = table(TABLE).get_entity(_PARTITION, duty)
    except ResourceNotFoundError:
        return ""
    return unpack_text(row, "position") or ""


def write(duty: str, position: str) -> None:
    """Keep a position for the next run. Raises RecordTooLarge or azure.core.exceptions.AzureError."""
    columns = pack({SCHEMA_COLUMN: SCHEMA, "position": position})
    table(TABLE).upsert_entity({"PartitionKey": _PARTITION, "RowKey": duty, **columns}, UpdateMode.REPLACE)
