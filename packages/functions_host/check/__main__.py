"""``python -m packages.functions_host.check APP``: does Microsoft's worker library take an app and run its functions.

The library indexes the app in a worker process, as on Azure, and runs one function of each kind. No host, no storage
and no Azure are needed: what a function cannot reach then is its own affair, and kept apart from a call that the
library could not convert.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Iterable
from pathlib import Path

from packages.functions_host.check.run import check
from packages.functions_host.settings import SettingsError, apply_values, read_local_settings


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        "python -m packages.functions_host.check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit codes: 0 the app is taken, and all calls were converted; 1 otherwise; 2 wrong options.",
    )
    parser.add_argument("app", type=Path, help="folder with function_app.py")
    parser.add_argument(
        "--settings", type=Path, help="local.settings.json whose Values the worker sees (default: none)"
    )
    parser.add_argument(
        "--call",
        action="append",
        default=[],
        metavar="NAME[=JSON]",
        help="call this function of its kind instead of the first by name, with this input; may be repeated",
    )
    parser.add_argument("--timeout", type=float, default=60.0, help="real seconds for a call (default: 60)")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Check an app; returns the exit code."""
    options = parse_arguments(arguments)
    logging.basicConfig(level=logging.CRITICAL, stream=sys.stderr)
    try:
        if options.settings:
            apply_values(read_local_settings(options.settings).values)
        return asyncio.run(check(options.app.resolve(), _given(options.call), options.timeout))
    except (SettingsError, ValueError, KeyError) as error:
        print(f"cannot check: {error}", file=sys.stderr)
        return 2


def _given(texts: Iterable[str]) -> dict[str, str | None]:
    """The functions to call, by name, with their input's JSON text. Raises ValueError when it is none."""
    given: dict[str, str | None] = {}
    for text in texts:
        name, found, content = text.partition("=")
        if found:
            json.loads(content)
        given[name] = content if found else None
    return given


if __name__ == "__main__":
    sys.exit(main())
