"""Runs tests over a copy of the app with one guard taken out, each time in a process of its own.

The process is forked off this one, which has the libraries loaded and nothing of the app: that saves most of the time.
"""

from __future__ import annotations

import os
import shutil
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import azure.data.tables
import azure.durable_functions
import azure.eventgrid
import azure.identity
import jwt
import lightkube
import pydantic
import pytest
import yaml

from local.processes import REPOSITORY
from tests.plants_security.guards import Plant

LOADED = (azure.data.tables, azure.durable_functions, azure.eventgrid, azure.identity, jwt, lightkube,
          pydantic, yaml)  # fmt: skip
_OF_THE_APP = frozenset(path.name.removesuffix(".py") for path in REPOSITORY.iterdir() if path.suffix in ("", ".py"))
_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "node_modules", "__pycache__", ".*_cache", "*.egg-info")
_LOADED_BEFORE = "ignore::pytest.PytestAssertRewriteWarning"
_ENDS = {0: "passes", 1: "fails", 2: "is interrupted", 3: "breaks pytest", 4: "is not found", 5: "is not found"}


def copied(folder: Path) -> Path:
    """A copy of the repository, its installed tools linked."""
    app = folder / "app"
    shutil.copytree(REPOSITORY, app, ignore=_LEFT_OUT, symlinks=True)
    for name in (".venv", "node_modules"):
        (app / name).symlink_to((REPOSITORY / name).resolve())
    return app


@contextmanager
def planted(app: Path, plant: Plant) -> Iterator[None]:
    """Have a guard taken out of a copy. Raises AssertionError when it does not stand where the table says."""
    file = app / plant.file
    text = file.read_text("utf-8")
    assert text.count(plant.text) == 1, f"{plant.file} has changed: {plant.guard}"
    file.write_text(text.replace(plant.text, plant.new), "utf-8")
    try:
        yield
    finally:
        file.write_text(text, "utf-8")


def judged(app: Path, *tests: str) -> str:
    """How tests of a copy end: ``passes``, ``fails``, or why that is not known."""
    child = os.fork()
    if child == 0:
        code = 3
        try:
            code = _run(app, *tests)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(code)
    return _ENDS.get(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), "dies")


def _run(app: Path, *tests: str) -> int:
    silent = os.open(app.parent / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    os.chdir(app)
    # No file is old enough for a cache of its bytes to be right: a guard comes and goes within a second.
    sys.dont_write_bytecode = True
    sys.path[:] = [str(app), *(path for path in sys.path if path not in ("", str(REPOSITORY)))]
    for name in [name for name in sys.modules if name.partition(".")[0] in _OF_THE_APP]:
        del sys.modules[name]
    from local import fork_server

    fork_server.fork_server = nullcontext  # type: ignore[assignment]
    return int(pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-m", "", "-W", _LOADED_BEFORE, *tests]))
