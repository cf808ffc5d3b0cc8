"""Which of an app's functions the host serves, and why it refuses the others.

The real host records such errors per function, logs them and continues with the rest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from packages.functions_host import function_info
from packages.functions_host.function_info import FunctionInfo
from packages.functions_host.http.routes import Route, RouteError, compile_route
from packages.functions_host.settings import NameResolver, SettingsError
from packages.functions_host.timers.schedules import (
    Schedule,
    ScheduleError,
    make_schedule,
    to_ticks,
)
from packages.functions_host.wire.typed_data import TypedData

EventGridCall = Callable[[TypedData, Mapping[str, TypedData]], Awaitable[object]]
_ANY_TIME = to_ticks(datetime(2026, 1, 1))
_INPUTS = (*function_info.SERVED_TRIGGERS, function_info.DURABLE_CLIENT, "http")


@dataclass
class ServedFunctions:
    """The functions by what starts them; ``errors`` holds the refused ones by name."""

    routes: list[Route] = field(default_factory=list)
    http: dict[str, FunctionInfo] = field(default_factory=dict)
    timers: dict[str, tuple[FunctionInfo, Schedule]] = field(default_factory=dict)
    event_grid: dict[str, FunctionInfo] = field(default_factory=dict)
    orchestrators: dict[str, FunctionInfo] = field(default_factory=dict)
    activities: dict[str, FunctionInfo] = field(default_factory=dict)
    disabled: set[str] = field(default_factory=set)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def needs_durable(self) -> bool:
        """Whether the Durable extension has anything to do."""
        everyone = [*self.http.values(), *self.event_grid.values(), *(function for function, _ in self.timers.values())]
        uses_client = any(b["type"] == function_info.DURABLE_CLIENT for function in everyone for b in function.bindings)
        return bool(self.orchestrators or self.activities or uses_client)


def serve(functions: Sequence[FunctionInfo], resolver: NameResolver, route_prefix: str) -> ServedFunctions:
    """Sort the functions out, in the host's order (by name, ordinal, any case)."""
    served = ServedFunctions()
    for function in sorted(functions, key=lambda item: item.name.upper()):
        if resolver.is_disabled(function.name):
            served.disabled.add(function.name)
        try:
            _add(served, function, resolver, route_prefix)
        except (RouteError, SettingsError, _RefusedError) as error:
            served.errors[function.name] = str(error)
        except ScheduleError as error:
            served.errors[function.name] = (
                f"Error indexing method 'Functions.{function.name}': {error.error_type}: {error}"
            )
    return served


class _RefusedError(Exception):
    pass


def _add(served: ServedFunctions, function: FunctionInfo, resolver: NameResolver, route_prefix: str) -> None:
    for binding in function.bindings:
        if binding["type"] not in _INPUTS:
            raise _RefusedError(f"The binding type(s) '{binding['type']}' are not served by this host.")
    off = function.name in served.disabled
    kind = function.trigger_type
    if kind == function_info.HTTP:
        served.routes.append(_route(served, function, resolver, route_prefix))
        served.http[function.name] = function
    elif kind == function_info.TIMER:
        schedule = make_schedule(str(function.trigger.get("schedule") or ""), resolver)
        schedule.next_after(_ANY_TIME)  # refuse here what has no occurrence at all
        # A disabled one has no listener, and the admin API runs it nevertheless.
        served.timers[function.name] = (function, schedule)
    elif off:
        return
    elif kind == function_info.EVENT_GRID:
        served.event_grid[function.name] = function
    elif kind == function_info.ORCHESTRATION:
        served.orchestrators[resolver.resolve(function.durable_name)] = function
    elif kind == function_info.ACTIVITY:
        served.activities[resolver.resolve(function.durable_name)] = function


def _route(served: ServedFunctions, function: FunctionInfo, resolver: NameResolver, prefix: str) -> Route:
    template = resolver.resolve(str(function.trigger.get("route") or ""))
    bare = template.strip("/").lower()
    if bare.startswith(("admin", "runtime")):
        raise _RefusedError("The specified route conflicts with one or more built in routes.")
    methods = function.trigger.get("methods")
    route = compile_route(function.name, template, methods, prefix)
    for other in served.routes:
        if other.template.strip("/").lower() == route.template.strip("/").lower() and _share_method(other, route):
            raise _RefusedError(f"The route specified conflicts with the route defined by function '{other.function}'.")
    return route


def _share_method(one: Route, other: Route) -> bool:
    if one.methods is None or other.methods is None:
        return True
    return bool(one.methods & other.methods)


def event_grid_is_many(function: FunctionInfo) -> bool:
    """Whether the binding's cardinality is many."""
    return str(function.trigger.get("cardinality", "one")).lower() == "many"


def auth_level(binding: Mapping[str, object]) -> str:
    """The auth level that an HTTP trigger needs; Python's default is function."""
    return str(binding.get("authLevel") or "function").lower()
