"""What the host says to the call hook of the functions that it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from packages.controls.call_hook import PASS, Verdict
from packages.controls.clock import ScaledClock
from packages.functions_host.function_info import ACTIVITY, HTTP, ORCHESTRATION, FunctionInfo
from packages.functions_host.host import FunctionsHost, HostOptions
from packages.functions_host.keys import KeyRing
from packages.functions_host.settings import HostJson
from packages.functions_host.wire.typed_data import TypedData
from packages.functions_host.workers.errors import WorkerError


class Told:
    """A hook that would refuse everything, and a worker that does what it is made for; what both hear, in order."""

    def __init__(self, error: Exception | None = None) -> None:
        self.heard: list[tuple[Any, ...]] = []
        self._error = error

    async def before(self, *call: Any) -> Verdict:
        self.heard.append(("before", *call))
        return Verdict("error")

    async def after(self, *call: Any) -> Verdict:
        self.heard.append(("after", *call))
        return PASS

    async def invoke(self, function: FunctionInfo, *_: Any) -> TypedData | None:
        self.heard.append(("runs", function.name))
        if self._error is not None:
            raise self._error
        return None


def host_of(told: Told) -> FunctionsHost:
    options = HostOptions(
        Path(), Path(), "http://127.0.0.1", ScaledClock(0), KeyRing("master"), call_hook=cast(Any, told)
    )
    return FunctionsHost(options, HostJson({}), cast(Any, told))


def function(trigger: str) -> FunctionInfo:
    binding = {"type": trigger, "name": "given"}
    return FunctionInfo("claim", "id", binding, (binding,), Path())


@pytest.mark.parametrize("trigger", [ACTIVITY, HTTP])
async def test_a_function_is_told_of_before_and_after_it_runs_and_runs_whatever_the_answer_is(trigger: str) -> None:
    told = Told()
    await host_of(told).invoke(function(trigger), TypedData("{}", "json"))
    called = ("function", "RUN", "claim")
    assert told.heard == [("before", *called), ("runs", "claim"), ("after", *called, 200)]


async def test_the_end_of_a_function_that_raises_is_told_of() -> None:
    told = Told(WorkerError("ValueError", "no"))
    with pytest.raises(WorkerError):
        await host_of(told).invoke(function(ACTIVITY), TypedData("{}", "json"))
    assert told.heard[-1] == ("after", "function", "RUN", "claim", 500)


async def test_an_orchestrator_is_passed_over() -> None:
    told = Told()
    await host_of(told).invoke(function(ORCHESTRATION), TypedData("{}", "json"))
    assert told.heard == [("runs", "claim")]
