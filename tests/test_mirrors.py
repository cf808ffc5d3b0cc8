"""Tests mirror the product: each of its modules has one of tests, by its name and in the folder of its name."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# A module that only registers what others define; test_function_app.py reads what comes of it.
REGISTERS = {"orchestrators/blueprint.py"}
# HTTP functions are called as they are registered, by method and path.
HTTP_APP = "tests.triggers.http.http_app"


@pytest.mark.parametrize("package", ["activities", "operations", "orchestrators", "triggers"])
def test_every_module_has_its_tests(package: str) -> None:
    modules = [path.relative_to(ROOT) for path in (ROOT / package).rglob("*.py") if path.name != "__init__.py"]
    modules = [path for path in sorted(modules) if str(path) not in REGISTERS]
    assert len(modules) > 5
    tests = {path: ROOT / "tests" / path.parent / f"test_{path.name}" for path in modules}
    assert [str(path) for path, test in tests.items() if not test.exists()] == []
    # Each tests that module, not another one of its name.
    assert [str(path) for path, test in tests.items() if not _tests(test, path)] == []


def _tests(test: Path, module: Path) -> bool:
    tree = ast.parse(test.read_text())
    name = ".".join(module.with_suffix("").parts)
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            imported |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    functions = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    tested = name in imported or (name.startswith("triggers.http.") and HTTP_APP in imported)
    return tested and any(each.startswith("test_") for each in functions)
