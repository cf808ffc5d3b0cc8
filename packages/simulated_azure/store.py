"""Documents in memory, written through to sqlite so that they survive a kill."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Document = dict[str, Any]


class Store:
    """JSON documents by kind and key, and the append-only request log.

    Reads come from memory. A write is committed before it returns; ``synchronous=OFF`` leaves the flush to the
    operating system, which is enough to survive ``kill -9`` (not a power cut).
    """

    def __init__(self, path: Path, *, keep: bool) -> None:
        """Open the database at ``path``; what it held before is dropped unless ``keep``."""
        if not keep:
            for stale in path.parent.glob(path.name + "*"):
                stale.unlink()
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS documents (kind TEXT, key TEXT, body TEXT, PRIMARY KEY (kind, key))"
        )
        self._database.execute("CREATE TABLE IF NOT EXISTS requests (number INTEGER PRIMARY KEY, body TEXT)")
        self._documents: dict[str, dict[str, Document]] = {}
        for kind, key, body in self._database.execute("SELECT kind, key, body FROM documents ORDER BY rowid"):
            self._documents.setdefault(kind, {})[key] = json.loads(body)
        self.requests: list[Document] = [
            json.loads(body) for (body,) in self._database.execute("SELECT body FROM requests ORDER BY number")
        ]

    def get(self, kind: str, key: str) -> Document | None:
        """The document itself (not a copy); whoever changes it calls ``put``."""
        return self._documents.get(kind, {}).get(key)

    def put(self, kind: str, key: str, document: Document) -> None:
        """Insert or replace one document."""
        self._documents.setdefault(kind, {})[key] = document
        self._database.execute(
            "INSERT INTO documents VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body",
            (kind, key, json.dumps(document)),
        )

    def delete(self, kind: str, key: str) -> None:
        """Remove one document; a missing one is no error."""
        self._documents.get(kind, {}).pop(key, None)
        self._database.execute("DELETE FROM documents WHERE kind = ? AND key = ?", (kind, key))

    def items(self, kind: str) -> Iterator[tuple[str, Document]]:
        """Key and document of every document of a kind, oldest first; safe against changes while iterating."""
        return iter(list(self._documents.get(kind, {}).items()))

    def values(self, kind: str) -> Iterator[Document]:
        """Every document of a kind, oldest first."""
        return iter(list(self._documents.get(kind, {}).values()))

    def add_request(self, entry: Document) -> None:
        """Append one entry to the request log and number it."""
        entry["number"] = len(self.requests) + 1
        self.requests.append(entry)
        self._database.execute("INSERT INTO requests VALUES (?, ?)", (entry["number"], json.dumps(entry)))

    def save_request(self, entry: Document) -> None:
        """Write an entry of the request log again after it was completed."""
        self._database.execute("UPDATE requests SET body = ? WHERE number = ?", (json.dumps(entry), entry["number"]))

    def clear_requests(self) -> None:
        """Forget the request log."""
        self.requests.clear()
        self._database.execute("DELETE FROM requests")

    def clear(self) -> None:
        """Forget every document and the request log."""
        self._documents.clear()
        self._database.execute("DELETE FROM documents")
        self.clear_requests()

    def close(self) -> None:
        """Close the database."""
        self._database.close()
