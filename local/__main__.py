"""``python -m local up``, ``demo`` and ``token``; make runs the first two as ``make up`` and ``make demo``."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from local import up
from local.demo import script as demo
from local.demo.views import make_view
from local.processes import REPOSITORY, StackError
from local.sign_in import sign_in
from local.tenant import PEOPLE


def main() -> int:
    """Read the command line and do it; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("up", help="keep a stack serving until Ctrl-C; writes stack.json")
    play = commands.add_parser("demo", help="play the main job and end")
    for command, factor in ((serve, 60.0), (play, 120.0)):
        command.add_argument(
            "--factor", type=float, default=factor, help=f"simulated seconds per real second (default: {factor:g})"
        )
        command.add_argument(
            "--run-dir", type=Path, default=REPOSITORY / ".run", help="directory for state and logs (default: .run)"
        )
    token = commands.add_parser("token", help="print an access token of a person, for the stack that is up")
    token.add_argument("person", choices=sorted(PEOPLE))
    token.add_argument("--run-dir", type=Path, default=REPOSITORY / ".run", help="directory of stack.json")
    arguments = parser.parse_args()
    if arguments.command == "token":
        return _print_token(arguments.person, arguments.run_dir)
    # Being terminated or losing the terminal ends the stack as Ctrl-C does, which a background job would ignore.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    view = make_view(sys.stdout)
    if arguments.command == "up":
        return up.serve(view, arguments.run_dir, arguments.factor)
    return demo.play(view, arguments.run_dir / "demo", arguments.factor)


def _print_token(person: str, run_dir: Path) -> int:
    try:
        sys.stdout.write(sign_in(PEOPLE[person], run_dir / up.DESCRIPTION) + "\n")
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
