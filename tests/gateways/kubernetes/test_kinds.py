"""msgspec 0.22 crashes the process when threads first meet a type at the same moment: each kind is met before."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateways.kubernetes.kinds import decode_once

ROOT = Path(__file__).parents[3]
# Without the first line after the imports this ends by SIGSEGV in every run.
_MANY_THREADS = """
import importlib, sys, threading
from gateways.kubernetes import kinds as decoded
from lightkube.core.decoders import decode_list
sys.setswitchinterval(1e-6)
kinds = [getattr(importlib.import_module(m), n) for m, n in (a.split(":") for a in sys.argv[2:])]
if sys.argv[1] == "prepared":
    decoded.prepare_decoding()
start = threading.Barrier(24)
def work():
    start.wait()
    for kind in kinds:
        decode_list(b'{"items":[]}', kind)
threads = [threading.Thread(target=work) for _ in range(24)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("all decoded")
"""


def imported_kinds() -> set[tuple[str, str]]:
    """Every class of lightkube's resources that a gateway imports by name, with its module."""
    found = set()
    for path in (ROOT / "gateways").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("lightkube.resources."):
                found |= {(str(node.module), alias.name) for alias in node.names}
    return found


def prepared_kinds(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    """What the gateway decodes before it lets threads do it."""
    from lightkube.core import decoders

    met: list[Any] = []
    decode = decoders.decode_list

    def watched(data: bytes, kind: Any) -> Any:
        met.append(kind)
        return decode(data, kind)

    monkeypatch.setattr(decoders, "decode_list", watched)
    decode_once.__wrapped__()
    return {(kind.__module__, kind.__name__) for kind in met}


def test_every_kind_that_is_decoded_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = imported_kinds()
    assert ("lightkube.resources.core_v1", "Pod") in kinds
    assert kinds - prepared_kinds(monkeypatch) == set()


def test_many_threads_meet_every_kind_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = [f"{module}:{name}" for module, name in sorted(prepared_kinds(monkeypatch)) if "resources" in module]
    assert len(kinds) >= 8
    command = [sys.executable, "-c", _MANY_THREADS, "prepared", *kinds]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "all decoded"), done.stderr[-500:]
