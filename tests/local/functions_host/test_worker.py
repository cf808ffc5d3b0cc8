"""The worker and the app loader."""

from __future__ import annotations

import asyncio
import importlib
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.functions import meta

from local.functions_host.app_loader import AppLoadError, FunctionInfo, load_app
from local.functions_host.worker import Worker, thread_count
from local.functions_host.worker_error import WorkerError

HEAD = "import azure.functions as func\napp = func.FunctionApp()\n"


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker(threads=2, timeout=10)
    worker.start()
    yield worker
    worker.stop()


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Load the code as an app; each gets a module name of its own."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    names: list[str] = []

    def load_code(code: str) -> list[FunctionInfo]:
        name = f"function_app_{len(names)}_{tmp_path.name}"
        names.append(name)
        monkeypatch.setenv("PYTHON_SCRIPT_FILE_NAME", f"{name}.py")
        (tmp_path / f"{name}.py").write_text(HEAD + code)
        importlib.invalidate_caches()
        return load_app(tmp_path)

    yield load_code
    for name in names:
        sys.modules.pop(name, None)


def activity(call: Any, is_async: bool = False) -> FunctionInfo:
    trigger = {"type": "activityTrigger", "name": "value"}
    return FunctionInfo("act", call, is_async, trigger, (trigger,), False, Path("/app"))


async def run(worker: Worker, function: FunctionInfo, text: str = '"in"') -> Any:
    result = await worker.invoke(function, {"value": meta.Datum(text, "json")})
    return result.value if result else None


async def test_activities_get_and_return_json(worker: Worker) -> None:
    def call(value: Any) -> Any:
        return {"seen": value}

    assert await run(worker, activity(call), '{"a": [1]}') == '{"seen": {"a": [1]}}'
    assert await run(worker, activity(lambda value: None)) == "null"


async def test_synchronous_functions_run_on_the_pool_and_async_ones_on_one_loop(worker: Worker) -> None:
    def sync(value: Any) -> str:
        return threading.current_thread().name

    async def on_loop(value: Any) -> str:
        await asyncio.sleep(0)
        return threading.current_thread().name

    assert (await run(worker, activity(sync))).startswith('"function_')
    assert await run(worker, activity(on_loop, is_async=True)) == '"worker-loop"'


async def test_a_blocked_worker_loop_does_not_block_the_host(worker: Worker) -> None:
    release = threading.Event()

    async def blocking(value: Any) -> None:
        release.wait(10)

    blocked = asyncio.create_task(run(worker, activity(blocking, is_async=True)))
    await asyncio.sleep(0.05)
    assert not blocked.done()
    release.set()
    assert await blocked == "null"


async def test_stopping_abandons_what_runs(caplog: pytest.LogCaptureFixture) -> None:
    worker, release, ended = Worker(threads=1, timeout=None), threading.Event(), threading.Event()
    worker.start()

    def stuck(value: Any) -> None:
        release.wait(10)
        ended.set()

    invocation = asyncio.create_task(run(worker, activity(stuck)))
    await asyncio.sleep(0.05)
    began = time.monotonic()
    worker.stop()
    assert time.monotonic() - began < 1.5
    with pytest.raises(asyncio.CancelledError):
        await invocation
    release.set()
    assert await asyncio.to_thread(ended.wait, 5)
    assert "Event loop is closed" not in caplog.text


async def test_failures_carry_type_text_and_the_functions_own_stack(worker: Worker) -> None:
    def call(value: Any) -> None:
        raise KeyError("gone")

    with pytest.raises(WorkerError) as caught:
        await run(worker, activity(call))
    assert caught.value.exception_type == "KeyError"
    assert caught.value.text == "'gone'"
    assert 'raise KeyError("gone")' in caught.value.stack
    assert "worker.py" not in caught.value.stack.replace("test_worker.py", "")


async def test_a_function_that_exits_only_fails(worker: Worker) -> None:
    async def on_loop(value: Any) -> None:
        sys.exit(3)

    for function in (activity(on_loop, is_async=True), activity(lambda value: sys.exit(3))):
        with pytest.raises(WorkerError, match="SystemExit: 3"):
            await run(worker, function)
    assert await run(worker, activity(lambda value: 1)) == "1"


async def test_a_result_that_is_not_json_fails(worker: Worker) -> None:
    with pytest.raises(WorkerError, match="activity trigger output must be json serializable"):
        await run(worker, activity(lambda value: object()))


async def test_time_out_fails_the_invocation() -> None:
    worker = Worker(threads=1, timeout=0.05)
    worker.start()
    try:
        with pytest.raises(WorkerError) as caught:
            await run(worker, activity(lambda value: time.sleep(0.3)))
        assert caught.value.text == "Timeout value of 00:00:00 was exceeded by function: Functions.act"
    finally:
        worker.stop()


async def test_a_time_out_of_the_functions_own_is_no_function_time_out(worker: Worker) -> None:
    def call(value: Any) -> None:
        raise TimeoutError

    with pytest.raises(WorkerError) as caught:
        await run(worker, activity(call))
    assert caught.value.exception_type == "TimeoutError"


async def test_a_function_without_return_binding_must_return_none(worker: Worker) -> None:
    trigger = {"type": "timerTrigger", "name": "value"}
    function = FunctionInfo("t", lambda value: "x", False, trigger, (trigger,), False, Path())
    with pytest.raises(WorkerError, match="without a \\$return binding returned a non-None value"):
        await worker.invoke(function, {"value": meta.Datum("{}", "json")})


def test_thread_count() -> None:
    assert thread_count({"PYTHON_THREADPOOL_THREAD_COUNT": "7"}) == 7
    assert 5 <= thread_count({"PYTHON_THREADPOOL_THREAD_COUNT": "x"}) <= 32
    assert thread_count({}) == thread_count({"PYTHON_THREADPOOL_THREAD_COUNT": "0"})


def test_bindings_are_indexed(load: Any) -> None:
    code = """
@app.route("a/{b}", methods=["GET"], auth_level="ANONYMOUS")
def one(req: func.HttpRequest, context: func.Context) -> str:
    return ""

@app.timer_trigger("t", schedule="0 * * * * *")
async def two(t):
    pass
"""
    one, two = load(code)
    assert (one.name, one.trigger["route"], one.trigger["authLevel"], one.trigger["methods"]) == (
        "one",
        "a/{b}",
        "ANONYMOUS",
        ["GET"],
    )
    assert one.needs_context
    assert one.return_binding == "http"
    assert (two.trigger_type, two.is_async, two.return_binding) == ("timerTrigger", True, None)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("app2 = func.FunctionApp()", "More than one FunctionApp"),
        ("@app.route('a')\ndef f(other): pass", "declared in Python but not in function.json: {'other'}"),
        ("@app.route('a')\ndef f(): pass", "declared in function.json but not in Python: {'req'}"),
        ("@app.route('a')\ndef f(req: int): pass", '"httpTrigger" does not match its Python annotation "int"'),
        ("@app.route('a')\ndef f(req, context: int): pass", "expected to be of type azure.functions.Context"),
        (
            "@app.route('a')\ndef f(req): pass\n@app.route('b')\ndef f(req): pass",
            "does not have a unique function name",
        ),
        ("@app.function_name('g')\ndef f(req): pass", "does not have a trigger"),
        ("app = None", "Could not find top level function app instances"),
    ],
)
def test_apps_that_cannot_be_indexed(load: Any, code: str, message: str) -> None:
    with pytest.raises(AppLoadError) as caught:
        load(code)
    assert message in str(caught.value)


def test_a_folder_without_an_app(tmp_path: Path) -> None:
    with pytest.raises(AppLoadError, match="does not exist"):
        load_app(tmp_path)
