"""The real process: start, HTTP, durable orchestration, timer, Event Grid, keys, restart, stop."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from packages.functions_host.tests.process import (
    Answer,
    HostProcess,
    running,
    start,
    wait_for,
)

EVENT = {"id": "e1", "topic": "/t", "subject": "s", "eventType": "My.Type", "eventTime": "2026-11-20T22:00:00Z"}
_STORAGE = "AzureFunctionsJobHost__extensions__durableTask__storageProvider__"
ONE_MINUTE = {
    f"{_STORAGE}workItemQueueVisibilityTimeout": "00:01:00",
    f"{_STORAGE}controlQueueVisibilityTimeout": "00:01:00",
}

PLANTED = """
from typing import Any
import azure.durable_functions as df

app = df.DFApp()

@app.activity_trigger(input_name="call")
def planted(call: dict[str, Any]) -> dict:
    return call
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    folder = tmp_path_factory.mktemp("host")
    with running(folder, "--clock-factor", "60", environment={"AzureWebJobs.switched_off.Disabled": "1"}) as process:
        yield process


def completed(host: HostProcess, instance: str) -> dict[str, object] | None:
    answer = host.ask(f"/runtime/webhooks/durabletask/instances/{instance}", headers=master(host))
    status: dict[str, object] = answer.json()
    return status if status["runtimeStatus"] == "Completed" else None


def master(host: HostProcess) -> dict[str, str]:
    return {"x-functions-key": host.keys["master"]}


def notify(host: HostProcess, content: object, key: str | None = None) -> Answer:
    code = f"&code={key}" if key else ""
    headers = {"aeg-event-type": "Notification", "Content-Type": "application/json"}
    path = f"/runtime/webhooks/EventGrid?functionName=on_event{code}"
    return host.ask(path, "POST", json.dumps(content), headers)


def test_ready_line(host: HostProcess) -> None:
    assert host.ready["url"].startswith("http://127.0.0.1:")
    assert set(host.keys) == {"master", "function", "eventgrid", "durabletask"}
    assert "echo" in host.ready["functions"]
    assert "refused_route" not in host.ready["functions"]
    assert host.ready["pid"] == host.process.pid
    assert host.ready["workerPid"] not in (None, host.process.pid)
    assert host.ask("/admin/host/status").json()["workerPid"] == host.ready["workerPid"]


def test_the_worker_sees_the_request(host: HostProcess) -> None:
    answer = host.ask("/api/ECHO/%C3%A9%2F?a=1&b=&a=2", "POST", b"body", {"X-Two": "2"})
    assert answer.status == 200
    assert answer.headers["X-Test"] == "1"
    seen = answer.json()
    assert seen["method"] == "POST"
    assert seen["url"].endswith("/api/ECHO/%C3%A9%2F?a=1&b=&a=2")
    assert seen["params"] == {"a": "1,2", "b": ""}
    assert seen["route"] == {"name": "é%2F"}
    assert seen["headers"]["x-two"] == "2"
    assert seen["body"] == "body"
    assert seen["function"] == "echo"
    assert host.ask("/api/echo/%0A%7Bx", "POST", b"").json()["route"] == {"name": "\n{x"}


def test_a_chunked_body_does_not_reach_the_worker(host: HostProcess) -> None:
    answer = host.ask("/api/echo", "POST", iter([b"some", b"body"]))  # type: ignore[arg-type]
    assert answer.json()["body"] == ""


def test_exceptions_are_500_without_a_body_and_logged(host: HostProcess) -> None:
    answer = host.ask("/api/boom")
    assert (answer.status, answer.text) == (500, "")
    wait_for(lambda: "ValueError: boom text" in host.log(), "the exception in the log")
    assert "function_app.py" in host.log()


def test_user_output_goes_to_the_log(host: HostProcess) -> None:
    assert host.ask("/api/open").text == "hello"
    wait_for(lambda: "printed by the app" in host.log(), "the print")
    assert "Function.open_to_all.User: open was called" in host.log()
    assert "Executing 'Functions.open_to_all'" in host.log()


def test_without_auth_every_caller_is_admin(host: HostProcess) -> None:
    assert host.ask("/api/master").text == "master"
    assert host.ask("/admin/host/status").json()["state"] == "Running"
    # Disabled functions still answer to an administrator.
    assert host.ask("/api/off").status == 200


def test_errors_of_functions_are_told(host: HostProcess) -> None:
    assert host.ask("/api/administration").status == 404
    errors = host.ask("/admin/functions/refused_route/status").json()["errors"]
    assert errors == ["The specified route conflicts with one or more built in routes."]
    assert "The 'refused_route' function is in error" in host.log()


def test_admin_functions(host: HostProcess) -> None:
    names = {function["name"] for function in host.ask("/admin/functions").json()}
    assert {"echo", "on_timer", "greet"} <= names
    assert host.ask("/admin/functions/ECHO").json()["name"] == "echo"
    assert host.ask("/admin/functions/none").status == 404
    assert host.ask("/admin/functions/none", "POST").status == 400
    assert host.ask("/admin/functions/none", "POST", "{}").status == 404


def test_a_timer_is_run_through_the_admin_api(host: HostProcess) -> None:
    before = len(host.notes("timer"))
    assert host.ask("/admin/functions/on_timer", "POST", "{}").status == 202
    wait_for(lambda: len(host.notes("timer")) > before, "the timer function")
    assert host.notes("timer")[-1]["past_due"] is False


def test_a_timer_that_is_switched_off_runs_for_an_administrator_only(tmp_path: Path) -> None:
    off = {"AzureWebJobs.on_timer.Disabled": "true"}
    with running(tmp_path / "h", "--clock-factor", "36000", environment=off) as host:
        assert host.ask("/admin/functions/on_timer", "POST", "{}").status == 202
        wait_for(lambda: len(host.notes("timer")) == 1, "the timer function")
        assert host.ask("/api/slow?seconds=0").status == 200
        assert len(host.notes("timer")) == 1


def test_events_are_delivered(host: HostProcess) -> None:
    cloud = {"specversion": "1.0", "id": "c1", "source": "/s", "type": "cloud.type", "data": {"n": 1}}
    assert notify(host, [{**EVENT, "data": {"n": 1}}, cloud]).status == 202
    assert host.notes("event")[-1] == {
        "kind": "event",
        "id": "e1",
        "type": "My.Type",
        "time": "2026-11-20 22:00:00+00:00",
        "data": {"n": 1},
    }
    assert host.notes("cloud-event")[-1]["type"] == "cloud.type"
    failed = notify(host, [{**EVENT, "data": "fail"}])
    assert (failed.status, failed.text) == (500, "Exception while executing function: Functions.on_event")


def test_an_orchestration_runs_to_its_end(host: HostProcess) -> None:
    answer = host.ask("/api/start/hello")
    assert answer.status == 202
    status = wait_for(lambda: completed(host, answer.json()["id"]), "the orchestration")
    assert status["output"] == ["HELLO!", "HELLO!!"]
    assert status["input"] == '{"greeting": "hello"}'


def test_home_page_and_unknown_paths(host: HostProcess) -> None:
    assert host.ask("/").status == 200
    unknown = host.ask("/nothing")
    assert (unknown.status, unknown.text, unknown.headers["Content-Length"]) == (404, "", "0")
    assert host.ask("/runtime/webhooks/blobs").status == 404


def test_keys_are_enforced_when_asked(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"master": "M", "functions": {"Echo": {"own": "E"}}}))
    disabled = {"AzureWebJobs_switched_off_Disabled": "TRUE"}
    with running(tmp_path / "h", "--enable-auth", "--keys", str(keys), environment=disabled) as host:
        assert host.keys["master"] == "M"
        refused = host.ask("/api/echo")
        assert (refused.status, refused.text, refused.headers["Content-Length"]) == (401, "", "0")
        assert "WWW-Authenticate" not in refused.headers
        assert host.ask("/api/nothing").status == 404
        assert host.ask("/api/open").status == 200
        assert host.ask(f"/api/echo?code={host.keys['function']}").status == 200
        assert host.ask("/api/echo?code=E").status == 200
        assert host.ask("/api/slow?seconds=0&code=E").status == 401
        assert host.ask("/api/echo?code=E", headers={"x-functions-key": "wrong"}).status == 401
        assert host.ask(f"/api/echo?code={host.keys['durabletask']}").status == 401
        assert host.ask(f"/api/master?code={host.keys['function']}").status == 401
        assert host.ask("/api/master?code=M").status == 200
        assert host.ask(f"/api/off?code={host.keys['function']}").status == 404
        assert host.ask("/api/off?code=M").status == 200
        for refused in (
            host.ask("/admin/host/status"),
            host.ask("/admin/host/status?code=wrong"),
            notify(host, [EVENT]),
            host.ask("/runtime/webhooks/durabletask/instances"),
        ):
            assert (refused.status, refused.text, refused.headers["WWW-Authenticate"]) == (401, "", "Bearer")
        for kind in ("function", "eventgrid", "durabletask"):
            assert host.ask(f"/admin/host/status?code={host.keys[kind]}").status == 403
        assert host.ask("/admin/host/ping").status == 200
        assert notify(host, [EVENT], host.keys["function"]).status == 403
        assert notify(host, [EVENT], host.keys["eventgrid"]).status == 202
        status = host.ask(f"/runtime/webhooks/DurableTask/instances?code={host.keys['durabletask']}")
        assert (status.status, status.json()) == (200, [])


def test_kill_and_restart_go_on(tmp_path: Path) -> None:
    """Killed in the middle of the orchestration: the next start ends it, with the same keys."""
    clock = ("--clock-origin", str(time.time()), "--clock-factor", "60")
    with running(tmp_path, *clock, environment=ONE_MINUTE) as host:
        instance = host.ask("/api/start/again").json()["id"]
        wait_for(lambda: host.notes("shout"), "the first activity")
        keys = host.keys
        host.kill()
    with running(tmp_path, *clock, environment=ONE_MINUTE) as host:
        assert host.keys == keys
        status = wait_for(lambda: completed(host, instance), "the orchestration")
        assert status["output"] == ["AGAIN!", "AGAIN!!"]
        assert {note["text"] for note in host.notes("shout")} == {"again", "AGAIN!"}


def test_timers_begin_a_minute_late_after_a_kill(tmp_path: Path) -> None:
    """The dead host's lease is asked for again after 60 simulated seconds; a host that stops leaves none."""
    factor = 6
    clock = ("--clock-origin", str(time.time()), "--clock-factor", str(factor))
    often = {"TIMER_SCHEDULE": "*/10 * * * * *"}
    with running(tmp_path, *clock, environment=often) as host:
        wait_for(lambda: host.notes("timer"), "a call")
        host.kill()
    killed = time.monotonic()
    count = len(host.notes("timer"))
    with running(tmp_path, *clock, environment=often) as host:
        ready = time.monotonic()
        wait_for(lambda: len(host.notes("timer")) > count, "a call after the kill")
        if (ready - killed) * factor < 30:  # on a very busy machine the lease is over before the host has come
            assert (time.monotonic() - ready) * factor >= 55
        assert host.terminate() == 0
    assert not (tmp_path / "state" / "timers.lease").exists()


def test_timers_run_on_the_scaled_clock_and_stop_is_fast(tmp_path: Path) -> None:
    """A missed run is made up once after a restart, marked as past due."""
    clock = ("--clock-origin", str(time.time()), "--clock-factor", "600")
    every_ten_minutes = {"TIMER_SCHEDULE": "0 */10 * * * *"}
    with running(tmp_path, *clock, environment=every_ten_minutes) as host:
        wait_for(lambda: len(host.notes("timer")) >= 2, "two calls")
        first, second = host.notes("timer")[:2]
        assert first["past_due"] is False
        assert first["status"]["Last"] == "0001-01-01T00:00:00"
        # A call may come late, and never too early: the second is told when the first was made.
        assert first["status"]["Next"] <= second["status"]["Last"] < second["status"]["Next"]
        with socket.create_connection(("127.0.0.1", int(host.ready["url"].rsplit(":", 1)[1]))) as pending:
            pending.sendall(b"GET /api/slow?seconds=100 HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_for(lambda: "Executing 'Functions.slow'" in host.log(), "the slow function")
            began = time.monotonic()
            assert host.terminate() == 0
            assert time.monotonic() - began < 50
        count = len(host.notes("timer"))
    time.sleep(1.1)  # More than one period of the schedule (a second here) has to go by while nothing runs.
    with running(tmp_path, *clock, environment=every_ten_minutes) as host:
        wait_for(lambda: len(host.notes("timer")) > count, "the missed call")
        assert host.notes("timer")[count]["past_due"] is True


def test_what_cannot_start_says_why(tmp_path: Path) -> None:
    def fails(name: str, host_json: str, code: str) -> str:
        app = tmp_path / name
        app.mkdir()
        (app / "host.json").write_text(host_json)
        (app / "function_app.py").write_text(code)
        log = tmp_path / f"{name}.log"
        process = start(tmp_path / f"{name}-state", log, app=app)
        assert process.wait(30) == 1
        assert process.stdout
        assert process.stdout.read() == ""
        process.stdout.close()
        return log.read_text()

    good = '{"version": "2.0"}'
    assert "ModuleNotFoundError: No module named 'nowhere'" in fails("imports", good, "import nowhere")
    assert "Could not find top level function app" in fails("empty", good, "x = 1")
    assert "'version' must be \"2.0\"" in fails("version", '{"version": "1.0"}', "")
    exits = fails("exits", good, "raise SystemExit(5)")
    assert "3 workers ended before they had indexed the app (python exited with code 5 (0x5))" in exits
    refused = fails("refused", good, PLANTED)
    # The worker's own words.
    assert "FunctionLoadError: cannot load the planted function" in refused
    assert "binding call has invalid non-type annotation dict[str, typing.Any]" in refused


def test_a_visibility_timeout_out_of_range_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start(tmp_path, log, environment={f"{_STORAGE}workItemQueueVisibilityTimeout": "00:00:30"})
    assert process.wait(30) == 1
    assert process.stdout
    process.stdout.close()
    assert (
        "durableTask.storageProvider.workItemQueueVisibilityTimeout is '00:00:30'; "
        "it must be between 00:01:00 and 01:00:00"
    ) in log.read_text()


def test_a_wrong_version_strategy_is_a_host_that_answers_503(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    wrong = {"AzureFunctionsJobHost__extensions__durableTask__versionMatchStrategy": "Newest"}
    process = start(tmp_path, log, "--port", str(port), environment=wrong)
    try:
        wait_for(lambda: "it must be one of None, Strict, CurrentOrOlder" in log.read_text(), "the reason in the log")
        host = HostProcess(process, {"url": f"http://127.0.0.1:{port}", "keys": {}}, log, log)
        assert host.ask("/api/echo").status == 503
        status = host.ask("/admin/host/status").json()
        assert status["state"] == "Error"
        assert "versionMatchStrategy is 'Newest'" in status["errors"][0]
        assert host.terminate() == 1
    finally:
        process.kill()
        process.wait(30)
        assert process.stdout
        assert process.stdout.read() == ""
        process.stdout.close()


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        log = tmp_path / "log"
        process = start(tmp_path, log, "--port", str(taken.getsockname()[1]))
        assert process.wait(30) == 1
        assert process.stdout
        process.stdout.close()
        assert "cannot be used: Address already in use" in log.read_text()


def test_interrupt_stops_it(tmp_path: Path) -> None:
    with running(tmp_path) as host:
        host.process.send_signal(signal.SIGINT)
        assert host.process.wait(10) == 0
