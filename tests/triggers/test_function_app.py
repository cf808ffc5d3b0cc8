from __future__ import annotations

import function_app
from tests.triggers.http_app import functions


def test_the_app_registers_every_http_function_there_is() -> None:
    registered = {function.get_function_name() for function in function_app.app.get_functions()}
    assert {function.name for function in functions()} <= registered
