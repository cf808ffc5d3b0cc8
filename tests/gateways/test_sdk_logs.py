"""What is written once the app is imported: of the SDKs no request, no token, and every warning; of nobody a secret."""

from __future__ import annotations

import logging
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from gateways.sdk_logs import SDK_LOGGERS, scrub_records
from local.app_settings import clean_environment
from local.policy import policy_of

SECRET = "c2VjcmV0LWNhbmFyeQ"
# One of each way to write a line; the worker's own handler stands before the app is imported, and adds nothing.
LINES = """
import logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(name)s %(message)s")
import gateways, gateways.sdk_logs
gateways.sdk_logs.scrub_records()
said = "SharedAccessKey=" + "{secret}" + "=="
for name in ("", "azure.core.pipeline", "somebody.else", "azure.functions"):
    log = logging.getLogger(name)
    log.warning(said)
    log.warning("%s", said)
    log.warning("%d", said)
    log.warning("with %s", said, stack_info=True, extra=dict(more=1))
    try:
        try:
            raise KeyError(said)
        except KeyError as inner:
            raise ValueError(said) from inner
    except ValueError as error:
        log.error("raised %r", error, exc_info=error)
        log.exception("raised")
"""
ROOT = Path(__file__).resolve().parents[2]
# As the worker does it: the root logger at INFO; then one request through azure-core's own pipeline.
PROGRAM = """
import logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(name)s %(message)s")
{imports}
from azure.core import PipelineClient
from azure.core.pipeline.policies import HttpLoggingPolicy
from azure.core.rest import HttpRequest
client = PipelineClient("http://127.0.0.1:{port}", policies=[HttpLoggingPolicy()])
assert client.send_request(HttpRequest("GET", "http://127.0.0.1:{port}/subscriptions/s/secret-name")).status_code == 200
for name in {loggers}:
    logging.getLogger(name + ".part").info("a request")
    logging.getLogger(name + ".part").warning("something is odd")
logging.getLogger("activities.runtime.step").info("what a step tells")
"""


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Tell nobody."""


@pytest.fixture
def port() -> int:
    server = HTTPServer(("127.0.0.1", 0), Server)
    Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_address[1])


def written(imports: str, port: int) -> list[str]:
    program = PROGRAM.format(imports=imports, port=port, loggers=SDK_LOGGERS)
    command = [sys.executable, "-c", program]
    answer = subprocess.run(
        command,
        cwd=ROOT,
        env=clean_environment({"MOOR_POLICY": policy_of()}),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return answer.stdout.splitlines()


def test_the_app_keeps_requests_out_of_the_log(port: int) -> None:
    expected = [f"WARNING {name}.part something is odd" for name in SDK_LOGGERS]
    assert written("import function_app", port) == [*expected, "INFO activities.runtime.step what a step tells"]


def test_without_the_app_they_would_be_in_it(port: int) -> None:
    assert "secret-name" in "\n".join(written("", port))


def test_no_line_of_any_logger_has_a_secret() -> None:
    command = [sys.executable, "-c", LINES.replace("{secret}", SECRET)]
    answer = subprocess.run(
        command,
        cwd=ROOT,
        env=clean_environment({"MOOR_POLICY": policy_of()}),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert SECRET not in answer.stdout + answer.stderr
    assert answer.stdout.count("SharedAccessKey=REDACTED") == 4 * 8
    assert answer.stdout.count("ValueError: SharedAccessKey=REDACTED") == 4 * 2
    assert answer.stdout.count("The above exception was the direct cause") == 4 * 2
    assert answer.stdout.count("a line whose arguments do not fit its text") == 4


def test_the_factory_is_set_once() -> None:
    before = logging.getLogRecordFactory()
    scrub_records()
    assert logging.getLogRecordFactory() is before
