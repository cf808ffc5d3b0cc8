"""The app as a whole: what it registers, what it imports, and that its settings are the documented ones."""

from __future__ import annotations

import ast
import inspect
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import function_app
from domain.operation.step_lists import PRESENT
from domain.operation.steps import Step
from gateways.settings import read_settings
from local.app_settings import clean_environment
from orchestrators.blueprint import ORCHESTRATORS
from tests.triggers.http.http_app import functions as http_functions

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("triggers", "operations", "orchestrators", "activities", "gateways", "domain")
# Nothing that reaches outside or tells the time may be imported where replay or purity is promised.
IMPURE = {
    *("asyncio", "azure.core", "azure.identity", "datetime.now", "http", "logging", "os", "random", "requests"),
    *("secrets", "socket", "subprocess", "threading", "time", "urllib.request"),
    *("uuid.uuid1", "uuid.uuid4"),
}


@cache
def indexed() -> tuple[tuple[str, str, bool], ...]:
    """Name, trigger and whether it is asynchronous of every function, as the worker indexes them.

    Raises ValueError for a name given twice.
    """
    return tuple(
        (f.get_function_name(), f.get_trigger().type, inspect.iscoroutinefunction(f.get_user_function()))
        for f in function_app.app.get_functions()
    )


def functions(trigger: str) -> set[str]:
    """Names of the functions with a trigger of this type."""
    return {name for name, kind, _ in indexed() if kind == trigger}


def test_every_name_that_is_called_is_registered() -> None:
    """An unknown name leaves an instance Running for ever, without any error."""
    activities, orchestrators = functions("activityTrigger"), functions("orchestrationTrigger")
    assert {step.name for step in all_steps()} <= activities
    called, started = set(), set()
    for path in product_files():
        for node in ast.walk(parsed(path)):
            called |= set(activity_names(node))
            started |= set(orchestrator_names(node))
    assert {"look_at_cluster", "start_operations", "settle_cluster"} <= called <= activities
    assert {"wait_until", "cluster_changed"} <= started <= orchestrators
    # An operation's kind is the name of its orchestrator; a plan has one of its own.
    assert {"attach", "detach", "attach_plan", "detach_plan"} <= orchestrators
    # And nothing is there that nobody calls.
    assert activities == called | {step.name for step in all_steps()}


def test_each_function_once() -> None:
    names = Counter(name.lower() for name, _, _ in indexed())
    assert [name for name, count in names.items() if count > 1] == []
    assert {function.name for function in http_functions()} == functions("httpTrigger")
    assert functions("timerTrigger") == {
        *("watch_operations", "free_claims", "look_at_clusters", "list_clusters"),
        *("purge_histories", "resume_stuck_detaches", "finish_undos", "remove_records"),
    }
    assert functions("eventGridTrigger") == {"cluster_event"}


def test_only_activities_and_orchestrators_take_a_thread_of_the_worker() -> None:
    """Its threads are as many as the host hands these over (test_host_json.py)."""
    assert {kind for _, kind, asynchronous in indexed() if not asynchronous} == {
        "activityTrigger",
        "orchestrationTrigger",
    }


CALLS = (
    *("--call", "http_openapi"),
    *("--call", 'cluster_changed={"cluster": "/c", "seen": 1}'),
    *("--call", 'settle_cluster={"step": "settle_cluster"}'),
    *("--call", "resume_stuck_detaches"),
)


def check_app(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Microsoft's worker library on an app that has neither storage nor Azure."""
    command = [sys.executable, "-m", "packages.functions_host.check", str(folder), *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=clean_environment(NO_STORAGE), capture_output=True, text=True, timeout=240, check=False
    )


def test_microsofts_worker_takes_every_function_and_runs_one_of_each_kind() -> None:
    answer = check_app(ROOT, *CALLS)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    first, *lines = answer.stdout.splitlines()
    assert re.fullmatch(rf"azure-functions-runtime \S+ on Python \S+ indexed {len(indexed())} functions of .+", first)
    assert [line.split(": ")[0].split() for line in lines] == [
        ["ok", "HTTP", "http_openapi"],
        ["ok", "Event", "Grid", "cluster_event", "(EventGrid)"],
        ["ok", "Event", "Grid", "cluster_event", "(CloudEvents)"],
        ["ok", "activity", "settle_cluster"],
        ["ok", "orchestrator", "cluster_changed"],
        ["ok", "timer", "resume_stuck_detaches"],
    ]
    said = [line.split(": ", 1)[1] for line in lines]
    assert said[0].startswith('returned status 200, {"openapi":')
    assert said[1] == said[2] == "returned nothing"
    assert said[3] == 'returned json {"kind": "raised"}'
    assert said[4].startswith('returned json {"isDone": false')
    assert "wait_until" in said[4]


def test_one_annotation_that_the_worker_refuses_is_told_by_name(tmp_path: Path) -> None:
    for package in PRODUCT:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "function_app.py", tmp_path)
    with (tmp_path / "function_app.py").open("a") as file:
        file.write(PLANTED)
    answer = check_app(tmp_path)
    assert answer.returncode == 1
    assert "cannot load the planted function: binding call has invalid non-type annotation" in answer.stdout


PLANTED = """
from typing import Any

@app.activity_trigger(input_name="call")
def planted(call: dict[str, Any]) -> dict:
    return call
"""
NO_STORAGE = {
    "MOOR_AUTH": "keys",
    "AzureWebJobsStorage": "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;TableEndpoint=http://127.0.0.1:1/a",
}


def test_steps_are_named_once_and_end_well() -> None:
    for steps in step_tuples():
        names = [step.name for step in steps]
        assert len(set(names)) == len(names)
        # What tells the end and gives claims back is taken whatever happened, and in this order.
        # A plan holds nothing and tells nobody.
        end = ["record"] if "plan" in names else ["record", "notify", "release"]
        always = [step.name for step in steps if step.always]
        assert always[-len(end) :] == end == names[-len(end) :]
        # A reattach resumes schedules when the compute is back, and when it has not gone.
        assert set(always) - {*end} <= ({"resume_schedules"} if "keep_tls_secret" in names else set())
        assert (names[0] == "claim") is ("plan" not in names)
        assert all(0 < step.bound <= 24 * 3600 for step in steps)


def test_the_sdk_of_azure_ml_is_not_loaded_at_start() -> None:
    command = [sys.executable, "-X", "importtime", "-c", "import function_app"]
    answer = subprocess.run(
        command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=120, check=True
    )
    loaded = {line.rsplit("|", 1)[-1].strip() for line in answer.stderr.splitlines() if line.startswith("import time:")}
    assert {"function_app", "azure.durable_functions", "azure.data.tables"} <= loaded
    assert [name for name in loaded if name == "azure.ai" or name.startswith("azure.ai.")] == []


def test_the_app_registers_and_nobody_imports_it() -> None:
    """Imports between the packages are judged by test_imports.py; the app is a module beside them."""
    app, *others = product_files()
    assert {name.split(".")[0] for name in imported(app)} & {*PRODUCT, "packages", "local", "tests"} == {
        "activities",
        "orchestrators",
        "triggers",
    }
    assert [path for path in others if "function_app" in imported(path)] == []


def test_orchestrators_and_domain_reach_nothing_outside() -> None:
    for path in product_files():
        if package_of(path) in ("orchestrators", "domain"):
            found = {name for name in imported(path) for bad in IMPURE if name == bad or name.startswith(f"{bad}.")}
            assert not found, path
            assert "uuid" not in imported(path) or "uuid.uuid5" in imported(path), path


def test_the_local_parts_know_neither_the_product_nor_each_other() -> None:
    packages = {
        f"packages.{folder.name}" for folder in (ROOT / "packages").iterdir() if (folder / "__init__.py").exists()
    }
    assert len(packages) > 2
    for path in sorted([*(ROOT / "local").rglob("*.py"), *(ROOT / "packages").rglob("*.py")]):
        names = imported(path)
        assert not {name.split(".")[0] for name in names} & {*PRODUCT, "function_app", "tests"}, path
        own = ".".join(path.relative_to(ROOT).parts[:2])
        if own in packages:
            assert not {".".join(name.split(".")[:2]) for name in names} & (packages - {own, "packages.controls"}), path
            assert "local" not in {name.split(".")[0] for name in names}, path


def test_every_setting_is_documented_and_read() -> None:
    documented = set(re.findall(r"^\| `(MOOR_[A-Z_]+)` \|", (ROOT / "docs/settings.md").read_text(), re.M))
    read = {name for path in product_files() for name in environment_names(path) if name.startswith("MOOR_")}
    assert read == documented
    platform = {name for path in product_files() for name in environment_names(path) if not name.startswith("MOOR_")}
    text = (ROOT / "docs/settings.md").read_text()
    assert [name for name in platform if f"`{name}`" not in text] == []


def test_the_sample_of_local_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = json.loads((ROOT / "local.settings.sample.json").read_text())
    values = sample["Values"]
    assert values["FUNCTIONS_WORKER_RUNTIME"] == "python"
    assert values["AzureWebJobsStorage"] == "UseDevelopmentStorage=true"
    documented = set(re.findall(r"`(MOOR_[A-Z_]+)`", (ROOT / "docs/settings.md").read_text()))
    assert {name for name in values if name.startswith("MOOR_")} == documented - {"MOOR_CLOCK"}
    assert all(isinstance(value, str) for value in values.values())
    # As they stand they are the defaults.
    for name in documented:
        monkeypatch.delenv(name, raising=False)
    defaults = read_settings()
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    assert read_settings() == defaults


def product_files() -> list[Path]:
    files = [path for package in PRODUCT for path in sorted((ROOT / package).rglob("*.py"))]
    assert len(files) > 30
    return [ROOT / "function_app.py", *files]


def package_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imported(path: Path) -> set[str]:
    """Full names of all modules that a file imports, at any depth; names taken from a package included."""
    inside = path.relative_to(ROOT).parts[:-1]
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(inside[: len(inside) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return names


def step_tuples() -> list[tuple[Step, ...]]:
    """The steps of every operation and plan."""
    assert {*PRESENT} <= {orchestrator.__name__ for orchestrator in ORCHESTRATORS}
    assert len(PRESENT) == 6
    return [tuple(steps) for steps in PRESENT.values()]


def all_steps() -> list[Step]:
    return [step for steps in step_tuples() for step in steps]


def activity_names(node: ast.AST) -> Iterator[str]:
    """Names of activities in a call: of the engine itself, or as the ``step`` that a call of ours is for."""
    if isinstance(node, ast.Call) and method_of(node) == "call_activity":
        yield from constants(node.args[:1])
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        yield from constants([v for k, v in pairs if isinstance(k, ast.Constant) and k.value == "step"])


def orchestrator_names(node: ast.AST) -> Iterator[str]:
    """Names of orchestrators that are called or started."""
    if isinstance(node, ast.Call) and method_of(node) == "call_sub_orchestrator":
        yield from constants(node.args[:1])
    if isinstance(node, ast.Call) and method_of(node) == "start" and len(node.args) == 4:
        yield from constants(node.args[1:2])


def method_of(call: ast.Call) -> str | None:
    return call.func.attr if isinstance(call.func, ast.Attribute) else None


def constants(nodes: list[Any]) -> Iterator[str]:
    yield from (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def environment_names(path: Path) -> set[str]:
    """Names of settings that a file speaks of outside of prose: whole strings that look like one."""
    found = {node.value for node in ast.walk(parsed(path)) if isinstance(node, ast.Constant)}
    names = {name for name in found if isinstance(name, str) and re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+", name)}
    return {name for name in names if name.startswith(("MOOR_", "AZURE_", "ARM_", "WEBSITE_"))}
