"""The engine's memory on disk: one sqlite file, so that a host killed at any instant continues where it was.

Every change that belongs together is one transaction: what an episode adds to the history, the messages it sends, the
timers and activities it schedules and the row that the status shows. Write-ahead logging with ``synchronous=NORMAL``
keeps each committed transaction through the death of the process (not through the loss of power, which this stand-in
need not survive).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from packages.functions_host.durable.protocol.history import Event

FINISHED = frozenset({"Completed", "Failed", "Terminated", "Canceled"})

_SCHEMA = """
CREATE TABLE IF NOT EXISTS instances (
    instance_id TEXT PRIMARY KEY, execution_id TEXT NOT NULL, name TEXT NOT NULL, version TEXT, status TEXT NOT NULL,
    input_text TEXT, output TEXT, custom_status TEXT, created INTEGER NOT NULL, updated INTEGER NOT NULL,
    generation INTEGER, source_instance_id TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history (
    instance_id TEXT NOT NULL, position INTEGER NOT NULL, event TEXT NOT NULL,
    PRIMARY KEY (instance_id, position)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, instance_id TEXT NOT NULL, execution_id TEXT, event TEXT NOT NULL,
    visible_from INTEGER NOT NULL DEFAULT 0, fetches INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS messages_of_instance ON messages (instance_id, id);
CREATE TABLE IF NOT EXISTS activities (
    id INTEGER PRIMARY KEY AUTOINCREMENT, instance_id TEXT NOT NULL, execution_id TEXT NOT NULL,
    task_id INTEGER NOT NULL, name TEXT NOT NULL, input_text TEXT,
    visible_from INTEGER NOT NULL DEFAULT 0, fetches INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS timers (
    instance_id TEXT NOT NULL, execution_id TEXT NOT NULL, timer_id INTEGER NOT NULL, fire_at INTEGER NOT NULL,
    event TEXT NOT NULL, PRIMARY KEY (instance_id, execution_id, timer_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hanging (
    instance_id TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (instance_id, reason)) WITHOUT ROWID;
"""

MESSAGES, ACTIVITIES = "messages", "activities"
"""The two kinds of queues: what goes to instances (control queues) and the calls of activities (work items)."""
# Columns that a file of release 0.2.0 lacks.
_LATER_COLUMNS = ("visible_from", "fetches")


@dataclass(frozen=True)
class Instance:
    """The row of one instance; ``created`` and ``updated`` are ticks since the Unix epoch, texts JSON or bare."""

    instance_id: str
    execution_id: str
    name: str
    version: str | None
    status: str
    input_text: str | None
    output: str | None
    custom_status: str | None
    created: int
    updated: int
    generation: int | None
    source_instance_id: str | None

    @property
    def finished(self) -> bool:
        """Whether the instance has come to an end."""
        return self.status in FINISHED


@dataclass(frozen=True)
class Message:
    """An event on its way to an instance; ``execution_id`` is None when it is meant for whichever generation runs.

    ``visible_from`` is in ticks, 0 for at once; ``fetches`` counts how often a host has fetched the message.
    """

    id: int
    execution_id: str | None
    event: Event
    visible_from: int = 0
    fetches: int = 0


@dataclass(frozen=True)
class ActivityMessage:
    """One delivery of an activity call; its row goes with the commit of its result. ``visible_from`` is in ticks."""

    id: int
    instance_id: str
    execution_id: str
    task_id: int
    name: str
    input_text: str | None
    visible_from: int = 0


@dataclass(frozen=True)
class Timer:
    """A timer that is not due; ``fire_at`` in ticks, ``event`` is the TimerFired it becomes."""

    instance_id: str
    execution_id: str
    timer_id: int
    fire_at: int
    event: Event


_COLUMNS = ", ".join(item.name for item in fields(Instance))
_MARKS = ", ".join("?" for _ in fields(Instance))


class Store:
    """Reads and writes; changes are made inside ``transaction``. Not for use from several threads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        for table in (MESSAGES, ACTIVITIES):
            known = {row[1] for row in self._db.execute(f"PRAGMA table_info({table})")}
            for column in _LATER_COLUMNS:
                if column not in known:
                    self._db.execute(f"ALTER TABLE {table} ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # -- instances ---------------------------------------------------------------------------------------------------

    def instance(self, instance_id: str) -> Instance | None:
        """The row of an instance, None when there is none; ids are case-sensitive (recorded)."""
        row = self._db.execute(f"SELECT {_COLUMNS} FROM instances WHERE instance_id = ?", (instance_id,)).fetchone()  # noqa: S608
        return None if row is None else Instance(*row)

    def put_instance(self, instance: Instance) -> None:
        """Insert or replace a row."""
        self._db.execute(f"INSERT OR REPLACE INTO instances VALUES ({_MARKS})", astuple(instance))  # noqa: S608

    def instances(self, prefix: str = "", after: str = "") -> list[Instance]:
        """Rows in the order of their ids (by code point), those that begin with ``prefix``, from ``after`` on."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM instances WHERE instance_id >= ? ORDER BY instance_id",  # noqa: S608
            (max(prefix, after),),
        )
        return [found for row in rows if (found := Instance(*row)).instance_id.startswith(prefix)]

    def delete_instance(self, instance_id: str) -> None:
        """Forget row, history, messages and timers. Activities that run continue; their results are dropped."""
        for table in ("instances", "history", "messages", "timers", "hanging"):
            self._db.execute(f"DELETE FROM {table} WHERE instance_id = ?", (instance_id,))  # noqa: S608

    def add_hanging(self, instance_id: str, reason: str) -> bool:
        """Remember why an instance will never end; False when that was known."""
        cursor = self._db.execute("INSERT OR IGNORE INTO hanging VALUES (?, ?)", (instance_id, reason))
        return cursor.rowcount > 0

    def hanging(self) -> list[tuple[Instance, str]]:
        """Instances that have not ended and never will, with the reason."""
        rows = self._db.execute("SELECT instance_id, reason FROM hanging ORDER BY instance_id, reason").fetchall()
        found = ((self.instance(instance_id), reason) for instance_id, reason in rows)
        return [(instance, reason) for instance, reason in found if instance is not None and not instance.finished]

    # -- history -----------------------------------------------------------------------------------------------------

    def history(self, instance_id: str) -> list[Event]:
        """The events of the current generation."""
        rows = self._db.execute("SELECT event FROM history WHERE instance_id = ? ORDER BY position", (instance_id,))
        return [json.loads(row[0]) for row in rows]

    def append_history(self, instance_id: str, position: int, events: Iterable[Event]) -> None:
        """Write ``events`` from ``position`` on, over what was written before."""
        self._db.executemany(
            "INSERT OR REPLACE INTO history VALUES (?, ?, ?)",
            [(instance_id, position + index, json.dumps(event)) for index, event in enumerate(events)],
        )

    def clear_history(self, instance_id: str) -> None:
        """Forget the generation that ended, its timers included."""
        self._db.execute("DELETE FROM history WHERE instance_id = ?", (instance_id,))
        self.delete_timers(instance_id)

    # -- messages ----------------------------------------------------------------------------------------------------

    def add_message(self, instance_id: str, execution_id: str | None, event: Event) -> None:
        """Queue an event for an instance."""
        self._db.execute(
            "INSERT INTO messages (instance_id, execution_id, event) VALUES (?, ?, ?)",
            (instance_id, execution_id, json.dumps(event)),
        )

    def messages(self, instance_id: str) -> list[Message]:
        """The queue of an instance, oldest first."""
        rows = self._db.execute(
            "SELECT id, execution_id, event, visible_from, fetches FROM messages WHERE instance_id = ? ORDER BY id",
            (instance_id,),
        )
        return [Message(key, execution, json.loads(event), *rest) for key, execution, event, *rest in rows]

    def delete_messages(self, messages: Iterable[Message]) -> None:
        """Take messages off the queue."""
        self._db.executemany("DELETE FROM messages WHERE id = ?", [(message.id,) for message in messages])

    def instances_with_messages(self) -> list[str]:
        """Ids of the instances that have something to do."""
        rows = self._db.execute("SELECT instance_id FROM messages GROUP BY instance_id ORDER BY min(id)")
        return [row[0] for row in rows]

    def hide(self, table: str, ids: Iterable[int], visible_from: int, *, fetched: bool = False) -> None:
        """Make messages of a queue invisible until a time in ticks (0: visible); ``fetched`` counts one more fetch."""
        self._db.executemany(
            f"UPDATE {table} SET visible_from = ?, fetches = fetches + ? WHERE id = ?",  # noqa: S608
            [(visible_from, int(fetched), key) for key in ids],
        )

    # -- activities and timers ---------------------------------------------------------------------------------------

    def add_activity(
        self, instance_id: str, execution_id: str, task_id: int, name: str, input_text: str | None
    ) -> ActivityMessage:
        """Queue one delivery of an activity call."""
        cursor = self._db.execute(
            "INSERT INTO activities (instance_id, execution_id, task_id, name, input_text) VALUES (?, ?, ?, ?, ?)",
            (instance_id, execution_id, task_id, name, input_text),
        )
        return ActivityMessage(cursor.lastrowid or 0, instance_id, execution_id, task_id, name, input_text)

    def activities(self) -> list[ActivityMessage]:
        """Every delivery that is not done, oldest first."""
        rows = self._db.execute(
            "SELECT id, instance_id, execution_id, task_id, name, input_text, visible_from FROM activities ORDER BY id"
        )
        return [ActivityMessage(*row) for row in rows]

    def delete_activity(self, message: ActivityMessage) -> None:
        """The delivery is done."""
        self._db.execute("DELETE FROM activities WHERE id = ?", (message.id,))

    def add_timer(self, timer: Timer) -> None:
        """Remember a timer."""
        self._db.execute(
            "INSERT OR REPLACE INTO timers VALUES (?, ?, ?, ?, ?)",
            (timer.instance_id, timer.execution_id, timer.timer_id, timer.fire_at, json.dumps(timer.event)),
        )

    def timers(self) -> list[Timer]:
        """Every timer that is not due or not yet delivered."""
        rows = self._db.execute("SELECT instance_id, execution_id, timer_id, fire_at, event FROM timers")
        return [Timer(row[0], row[1], row[2], row[3], json.loads(row[4])) for row in rows]

    def delete_timers(self, instance_id: str) -> None:
        """Forget every timer of an instance."""
        self._db.execute("DELETE FROM timers WHERE instance_id = ?", (instance_id,))

    def delete_timer(self, instance_id: str, execution_id: str, timer_id: int) -> bool:
        """Forget a timer; False when it was forgotten before."""
        cursor = self._db.execute(
            "DELETE FROM timers WHERE instance_id = ? AND execution_id = ? AND timer_id = ?",
            (instance_id, execution_id, timer_id),
        )
        return cursor.rowcount > 0
