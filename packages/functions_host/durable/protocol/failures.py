"""The texts with which failures reach an app: reasons, details and outputs.

Source: recordings of extension 3.19.0. Details of a failed activity are a .NET exception as JSON; its inner stack
frames are those of the recording host, kept because every such text ends with some, and these are the recorded ones.
"""

from __future__ import annotations

from collections.abc import Iterable

from packages.functions_host.dotnet import durable_json
from packages.functions_host.workers.errors import WorkerError

# COR_E_EXCEPTION
_HRESULT = -2146233088
_EXECUTOR = "Microsoft.Azure.WebJobs.Host.Executors"
_SOURCES = "/_/src/Microsoft.Azure.WebJobs.Host/Executors"
_HOST_FRAMES = (
    "   at Py.Invoke(String name, String data, String instanceId)\n"
    f"   at {_EXECUTOR}.FunctionInvoker`2.InvokeAsync(Object instance, Object[] arguments) "
    f"in {_SOURCES}/FunctionInvoker.cs:line 53\n"
    f"   at {_EXECUTOR}.FunctionExecutor.ExecuteWithWatchersAsync(IFunctionInstanceEx instance, "
    "ParameterHelper parameterHelper, ILogger logger, CancellationTokenSource functionCancellationTokenSource) "
    f"in {_SOURCES}/FunctionExecutor.cs:line 532\n"
    f"   at {_EXECUTOR}.FunctionExecutor.ExecuteWithLoggingAsync(IFunctionInstanceEx instance, "
    "FunctionStartedMessage message, FunctionInstanceLogEntry instanceLogEntry, ParameterHelper parameterHelper, "
    f"ILogger logger, CancellationToken cancellationToken) in {_SOURCES}/FunctionExecutor.cs:line 315"
)
_REPLAY_FRAMES = (
    "   at System.Threading.Tasks.Task.ThrowIfExceptional(Boolean includeTaskCanceledExceptions)\n"
    "   at System.Threading.Tasks.Task`1.GetResultCore(Boolean waitCompletionNotification)\n"
    "   at Microsoft.Azure.WebJobs.Extensions.DurableTask.TaskOrchestrationShim.InvokeUserCodeAndHandleResults("
    "RegisteredFunctionInfo orchestratorInfo, OrchestrationContext innerContext) in "
    "/_/src/WebJobs.Extensions.DurableTask/Listener/TaskOrchestrationShim.cs:line 148"
)


def worker_result(error: WorkerError) -> str:
    """The text in which the script host wraps a worker's exception."""
    return f"Result: Failure\nException: {error.message}\nStack: {error.stack}"


def activity_reason(name: str, error: WorkerError) -> str:
    """Reason of a TaskFailed event."""
    return f"Activity function '{name}' failed: {error.message}"


def activity_details(error: WorkerError) -> str:
    """Details of a TaskFailed event."""
    return durable_json.compact(
        {
            "$type": "System.Exception, System.Private.CoreLib",
            "ClassName": "System.Exception",
            "Message": error.message,
            "Data": None,
            "InnerException": {
                "$type": "Microsoft.Azure.WebJobs.Script.Workers.Rpc.RpcException, Microsoft.Azure.WebJobs.Script",
                "IsUserException": False,
                "RemoteStackTrace": error.stack,
                "RemoteMessage": error.message,
                "RemoteTypeName": None,
                "Message": worker_result(error),
                "Data": {"$type": "System.Collections.ListDictionaryInternal, System.Private.CoreLib"},
                "InnerException": None,
                "HelpLink": None,
                "Source": "MiniHost",
                "HResult": _HRESULT,
                "StackTrace": _HOST_FRAMES,
            },
            "HelpURL": None,
            "StackTraceString": None,
            "RemoteStackTraceString": None,
            "RemoteStackIndex": 0,
            "ExceptionMethod": None,
            "HResult": _HRESULT,
            "Source": None,
            "WatsonBuckets": None,
        }
    )


def orchestrator_output(name: str, text: str) -> str:
    """Output of a failed orchestrator, and Reason of the event its parent gets."""
    return f"Orchestrator function '{name}' failed: {text}"


def orchestrator_details(error: str) -> str:
    """Details of the event that the parent of a failed orchestrator gets."""
    return f"Message: {error}, StackTrace: {_REPLAY_FRAMES}"


def plain_raise(error: WorkerError) -> str:
    """The text for an orchestrator function that raised without a state (it is no generator)."""
    return f"One or more errors occurred. ({worker_result(error)})"


def worker_died(error: WorkerError) -> str:
    """The text for an orchestrator function whose worker ended under it (recorded: worker-death.jsonl)."""
    return f"One or more errors occurred. ({error.message})"


def unknown_orchestrator(name: str, known: Iterable[str]) -> str:
    """The text with which an instance of an unregistered orchestrator fails."""
    names = ", ".join(f"'{item}'" for item in known)
    found = (
        f"The following are the known orchestrator functions: {names}."
        if names
        else "No orchestrator functions are currently registered!"
    )
    return (
        f"The function '{name}' doesn't exist, is disabled, or is not an orchestrator function. "
        f"Additional info: {found}"
    )


def non_deterministic(text: str) -> str:
    """Output of an instance whose code no longer fits its history."""
    return f"Non-Deterministic workflow detected: {text}"


def non_deterministic_details(output: str) -> str:
    """Details of the event that the parent of such an instance gets (source: DurableTask.Core FailOrchestration)."""
    kind = "DurableTask.Core.Exceptions.NonDeterministicOrchestrationException"
    return f"Unhandled exception while executing orchestration: {kind}: {output}\n\t"


def custom_status_too_big(kilobytes: int) -> str:
    """The text for a custom status above 16 KB of UTF-16 (source: MessagePayloadDataConverter)."""
    return (
        "The UTF-16 size of the JSON-serialized payload must not exceed 16 KB. "
        f"The current payload size is {kilobytes} KB."
    )
