"""How many recorded exchanges agree, differ and are left out, per file: ``make conformance``.

Every module of ``durable`` and ``host`` with a list ``CHECKS`` takes part.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import pkgutil
import sys
import warnings
from itertools import groupby

from packages.functions_host.tests.conformance import durable, host
from packages.functions_host.tests.conformance.checks import Check, Tally


def all_checks() -> list[Check]:
    found: list[Check] = []
    for package in (durable, host):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            found += getattr(importlib.import_module(module.name), "CHECKS", [])
    return sorted(found, key=lambda check: (check.file, check.aspect))


async def run(checks: list[Check]) -> list[tuple[Check, Tally]]:
    return [(check, await _one(check)) for check in checks]


async def _one(check: Check) -> Tally:
    """A check that breaks is a difference, not the end of the report."""
    try:
        return await check.run()
    except Exception as error:
        return Tally(differing=[f"the check itself failed: {type(error).__name__}: {error}"])


def render(results: list[tuple[Check, Tally]], *, details: bool) -> str:
    lines = [f"{'file':<34}{'aspect':<12}{'agreeing':>9}{'differing':>11}{'left out':>10}"]
    total = Tally()
    for _, group in groupby(results, key=lambda item: item[0].file):
        for check, tally in group:
            counts = f"{tally.agreeing:>9}{len(tally.differing):>11}{len(tally.left_out):>10}"
            lines.append(f"{check.file:<34}{check.aspect:<12}{counts}")
            if details:
                lines += [f"    differs: {text}" for text in tally.differing]
                lines += [f"    left out: {text}" for text in dict.fromkeys(tally.left_out)]
            total.agreeing += tally.agreeing
            total.differing += tally.differing
            total.left_out += tally.left_out
    lines.append(f"{'total':<46}{total.agreeing:>9}{len(total.differing):>11}{len(total.left_out):>10}")
    return "\n".join(lines)


def main() -> int:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore", UserWarning)
    wanted = [word for word in sys.argv[1:] if not word.startswith("-")]
    checks = [check for check in all_checks() if not wanted or any(word in check.file for word in wanted)]
    results = asyncio.run(run(checks))
    print(render(results, details="-v" in sys.argv))
    return 1 if any(tally.differing for _, tally in results) else 0


if __name__ == "__main__":
    sys.exit(main())
