"""For each recorded answer the engine makes the next history, and the status queries in between answer alike."""

from __future__ import annotations

import tempfile
from pathlib import Path

from packages.functions_host.tests.conformance.checks import Check, Tally
from packages.functions_host.tests.conformance.durable.lockstep import LockStep
from packages.functions_host.tests.conformance.durable.recordings import SCENARIOS


def _make(file: str) -> Check:
    async def run() -> Tally:
        tally = Tally()
        with tempfile.TemporaryDirectory() as folder:
            await LockStep(file, Path(folder), tally).run()
        return tally

    return Check(file, "engine", run)


CHECKS = [_make(file) for file in SCENARIOS]
