"""The app that was driven for the recordings; Microsoft's worker library converts what its functions get and return."""

from __future__ import annotations

import asyncio
import importlib.util
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from azure_functions_runtime.bindings import meta as library

from packages.functions_host.tests.conformance.durable.recordings import DURABLE
from packages.functions_host.worker.protos import PROTOS, ParameterBinding, TypedData
from packages.functions_host.workers.errors import WorkerError

library.load_binding_registry()


class DrivenApp:
    """Orchestrators and activities of one module of the recordings."""

    def __init__(self, module: str = "function_app") -> None:
        path = DURABLE / "app" / f"{module}.py"
        spec = importlib.util.spec_from_file_location(f"driven_{module}", path)
        assert spec is not None
        assert spec.loader is not None
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
        self.module = loaded
        self.orchestrators: dict[str, Callable[[Any], str]] = {}
        self.activities: dict[str, Callable[..., Any]] = {}
        for function in loaded.app.get_functions():
            kind = function.get_trigger().get_binding_name()
            table: dict[str, Any] = self.orchestrators if kind == "orchestrationTrigger" else self.activities
            table[function.get_function_name()] = function.get_user_function()

    def answer(self, name: str, context: str) -> str:
        """Call an orchestrator; raises WorkerError."""
        try:
            return self.orchestrators[name](_argument("orchestrationTrigger", name, context))
        except Exception as error:
            raise failure(error) from error

    def run(self, name: str, text: str | None) -> str:
        """Call an activity; raises WorkerError."""
        try:
            result = self.activities[name](_argument("activityTrigger", name, text))
            return str(library.to_outgoing_proto("activityTrigger", result, pytype=None, protos=PROTOS).json)
        except Exception as error:
            raise activity_failure(error) from error

    async def invoke_orchestrator(self, name: str, context: str) -> str:
        return self.answer(name, context)

    async def invoke_activity(self, name: str, instance_id: str, text: str | None) -> str | None:
        return await asyncio.to_thread(self.run, name, text)


def _argument(binding: str, function: str, text: str | None) -> Any:
    given = ParameterBinding(name="", data=TypedData(string="null" if text is None else text))
    return library.from_incoming_proto(
        binding, given, pytype=None, trigger_metadata=None, function_name=function, is_deferred_binding=False
    )


def failure(error: Exception) -> WorkerError:
    """As the worker reports an exception."""
    return WorkerError(type(error).__name__, str(error), "".join(traceback.format_tb(error.__traceback__)))


def activity_failure(error: Exception) -> WorkerError:
    """As the recording's worker reported it: its own frame, then those of the app at the usual site folder."""
    pipe = '  File "/home/site/wwwroot/worker.py", line 40, in handle\n    r = fn(arg)\n        ^^^^^^^\n'
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if str(DURABLE) in frame.filename]
    frames = "".join(traceback.format_list(own)).replace(str(DURABLE / "app"), "/home/site/wwwroot")
    return WorkerError(type(error).__name__, str(error), pipe + frames)


def recorded_failure(raised: Mapping[str, str]) -> WorkerError:
    """A failure as it stands in a recording."""
    kind, _, text = raised["message"].partition(": ")
    return WorkerError(kind, text, raised["stack_trace"])
