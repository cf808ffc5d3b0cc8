"""The requests that the last look at a cluster called for: what may be started on its behalf, and nothing else.

The row stands beside the cluster's in the table of its events. Orchestrators carry ids alone: whoever starts one with
requests of their own gets none of them accepted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import UpdateMode

from gateways.storage.cluster_events import TABLE
from gateways.storage.tables import SCHEMA, SCHEMA_COLUMN, hashed, pack, table, unpack_json

_ROW = "called-for"


def put(cluster_id: str, requests: Sequence[Mapping[str, Any]]) -> None:
    """Keep the requests of a look, in the place of those of the look before.

    Raises RecordTooLarge or azure.core.exceptions.AzureError.
    """
    columns = pack({SCHEMA_COLUMN: SCHEMA, "requests": list(requests)})
    table(TABLE).upsert_entity({"PartitionKey": hashed(cluster_id), "RowKey": _ROW, **columns}, UpdateMode.REPLACE)


def read(cluster_id: str) -> list[dict[str, Any]]:
    """The requests of the last look that called for any. Raises azure.core.exceptions.AzureError."""
    try:
        row = table(TABLE).get_entity(hashed(cluster_id), _ROW)
    except ResourceNotFoundError:
        return []
    found: list[dict[str, Any]] = unpack_json(row, "requests") or []
    return found
