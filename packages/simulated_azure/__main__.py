"""``python -m packages.simulated_azure``: see README.md."""

from __future__ import annotations

import argparse
import asyncio
import logging
from pathlib import Path

from packages.controls.clock import add_clock_arguments, clock_from_arguments
from packages.controls.jumps import AZURE
from packages.simulated_azure.app import Options, serve


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m packages.simulated_azure",
        description="A simulated Azure on loopback. Prints one JSON line with its addresses once it serves.",
    )
    parser.add_argument("--state", type=Path, required=True, help="directory for state, certificates and keys")
    parser.add_argument("--keep-state", action="store_true", help="continue with the state (and ports) found there")
    parser.add_argument("--port", type=int, default=0, help="TLS port of ARM (default: any free one)")
    parser.add_argument("--control-port", type=int, default=0, help="port of the control API (default: any free one)")
    parser.add_argument(
        "--identity-port", type=int, default=0, help="port of the identity endpoint (default: any free one)"
    )
    parser.add_argument("--call-hook", default=None, metavar="URL", help="ask this URL before and after every call")
    add_clock_arguments(parser)
    arguments = parser.parse_args()
    try:
        clock = clock_from_arguments(arguments, AZURE)
    except ValueError as error:
        parser.error(str(error))
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    options = Options(
        state=arguments.state,
        keep_state=arguments.keep_state,
        port=arguments.port,
        control_port=arguments.control_port,
        identity_port=arguments.identity_port,
        clock=clock,
        call_hook=arguments.call_hook,
    )
    asyncio.run(serve(options))


if __name__ == "__main__":
    main()
