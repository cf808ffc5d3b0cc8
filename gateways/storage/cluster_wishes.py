"""The wishes of clusters (domain/requests/wishes.py), a row each beside their events; and which clusters lists show."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import UpdateMode

from domain.arm_ids import ArmId, parse_arm_id
from domain.operation.codec import CodecError, decode, encode
from domain.requests.wishes import Wishes
from domain.times import to_text
from gateways.storage.cluster_events import TABLE
from gateways.storage.tables import MAX_TRANSACTION, SCHEMA, SCHEMA_COLUMN, hashed, pack, quoted, table, unpack_json

logger = logging.getLogger(__name__)

_ROW = "wishes"
# Rows of the clusters that the list of a subscription and kind has shown, together: they are read and written so.
_LISTED = "listed;"


def read(cluster_id: str) -> Wishes | None:
    """The wishes of a cluster; None when no look has put any down. Raises CodecError or AzureError."""
    try:
        return _wishes(table(TABLE).get_entity(hashed(cluster_id), _ROW))
    except ResourceNotFoundError:
        return None


def put(wishes: Wishes) -> None:
    """Keep them. One look at a time is taken at a cluster, so nobody else writes. Raises AzureError."""
    columns = {
        SCHEMA_COLUMN: SCHEMA,
        "subscription": parse_arm_id(wishes.cluster_id).subscription,
        "due": to_text(wishes.due),
        "wishes": encode(wishes),
    }
    entity = {"PartitionKey": hashed(wishes.cluster_id), "RowKey": _ROW, **pack(columns)}
    table(TABLE).upsert_entity(entity, UpdateMode.REPLACE)


def of_subscription(subscription: str) -> Iterator[Wishes]:
    """Those of the clusters of a subscription; a row that cannot be read is passed over. Raises AzureError."""
    return _found(f"RowKey eq '{_ROW}' and subscription eq '{quoted(subscription)}'")


def due(now: datetime) -> Iterator[Wishes]:
    """Those whose next look is due; the same of rows. Raises AzureError."""
    return _found(f"RowKey eq '{_ROW}' and due le '{to_text(now)}'")


def short_key(cluster_id: str) -> str:
    """What a cluster is known again by among those of a list: runs remember thousands of them."""
    return hashed(cluster_id)[:12]


def place_of(cluster: ArmId) -> str:
    """The list that shows a cluster: its subscription and its kind."""
    return f"{cluster.subscription}/{cluster.resource_type}"


def listed(place: str) -> Iterator[str]:
    """The keys of the clusters that a list has shown. Raises AzureError."""
    for row in table(TABLE).query_entities(f"PartitionKey eq '{_LISTED}{hashed(place)}'"):
        cluster = row.get("cluster")
        if isinstance(cluster, str):
            yield cluster


def put_listed(place: str, clusters: Iterable[str]) -> None:
    """Note that a list has shown clusters, by their keys. Raises AzureError."""
    rows = [
        {"PartitionKey": f"{_LISTED}{hashed(place)}", "RowKey": hashed(cluster), **_listed_columns(cluster)}
        for cluster in sorted(clusters)
    ]
    for start in range(0, len(rows), MAX_TRANSACTION):
        part = rows[start : start + MAX_TRANSACTION]
        table(TABLE).submit_transaction([("upsert", row) for row in part])


def forget_listed(cluster: ArmId) -> None:
    """Note that a cluster is gone: no list has to show it any more. Raises AzureError."""
    table(TABLE).delete_entity(f"{_LISTED}{hashed(place_of(cluster))}", hashed(cluster.key))


def _listed_columns(cluster: str) -> dict[str, Any]:
    return {SCHEMA_COLUMN: SCHEMA, "cluster": cluster}


def _found(query: str) -> Iterator[Wishes]:
    for row in table(TABLE).query_entities(query):
        try:
            yield _wishes(row)
        except CodecError as error:
            logger.error("%s: the wishes of a cluster cannot be read: %s", row["PartitionKey"], error)


def _wishes(row: Any) -> Wishes:
    return decode(Wishes, unpack_json(row, "wishes"))
