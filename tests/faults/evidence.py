"""What the checker goes by: rows of Table Storage, the simulated Azure's log and the engine's memory.

Nothing here asks the product, nor uses its code: rows are parsed as docs/state.md describes them.
"""

from __future__ import annotations

import json
import sqlite3
import ssl
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import TableServiceClient

from local.azurite import ACCOUNT
from local.stack import Stack

# The key that every Azurite has; public knowledge. The app itself gets no key, it comes with tokens.
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
FINAL = frozenset({"Succeeded", "Failed", "Canceled"})
_LIVE_INSTANCE = frozenset({"Pending", "Running", "Suspended", "ContinuedAsNew"})

Row = dict[str, Any]


# A reading that still disagrees after so many tries tells of a broken journal.
_READINGS = 5
# Where a row keeps when it was written, as the table service tells it; and how far back a later reading begins.
_WRITTEN = "written"
_OVERLAP = timedelta(seconds=10)
_WRITING = "PUT,POST,PATCH,DELETE"
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Head:
    """The head row of an operation."""

    id: str
    kind: str
    status: str
    run: int
    workspace_id: str
    cluster_id: str | None
    compute_name: str
    journal_length: int
    pick_ups: int
    steps: tuple[Row, ...]
    row: Row
    # What questions.asks has answered of it: every look asks each operation about each request there ever was.
    answers: dict[tuple[str, str], bool] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def final(self) -> bool:
        return self.status in FINAL

    @property
    def at_rest(self) -> bool:
        """Whether it has ended and its last step, which gives claims back, is over."""
        return self.final and bool(self.steps) and self.steps[-1]["status"] in ("Succeeded", "Skipped", "Failed")

    @property
    def plan_only(self) -> bool:
        """Whether it only looks: such an operation claims nothing and changes nothing."""
        return bool(self.row.get("plan_only"))

    @property
    def compute_id(self) -> str:
        return f"{self.workspace_id}/computes/{self.compute_name}"

    @property
    def started(self) -> datetime | None:
        return moment(self.row.get("started_time"))

    @property
    def finished(self) -> datetime | None:
        return moment(self.row.get("finished_time"))

    @property
    def ids(self) -> tuple[str, ...]:
        """Its own id and those of what it works on."""
        return self.id, self.compute_id, self.cluster_id or ""

    def step(self, name: str) -> Row | None:
        return next((step for step in self.steps if step["name"] == name), None)

    def __str__(self) -> str:
        return f"{self.kind} {self.id} (run {self.run}, {self.status})"


@dataclass(frozen=True)
class Hold:
    """A claim or a reservation on a target."""

    target: str
    operation: str
    reserved: bool

    @property
    def ids(self) -> tuple[str, ...]:
        """The operation's and the target's."""
        return self.operation, self.target

    def __str__(self) -> str:
        return f"{'reservation' if self.reserved else 'claim'} of {self.operation} on {self.target}"


@dataclass(frozen=True)
class Instance:
    """An engine instance; ``pending`` counts messages, activities and timers that will make it go on."""

    id: str
    name: str
    status: str
    pending: int

    @property
    def live(self) -> bool:
        return self.status in _LIVE_INSTANCE


@dataclass(frozen=True)
class Evidence:
    """Everything, as read at about one moment."""

    heads: Mapping[str, Head]
    journals: Mapping[str, list[Row]]
    index: Mapping[str, list[str]]
    holds: list[Hold]
    reactions: list[Row]
    instances: Mapping[str, Instance]
    requests: list[Row]
    objects: list[Row]
    effects: list[Row]
    jobs: list[Row]
    computes: list[Row]
    underlying_deletes: int
    app: str
    now: datetime = field(default_factory=datetime.now)


@dataclass(frozen=True)
class Records:
    """The table of operations, sorted out: heads, journals and keys of index rows by operation."""

    heads: dict[str, Head]
    journals: dict[str, list[Row]]
    index: dict[str, list[str]]

    def agree(self, key: str) -> bool:
        """Whether what was read of an operation may be of one moment."""
        head = self.heads[key]
        told = any(row.startswith(f"status;{head.status};") for row in self.index.get(key, []))
        return told and len(self.journals.get(key, [])) == head.journal_length

    def replace(self, key: str, read: Records) -> None:
        """Put a later reading of one operation in the place of what was read."""
        self.heads.update(read.heads)
        self.journals[key] = read.journals.get(key, [])
        self.index[key] = read.index.get(key, [])


class Tables:
    """The tables of a stack, read past the app and past any proxy, with the account's key."""

    def __init__(self, stack: Stack) -> None:
        self._service = TableServiceClient(
            stack.table_service_uri,
            credential=AzureNamedKeyCredential(ACCOUNT, AZURITE_KEY),
            connection_verify=stack.azure.about["authority"],
        )

    def rows(self, table: str, query: str = "") -> list[Row]:
        """The rows of a table that fit a filter; none when the table is not there."""
        client = self._service.get_table_client(table)
        try:
            found = client.query_entities(query) if query else client.list_entities()
            return [{**row, _WRITTEN: row.metadata["timestamp"]} for row in found]
        except ResourceNotFoundError:
            return []

    def head(self, operation_id: str) -> Head | None:
        """The head row of an operation."""
        try:
            row = self._service.get_table_client("operations").get_entity("operations", f"operation;{operation_id}")
        except ResourceNotFoundError:
            return None
        return head_of(dict(row))

    def upsert(self, table: str, row: Row) -> None:
        """Write a row behind the app's back."""
        self._service.get_table_client(table).upsert_entity(row)

    def close(self) -> None:
        """Close the connections."""
        self._service.close()


class RecordReader:
    """Reads the table of operations; from the second time on only the operations that something was written of since.

    A row that went without any other being written is seen by a new reader only.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._records = Records({}, {}, {})
        self._newest: datetime | None = None

    def read(self) -> Records:
        """Heads, journals and index rows. They come in pages: what wrote between two is read anew, by itself."""
        if self._newest is None:
            rows = self._tables.rows("operations")
            self._records = _sorted_out(rows)
            to_read: set[str] = set()
        else:
            since = (self._newest - _OVERLAP).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            rows = self._tables.rows("operations", f"Timestamp ge datetime'{since}'")
            to_read = {_operation_of(row) for row in rows}
        self._newest = max((row[_WRITTEN] for row in rows), default=self._newest)
        for key in {*to_read, *(key for key in self._records.heads if not self._records.agree(key))}:
            self._read(key)
        return self._records

    def _read(self, key: str) -> None:
        journal = f"(RowKey ge 'journal;{key};' and RowKey lt 'journal;{key}<')"
        mine = f"RowKey eq 'operation;{key}' or {journal} or operation eq '{key}'"
        for _ in range(_READINGS):
            self._records.replace(key, _sorted_out(self._tables.rows("operations", mine)))
            if self._records.agree(key):
                break


def gather(stack: Stack, tables: Tables, reader: RecordReader) -> Evidence:
    """Read everything while operations may be at work.

    What the app did comes first: the records are younger then, and the intent of whatever was done is among them. What
    an effect might have hurt comes last: a job that ended before its compute went has ended by then.
    """
    requests = stack.azure.requests(kind="arm", method=_WRITING)
    objects = stack.azure.requests(kind="kubernetes", method=_WRITING)
    effects = stack.azure.operations()
    records = reader.read()
    holds = [Hold(r["target"], r["operation"], r["RowKey"].startswith("use;")) for r in tables.rows("claims")]
    # Beside them stand the requests that a look has called for.
    reactions = [
        row for row in tables.rows("reactions") if "cluster" in row and not row["PartitionKey"].startswith("listed;")
    ]
    instances = ask_for_instances(stack) if stack.published_engine else read_instances(_database(stack))
    app = next(p["objectId"] for p in stack.options.world["principals"] if p["name"] == "moor-app")
    return Evidence(
        heads=records.heads,
        journals=records.journals,
        index=records.index,
        holds=holds,
        reactions=reactions,
        instances=instances,
        requests=requests,
        objects=objects,
        effects=effects,
        jobs=stack.azure.resources("Microsoft.MachineLearningServices/workspaces/jobs"),
        computes=stack.azure.resources("Microsoft.MachineLearningServices/workspaces/computes"),
        underlying_deletes=stack.azure.underlying_deletes(),
        app=app,
        now=stack.clock.now(),
    )


def _database(stack: Stack) -> Path:
    return stack.host_state / "durable" / "durable.db"


def ask_for_instances(stack: Stack) -> dict[str, Instance]:
    """Every instance of Microsoft's engine, which does not show what an instance waits for: what is live goes on."""
    url = f"{stack.url}/runtime/webhooks/durabletask/instances?showInput=false&top=1000"
    found: list[Row] = []
    token: str | None = ""
    while token is not None:
        headers = {"x-functions-key": stack.keys["durabletask"], "x-ms-continuation-token": token}
        with _OPENER.open(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            found += json.load(answer)
            token = answer.headers.get("x-ms-continuation-token") or None
    instances = (Instance(i["instanceId"], i["name"], i["runtimeStatus"], 1) for i in found)
    return {instance.id: instance for instance in instances}


def read_instances(database: Path) -> dict[str, Instance]:
    """Every engine instance and what it waits for, read in one transaction; none when there is no database yet."""
    if not database.exists():
        return {}
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10, isolation_level=None)
    try:
        connection.execute("BEGIN")
        found = connection.execute("SELECT instance_id, name, status FROM instances").fetchall()
        pending: dict[str, int] = {}
        for table in ("messages", "activities", "timers"):
            counts = connection.execute(f"SELECT instance_id, count(*) FROM {table} GROUP BY instance_id")
            for instance_id, count in counts:
                pending[instance_id] = pending.get(instance_id, 0) + count
        connection.execute("COMMIT")
    finally:
        connection.close()
    return {key: Instance(key, name, status, pending.get(key, 0)) for key, name, status in found}


def head_of(row: Row) -> Head:
    """A head row, parsed."""
    return Head(
        id=row["id"],
        kind=row["kind"],
        status=row["status"],
        run=row["run"],
        workspace_id=str(row.get("workspace_id") or ""),
        cluster_id=row.get("cluster_id"),
        compute_name=str(row.get("compute_name") or ""),
        journal_length=row["journal_length"],
        pick_ups=row["pick_ups"],
        steps=tuple(unpacked(row, "steps") or ()),
        row=row,
    )


def unpacked(row: Mapping[str, Any], name: str) -> Any:
    """A JSON column, put together again when it was cut into parts."""
    if name not in row:
        return None
    text, part = str(row[name]), 1
    while (more := row.get(f"{name}__part{part}")) is not None:
        text, part = text + str(more), part + 1
    return json.loads(text)


def moment(text: Any) -> datetime | None:
    """An RFC 3339 time, or None."""
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None


def trusted(bundle: str) -> ssl.SSLContext:
    """A TLS context that trusts a bundle."""
    return ssl.create_default_context(cafile=bundle)


def _operation_of(row: Row) -> str:
    what, _, rest = str(row["RowKey"]).partition(";")
    if what == "operation":
        return rest
    return rest.rsplit(";", 1)[0] if what == "journal" else str(row["operation"])


def _sorted_out(rows: list[Row]) -> Records:
    records = Records({}, {}, {})
    for row in sorted(rows, key=lambda r: str(r["RowKey"])):
        what, _, rest = str(row["RowKey"]).partition(";")
        if what == "operation":
            records.heads[rest] = head_of(row)
        elif what == "journal":
            records.journals.setdefault(rest.rsplit(";", 1)[0], []).append(row)
        elif "operation" in row:
            records.index.setdefault(str(row["operation"]), []).append(str(row["RowKey"]))
    return records
