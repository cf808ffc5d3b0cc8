"""What is uploaded when the app is published, by the rules of both tools that do it.

``func``: https://github.com/Azure/azure-functions-core-tools, GitIgnoreParser.cs and FileSystemHelpers.GetLocalFiles.
``azd``: https://github.com/Azure/azure-dev, createDeployableZip, which goes by the rules of .gitignore.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pathspec import GitIgnoreSpec

from local.app_settings import clean_environment
from tests.test_function_app import PRODUCT, ROOT, indexed

IGNORE_FILE = ".funcignore"
# All that Azure needs: the app, the host's settings, and what the remote build installs.
UPLOADED = {*PRODUCT, "function_app.py", "host.json", "requirements.txt"}
# Of the zip that either tool sends.
LIMIT_BYTES = 1024 * 1024
# What a checkout has besides its files after make test, make up, an editor and a look at azd.
LEFTOVERS = (
    ".venv/bin/activate",
    ".venv/lib/python3.13/site-packages/requests/api.py",
    ".venv/.installed",
    ".venvs/3.12/lib/python3.12/site-packages/requests/__pycache__/api.cpython-312.pyc",
    "node_modules/azurite/dist/src/azurite.js",
    "node_modules/.installed",
    "node_modules/@azure/core-auth/dist/index.js",
    "node_modules/.bin/azurite",
    ".run/stack/local.settings.json",
    ".run/stack/azurite/__azurite_db_table__.json",
    ".mypy_cache/3.11/activities/steps.data.json",
    ".pytest_cache/v/cache/lastfailed",
    ".ruff_cache/0.17.5/1234",
    ".hypothesis/unicode_data/15.0.0/charmap.json.gz",
    ".coverage",
    "__pycache__/function_app.cpython-313.pyc",
    "domain/__pycache__/arm_ids.cpython-313.pyc",
    "domain/preflight/__pycache__/run.cpython-313.pyc",
    "tests/__pycache__/conftest.cpython-313-pytest-9.2.0.pyc",
    "local.settings.json",
    ".env",
    ".azure/dev/.env",
    ".vscode/settings.json",
    ".idea/workspace.xml",
    ".DS_Store",
    "venv/lib/python3.13/site-packages/requests/api.py",
    ".devcontainer/devcontainer.json",
    ".git/config",
    ".github/workflows/ci.yml",
    "infra/main.bicep",
    "packages/durable/engine.py",
    "azure.yaml",
    "LICENSE",
)


def core_tools(tree: Path) -> Iterator[str]:
    """The files that ``func azure functionapp publish`` puts into its package, by their paths below the tree."""
    lines = [line.strip() for line in (tree / IGNORE_FILE).read_text().split("\n")]
    lines = [line for line in lines if line and not line.startswith("#")]
    kept = _alternatives(line[1:] for line in lines if line.startswith("!"))
    dropped = _alternatives(line for line in lines if not line.startswith("!"))
    for folder, folders, files in os.walk(tree):
        folders[:] = [name for name in folders if name.lower() not in (".git", ".vscode")]
        for name in files:
            if name.lower() in (IGNORE_FILE, ".gitignore", "local.settings.json", "project.lock.json"):
                continue
            path = (Path(folder) / name).relative_to(tree).as_posix()
            if kept.search(path) or not dropped.search(path):
                yield path


def _alternatives(lines: Iterator[str]) -> re.Pattern[str]:
    patterns = [
        re.sub(r"[\-\[\]/{}()+?.\\^$|]", r"\\\g<0>", line.removeprefix("/"))
        .replace("**", "(.+)")
        .replace("*", r"([^\/]+)")
        for line in lines
    ]
    return re.compile("^((" + ")|(".join(patterns) + r"))\b" if patterns else "$^", re.ASCII)


def azd(tree: Path) -> Iterator[str]:
    """The files that ``azd deploy`` puts into its package, by their paths below the tree."""
    rules = GitIgnoreSpec.from_lines((tree / IGNORE_FILE).read_text().splitlines())
    for folder, folders, files in os.walk(tree):
        here = Path(folder).relative_to(tree)
        folders[:] = [
            name for name in folders if name != ".azure" and not rules.match_file(f"{(here / name).as_posix()}/")
        ]
        for name in files:
            path = (here / name).as_posix()
            if name not in (IGNORE_FILE, "local.settings.json") and not rules.match_file(path):
                yield path


TOOLS = (core_tools, azd)


def files_of_the_repository() -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [path for path in listed if (ROOT / path).is_file()]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which everything has run."""
    folder = tmp_path_factory.mktemp("checkout")
    for path in files_of_the_repository():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, target)
    for path in LEFTOVERS:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.write_bytes(b"x" * 100_000)
    return folder


@pytest.mark.parametrize("tool", TOOLS)
def test_the_app_is_uploaded_and_nothing_else(tree: Path, tool: Callable[[Path], Iterator[str]]) -> None:
    uploaded = list(tool(tree))
    assert {path.partition("/")[0] for path in uploaded} == UPLOADED
    ours = {path for path in files_of_the_repository() if path.partition("/")[0] in UPLOADED}
    assert set(uploaded) == ours
    assert not ours & set(LEFTOVERS)
    sent = io.BytesIO()
    with zipfile.ZipFile(sent, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in uploaded:
            archive.write(tree / path, path)
    assert sent.tell() < LIMIT_BYTES


def test_the_app_starts_from_what_is_uploaded(tree: Path, tmp_path: Path) -> None:
    """By one of the tools: the test before says that both upload the same files."""
    for path in core_tools(tree):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tree / path, tmp_path / path)
    modules = [path.relative_to(tmp_path).with_suffix("").as_posix() for path in tmp_path.rglob("*.py")]
    names = [name.replace("/", ".").removesuffix(".__init__") for name in modules]
    # Everything, so also what an activity imports when it runs.
    script = (
        f"import importlib, function_app\nfor name in {names!r}: importlib.import_module(name)\n"
        "print(len(function_app.app.get_functions()))"
    )
    environment = clean_environment({"PYTHONDONTWRITEBYTECODE": "1"})
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-c", script]
    answer = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert int(answer.stdout) == len(indexed())


def test_the_rules_of_the_tools_differ_where_they_are_known_to(tmp_path: Path) -> None:
    """Lines as 0.2.0 had them; func uploaded 127 MiB by them."""
    for path in (
        "local/a.py",
        "local/@b/c.js",
        "app/local/b.py",
        "app/c.pyc",
        "d.pyc",
        "app/__pycache__/e",
        "locally.py",
        "local.txt",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()

    def left_out(line: str, tool: Callable[[Path], Iterator[str]]) -> set[str]:
        (tmp_path / IGNORE_FILE).write_text("")
        everything = set(tool(tmp_path))
        (tmp_path / IGNORE_FILE).write_text(f"# a comment\n{line}\n")
        return everything - set(tool(tmp_path))

    assert (left_out("local/", core_tools), left_out("local/", azd)) == (
        {"local/a.py"},
        {"local/a.py", "local/@b/c.js", "app/local/b.py"},
    )
    assert (
        left_out("local", core_tools) == left_out("/local", core_tools) == {"local/a.py", "local/@b/c.js", "local.txt"}
    )
    assert left_out("local", azd) == {"local/a.py", "local/@b/c.js", "app/local/b.py"}
    assert left_out("/local", azd) == {"local/a.py", "local/@b/c.js"}
    assert left_out("*.pyc", core_tools) == {"d.pyc"}
    assert left_out("*.pyc", azd) == {"d.pyc", "app/c.pyc"}
    assert left_out("**/__pycache__", core_tools) == left_out("**/__pycache__", azd) == {"app/__pycache__/e"}
