"""What fails says what kind of failure it was; only the app's own log says more."""

from __future__ import annotations

import traceback

import pytest

from triggers.failures import FunctionFailed, without_words


async def answer() -> int:
    return 7


async def fail() -> None:
    try:
        raise KeyError("words of storage")
    except KeyError as error:
        raise ValueError("words of Azure") from error


async def test_what_works_is_answered() -> None:
    assert await without_words("timer", answer()) == 7


async def test_an_exception_goes_to_the_log_and_its_kind_to_the_host(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(FunctionFailed) as raised:
        await without_words("timer", fail())
    handed = "".join(traceback.format_exception(raised.value))
    assert "FunctionFailed: timer: ValueError" in handed
    assert "words of" not in handed
    assert "words of Azure" in caplog.text
    assert "words of storage" in caplog.text
