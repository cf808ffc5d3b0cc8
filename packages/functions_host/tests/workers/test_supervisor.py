"""Functions in a worker process, on Microsoft's library: what they get, what comes back, and which apps are refused."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from packages.functions_host.function_info import FunctionInfo
from packages.functions_host.wire.typed_data import HttpRequestData, TypedData
from packages.functions_host.workers.errors import WorkerDiedError, WorkerError, WorkerStartError
from packages.functions_host.workers.process import WorkerOptions, exit_words
from packages.functions_host.workers.supervisor import WorkerSupervisor

HEAD = "import azure.functions as func\napp = func.FunctionApp()\n"
CODE = """
import asyncio, logging, threading, time
import azure.durable_functions as df

app = df.DFApp()
release = threading.Event()


@app.activity_trigger(input_name="value")
def same(value):
    return value


@app.activity_trigger(input_name="value")
def thread(value):
    return threading.current_thread().name


@app.activity_trigger(input_name="value")
async def loop(value):
    await asyncio.sleep(0)
    return threading.current_thread().name


@app.activity_trigger(input_name="value")
def fails(value):
    raise KeyError("gone")


@app.activity_trigger(input_name="value")
def times_out(value):
    raise TimeoutError


@app.activity_trigger(input_name="value")
def no_json(value):
    return object()


@app.activity_trigger(input_name="value")
async def blocks_the_loop(value):
    release.wait(30)


@app.route("release")
def let_go(req: func.HttpRequest) -> str:
    release.set()
    return ""


@app.route("a/{b}", methods=["GET"], auth_level="ANONYMOUS")
def answer(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    logging.getLogger("mine").info("in %s", context.function_name)
    body = req.get_body() + req.route_params["b"].encode()
    response = func.HttpResponse(body, status_code=201, headers={"X": req.url})
    response.headers.add("Set-Cookie", "a=1; Path=/; HttpOnly; SameSite=Lax; Max-Age=60")
    response.headers.add("Set-Cookie", "b=2; Expires=Thu, 01 Jan 2026 00:00:00 GMT; Secure")
    return response


@app.timer_trigger("t", schedule="0 * * * * *")
async def returns_too_much(t):
    return "x"
"""


class App:
    """The functions of a worker by name."""

    def __init__(self, worker: WorkerSupervisor, functions: list[FunctionInfo]) -> None:
        self.worker, self.functions = worker, {function.name: function for function in functions}

    async def run(self, name: str, text: str = '"in"') -> Any:
        function = self.functions[name]
        kind = "http" if function.trigger_type == "httpTrigger" else "json"
        given = HttpRequestData("GET", "http://h/", {}, {}, {"b": "é"}, b"body ") if kind == "http" else text
        result = await self.worker.invoke(function, {str(function.trigger["name"]): TypedData(given, kind)})
        return result.value if result else None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[App]:
    folder = tmp_path_factory.mktemp("app")
    (folder / "function_app.py").write_text(HEAD + CODE)
    worker = WorkerSupervisor(WorkerOptions(folder, os.environ), timeout=30)
    try:
        yield App(worker, await worker.start())
    finally:
        await worker.stop()


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_activities_get_and_return_json(app: App) -> None:
    assert json.loads(await app.run("same", '{"a": [1]}')) == {"a": [1]}
    assert await app.run("same", "null") == "null"


async def test_large_values_and_many_calls_at_once(app: App) -> None:
    texts = [json.dumps(f"{number} {'é' * 300_000}") for number in range(8)]
    results = await asyncio.gather(*(app.run("same", text) for text in texts))
    assert [json.loads(result) for result in results] == [json.loads(text) for text in texts]


async def test_synchronous_functions_run_on_a_pool_and_async_ones_on_the_loop(app: App) -> None:
    assert "ThreadPoolExecutor" in await app.run("thread")
    assert await app.run("loop") == '"MainThread"'


async def test_a_blocked_loop_stops_the_worker_but_not_the_host(app: App) -> None:
    blocked = asyncio.create_task(app.run("blocks_the_loop"))
    waiting = asyncio.create_task(app.run("same"))
    done, _ = await asyncio.wait((blocked, waiting), timeout=0.5)
    assert not done
    os.kill(app.worker.pid or 0, 9)
    for call in (blocked, waiting):
        with pytest.raises(WorkerDiedError, match=r"python exited with code 137 \(0x89\)"):
            await call
    assert await app.run("same", "1") == "1"  # in the next worker


async def test_failures_carry_type_text_and_stack(app: App) -> None:
    with pytest.raises(WorkerError) as caught:
        await app.run("fails")
    assert (caught.value.exception_type, caught.value.text) == ("KeyError", "'gone'")
    assert 'raise KeyError("gone")' in caught.value.stack
    with pytest.raises(WorkerError) as caught:
        await app.run("times_out")
    assert caught.value.message == "TimeoutError: "


async def test_what_cannot_be_converted_fails(app: App) -> None:
    with pytest.raises(WorkerError, match="activity trigger output must be json serializable"):
        await app.run("no_json")
    with pytest.raises(WorkerError, match=r"without a \$return binding"):
        await app.run("returns_too_much", "{}")


async def test_requests_and_responses(app: App, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        response = await app.run("answer")
    assert (response.status_code, response.body.decode()) == ("201", "body é")
    assert response.headers["X"] == "http://h/"
    first, second = response.cookies
    assert (first.name, first.value, first.path, first.http_only, first.same_site) == ("a", "1", "/", True, "lax")
    assert (first.max_age, first.expires, first.secure) == (60, None, False)
    assert (second.name, second.expires, second.secure) == ("b", 1767225600, True)
    lines = [(record.name, record.getMessage()) for record in caplog.records]
    assert ("Function.answer.User", "in answer") in lines


async def test_bindings_are_those_of_the_decorators(app: App) -> None:
    function = app.functions["answer"]
    trigger = function.trigger
    assert (trigger["type"], trigger["route"], trigger["authLevel"], trigger["methods"]) == (
        "httpTrigger",
        "a/{b}",
        "ANONYMOUS",
        ["GET"],
    )
    assert [binding["name"] for binding in function.bindings] == ["req", "$return"]
    assert app.functions["returns_too_much"].trigger_type == "timerTrigger"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("app2 = func.FunctionApp()", "More than one FunctionApp"),
        ("@app.route('a')\ndef f(other): pass", "declared in Python but not in the function definition"),
        ("@app.route('a')\ndef f(): pass", "Extra parameters in binding definition"),
        (
            "@app.route('a')\ndef f(req: int): pass",
            "do not match the corresponding function parameter's Python type annotation int",
        ),
        ("@app.route('a')\ndef f(req, context: int): pass", "expected to be of type azure.functions.Context"),
        ("@app.route('a')\ndef f(req: dict[str, str]): pass", "binding req has invalid non-type annotation"),
        (
            "@app.route('a')\ndef f(req): pass\n@app.route('b')\ndef f(req): pass",
            "does not have a unique function name",
        ),
        ("@app.function_name('g')\ndef f(req): pass", "does not have a trigger"),
        ("app = None", "Could not find top level function app instances"),
        ("import nowhere", "No module named 'nowhere'"),
        (None, "has no function_app.py"),
    ],
)
async def test_apps_that_are_refused(tmp_path: Path, code: str | None, message: str) -> None:
    if code is not None:
        (tmp_path / "function_app.py").write_text(HEAD + code)
    worker = WorkerSupervisor(WorkerOptions(tmp_path, os.environ), timeout=None)
    try:
        with pytest.raises(WorkerStartError) as caught:
            await worker.start()
    finally:
        await worker.stop()
    assert message in str(caught.value)


async def test_modules_of_the_app_win_over_those_of_the_worker(tmp_path: Path) -> None:
    packages = tmp_path / ".python_packages" / "lib" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "packed.py").write_text("WORD = 'packed'")
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "__init__.py").write_text("WORD = 'own'")
    code = "import packages, packed\n@app.route('a')\ndef f(req: func.HttpRequest) -> str:\n"
    code += "    import os\n    return f'{packages.WORD} {packed.WORD} {os.getcwd()}'\n"
    (tmp_path / "function_app.py").write_text(HEAD + code)
    worker = WorkerSupervisor(WorkerOptions(tmp_path, os.environ), timeout=30)
    try:
        assert await App(worker, await worker.start()).run("f") == f"own packed {tmp_path}"
    finally:
        await worker.stop()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-9, "python exited with code 137 (0x89)"),
        (-11, "python exited with code 139 (0x8B)"),
        (1, "python exited with code 1 (0x1)"),
    ],
)
async def test_the_words_for_an_end(code: int, words: str) -> None:
    assert exit_words(code) == words
