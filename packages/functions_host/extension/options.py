"""The options by which the host's command line chooses the engine."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from packages.functions_host.extension.program import (
    NAME,
    ExtensionError,
    ProgramOptions,
    find_program,
)

OWN, EXTENSION = "own", "extension"


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--engine``, ``--durable-host`` and ``--durable-settings`` to a program's options."""
    parser.add_argument(
        "--engine",
        choices=(OWN, EXTENSION),
        default=OWN,
        help=f"the Durable engine: our own, or Microsoft's published extension in {NAME} (default: {OWN})",
    )
    parser.add_argument(
        f"--{NAME}",
        type=Path,
        metavar="PATH",
        help=f"the program (default: {NAME} on the PATH, else the one in ../shared/tools)",
    )
    parser.add_argument(
        "--durable-settings",
        type=Path,
        metavar="FILE",
        help=f"JSON object of variables that {NAME} alone gets, for example AzureWebJobsStorage as the connection "
        "string that it needs",
    )


def program_from_arguments(arguments: argparse.Namespace) -> ProgramOptions | None:
    """What the options of ``add_engine_arguments`` describe; None for our own engine.

    Raises ExtensionError when the program is not there, OSError and ValueError for a settings file that cannot be read.
    """
    if arguments.engine == OWN:
        return None
    path = find_program(arguments.durable_host)
    if path is None or not path.is_file():
        raise ExtensionError(f"the engine needs {NAME}: not on the PATH, nor at {path or '../shared/tools'}")
    file: Path | None = arguments.durable_settings
    return ProgramOptions(path, json.loads(file.read_text()) if file else {})
