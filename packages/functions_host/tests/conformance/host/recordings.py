"""Loads the files of ``recorded/host``: only a line feed ends a line, the texts hold U+2028 and U+0085 as they are."""

from __future__ import annotations

import functools
import json
from typing import Any

from packages.functions_host.tests.conformance.checks import RECORDED


@functools.cache
def load_host(name: str) -> list[dict[str, Any]]:
    text = (RECORDED / "host" / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n") if line.strip()]
