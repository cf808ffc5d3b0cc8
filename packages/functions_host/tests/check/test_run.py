"""The check of an app with Microsoft's worker library, on small apps."""

from __future__ import annotations

from pathlib import Path

import pytest

from packages.functions_host.check.__main__ import main
from packages.functions_host.check.run import in_the_app

HEAD = "import azure.functions as func\nimport azure.durable_functions as df\napp = df.DFApp()\n"
ACTIVITY = '@app.activity_trigger(input_name="value")\ndef act(value: {kind}) -> {returned}:\n    {body}\n'


def run(folder: Path, code: str, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    (folder / "function_app.py").write_text(HEAD + code)
    code_ = main([str(folder), *arguments])
    return code_, capsys.readouterr().out


def test_the_input_reaches_the_function_and_its_result_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = ACTIVITY.format(kind="dict", returned="int", body="return value['n'] + 1")
    number, said = run(tmp_path, code, capsys, "--call", 'act={"n": 41}')
    assert number == 0
    assert "indexed 1 functions" in said
    assert "ok   activity     act: returned json 42" in said
    assert "timer        none in this app" in said


def test_a_failure_of_the_apps_own_code_is_no_failure_of_the_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = ACTIVITY.format(kind="dict", returned="int", body="raise ValueError('mine')")
    number, said = run(tmp_path, code, capsys)
    assert number == 0
    assert "was converted and called; the app's own code raised ValueError: mine" in said


def test_a_result_that_cannot_be_converted_fails_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = ACTIVITY.format(kind="dict", returned="object", body="return object()")
    number, said = run(tmp_path, code, capsys)
    assert number == 1
    assert "FAIL activity     act: was not converted: " in said


def test_a_refused_function_is_told_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = ACTIVITY.format(kind="dict[str, str]", returned="dict", body="return value")
    number, said = run(tmp_path, code, capsys)
    assert number == 1
    assert "cannot load the act function: binding value has invalid non-type annotation dict[str, str]" in said


def test_an_unknown_function_is_a_wrong_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = ACTIVITY.format(kind="dict", returned="dict", body="return value")
    assert run(tmp_path, code, capsys, "--call", "other")[0] == 2


def test_packages_below_the_app_are_not_the_apps_own_code() -> None:
    app = Path("/app")
    packages = '  File "/app/.venv/lib/python3/site-packages/azure/functions/x.py", line 1, in f\n'
    assert not in_the_app(packages, app)
    assert in_the_app(packages + '  File "/app/triggers/x.py", line 1, in f\n', app)
