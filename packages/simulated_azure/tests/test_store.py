"""The memory on disk."""

from __future__ import annotations

from pathlib import Path

from packages.simulated_azure.store import Store


def test_store_keeps_documents_and_requests(tmp_path: Path) -> None:
    first = Store(tmp_path / "db", keep=True)
    first.put("kind", "b", {"value": 1})
    first.put("kind", "a", {"value": 2})
    first.put("kind", "b", {"value": 3})
    first.delete("kind", "a")
    entry = {"path": "/x"}
    first.add_request(entry)
    entry["status"] = "done"
    first.save_request(entry)
    second = Store(tmp_path / "db", keep=True)
    assert list(second.items("kind")) == [("b", {"value": 3})]
    assert second.requests == [{"path": "/x", "number": 1, "status": "done"}]
    first.close()
    second.close()
    third = Store(tmp_path / "db", keep=False)
    assert (list(third.items("kind")), third.requests) == ([], [])
    third.close()
