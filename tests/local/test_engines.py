"""The engine of a stack: our own unless told otherwise, and what Microsoft's is given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local import engines
from local.stack import Options
from packages.functions_host.__main__ import parse_arguments
from packages.functions_host.extension.options import program_from_arguments

STORAGE = {
    name: f"https://127.0.0.1:{port}/devstoreaccount1" for name, port in (("blob", 1), ("queue", 2), ("table", 3))
}


def test_a_stack_runs_on_our_own_engine_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(engines.ENGINE_VARIABLE, raising=False)
    assert Options().engine == engines.OWN
    monkeypatch.setenv(engines.ENGINE_VARIABLE, engines.EXTENSION)
    assert Options().engine == engines.EXTENSION
    assert Options(engine=engines.OWN).engine == engines.OWN


def test_the_host_understands_what_it_is_given(tmp_path: Path) -> None:
    program = tmp_path / "durable-host"
    program.touch()
    given = ["--app", "app", "--state", "state", "--durable-host", str(program)]
    options = program_from_arguments(parse_arguments([*given, *engines.arguments(tmp_path, STORAGE, "ca.pem")]))
    assert options is not None
    assert options.path == program
    settings = dict(options.environment)
    parts = dict(part.split("=", 1) for part in settings.pop("AzureWebJobsStorage").rstrip(";").split(";"))
    assert {name: parts[f"{name.capitalize()}Endpoint"] for name in STORAGE} == STORAGE
    assert parts["AccountName"] == "devstoreaccount1"
    assert settings == {
        "SSL_CERT_FILE": "ca.pem",
        "AzureFunctionsJobHost__extensions__durableTask__storageProvider__maxQueuePollingInterval": "00:00:00.200",
    }
    assert program_from_arguments(parse_arguments(given)) is None


@pytest.mark.parametrize("more", [["--duplicate-activities", "0.5"], ["--call-hook", "http://127.0.0.1:1"]])
def test_what_only_our_own_engine_does_is_refused(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--app", "a", "--state", "s", "--engine", engines.EXTENSION, *more])
    assert "are for our own engine only" in capsys.readouterr().err


def test_the_program_is_known_by_what_it_said(tmp_path: Path) -> None:
    (tmp_path / "extension").mkdir()
    (tmp_path / "extension" / "ready.json").write_text(json.dumps({"pid": 4711}))
    assert engines.program_id(tmp_path) == 4711
