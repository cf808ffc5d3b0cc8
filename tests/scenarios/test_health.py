"""What an operator asks after a deployment."""

from __future__ import annotations

import json
from urllib.request import urlopen

from domain.version import VERSION
from local.stack import Stack


def test_one_request_says_that_the_app_is_alive(stack: Stack) -> None:
    with urlopen(f"{stack.url}/api/health", timeout=30) as answer:
        body = json.load(answer)
    checks = dict.fromkeys(("settings", "policy", "tables", "identity", "engine"), "ok")
    assert body == {"status": "healthy", "version": VERSION, "checks": checks}
