"""Tests mirror the modules: the decisions of a module are tested in the file of its name, in the folder of its name."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("activities", "operations", "triggers", "orchestrators", "domain", "gateways")
# Modules that decide nothing, and where what they are is tested.
WITHOUT_DECISIONS = {
    "domain/operation/acceptance.py": "a value alone; tests/domain/operation/test_results.py has it come back",
    "gateways/storage/rows_of_0_2.py": "read through record_rows; tests/gateways/storage/test_record_rows.py",
    "orchestrators/blueprint.py": "a list of names; tests/test_function_app.py has them all",
}
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for layer in LAYERS
    for path in (ROOT / layer).rglob("*.py")
    if path.name != "__init__.py"
)


def file_of(module: str) -> Path:
    """Where the tests of a module stand."""
    path = Path(module)
    return ROOT / "tests" / path.parent / f"test_{path.name}"


@pytest.mark.parametrize("module", [each for each in MODULES if each not in WITHOUT_DECISIONS])
def test_a_module_has_tests_of_its_own(module: str) -> None:
    path = file_of(module)
    assert path.exists(), f"{module} has no {path.relative_to(ROOT)}"
    tests = [
        node.name
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    assert tests, f"{path.relative_to(ROOT)} holds no test"


def test_an_exception_is_a_module_without_tests() -> None:
    assert len(MODULES) > 120
    assert set(WITHOUT_DECISIONS) <= set(MODULES)
    assert [module for module in WITHOUT_DECISIONS if file_of(module).exists()] == []
