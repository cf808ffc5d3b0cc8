"""Imports an app's function_app.py and indexes its functions as the Python worker does (v2 programming model)."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.functions import Context, FunctionRegister, meta

HTTP, TIMER, EVENT_GRID = "httpTrigger", "timerTrigger", "eventGridTrigger"
ORCHESTRATION, ACTIVITY, ENTITY = "orchestrationTrigger", "activityTrigger", "entityTrigger"
DURABLE_CLIENT = "durableClient"
SERVED_TRIGGERS = (HTTP, TIMER, EVENT_GRID, ORCHESTRATION, ACTIVITY)


class AppLoadError(Exception):
    """The app cannot be imported or indexed; the text says why and is meant for a person."""


@dataclass(frozen=True)
class FunctionInfo:
    """One indexed function: its code and the bindings that function.json would hold."""

    name: str
    call: Callable[..., Any]
    is_async: bool
    trigger: Mapping[str, Any]
    bindings: tuple[Mapping[str, Any], ...]
    needs_context: bool
    directory: Path

    @property
    def trigger_type(self) -> str:
        """The trigger's binding type, e.g. ``httpTrigger``."""
        return str(self.trigger["type"])

    @property
    def return_binding(self) -> str | None:
        """The binding type whose converter encodes the returned value, if there is one."""
        for binding in self.bindings:
            if binding["name"] == "$return":
                return str(binding["type"])
        converter = converter_for(self.trigger_type)
        implicit = getattr(converter, "has_implicit_output", None)
        return self.trigger_type if implicit and implicit() else None

    @property
    def durable_name(self) -> str:
        """The name by which orchestrations and activities are called."""
        return str(self.trigger.get("orchestration") or self.trigger.get("activity") or self.name)


def converter_for(binding_type: str) -> Any:
    """The SDK's converter for a binding type, or None."""
    registry: Any = meta.get_binding_registry  # untyped in the SDK
    return registry().get(binding_type)


def load_app(app_dir: Path) -> list[FunctionInfo]:
    """Import ``function_app.py`` of ``app_dir`` (its folder goes first on sys.path) and index its functions.

    As in the real worker one function that cannot be indexed fails the whole app. Raises AppLoadError.
    """
    script = os.environ.get("PYTHON_SCRIPT_FILE_NAME", "function_app.py")
    if not (app_dir / script).is_file():
        raise AppLoadError(f"{app_dir / script} does not exist: no v2 programming model app to serve.")
    packages = app_dir / ".python_packages" / "lib" / "site-packages"
    for folder in (packages, app_dir):
        if folder.is_dir():
            sys.path.insert(0, str(folder))
    module = importlib.import_module(Path(script).stem)
    loaded_from = Path(getattr(module, "__file__", "") or "").resolve()
    if loaded_from != (app_dir / script).resolve():
        raise AppLoadError(f"{script} was imported from {loaded_from}, not from {app_dir}.")
    registers = {id(item): item for item in vars(module).values() if isinstance(item, FunctionRegister)}
    if len(registers) > 1:
        kind = type(next(iter(registers.values()))).__name__
        raise AppLoadError(f"More than one {kind} or other top level function app instances are defined.")
    if not registers:
        raise AppLoadError(f"Could not find top level function app instances in {script}.")
    app = next(iter(registers.values()))
    try:
        functions = app.get_functions()
    except ValueError as error:
        raise AppLoadError(str(error)) from error
    return [_index(function, app_dir) for function in functions]


def _index(function: Any, app_dir: Path) -> FunctionInfo:
    name = str(function.get_function_name())
    bindings = tuple(json.loads(function.get_function_json())["bindings"])
    trigger_name = function.get_trigger().name
    trigger = next(binding for binding in bindings if binding["name"] == trigger_name)
    call = function.get_user_function()
    parameters = dict(inspect.signature(call).parameters)
    annotations = typing.get_type_hints(call)
    bound = {binding["name"]: binding for binding in bindings if binding["name"] != "$return"}
    needs_context = "context" in parameters and "context" not in bound
    if needs_context:
        parameters.pop("context")
        annotation = annotations.get("context")
        if annotation is not None and not (isinstance(annotation, type) and issubclass(annotation, Context)):
            raise _cannot_load(
                name, f'the "context" parameter is expected to be of type azure.functions.Context, got "{annotation!r}"'
            )
    _compare_names(name, set(parameters), set(bound))
    for parameter, binding in bound.items():
        _check_annotation(name, parameter, binding, annotations.get(parameter))
    return FunctionInfo(
        name=name,
        call=call,
        is_async=inspect.iscoroutinefunction(call),
        trigger=trigger,
        bindings=bindings,
        needs_context=needs_context,
        directory=app_dir,
    )


def _compare_names(function: str, parameters: set[str], bound: set[str]) -> None:
    if missing := parameters - bound:
        raise _cannot_load(
            function, f"the following parameters are declared in Python but not in function.json: {missing!r}"
        )
    if missing := bound - parameters:
        raise _cannot_load(
            function, f"the following parameters are declared in function.json but not in Python: {missing!r}"
        )


def _check_annotation(function: str, parameter: str, binding: Mapping[str, Any], annotation: Any) -> None:
    converter = converter_for(binding["type"])
    check = getattr(converter, "check_input_type_annotation", None)
    if check is None or not isinstance(annotation, type):
        return
    if not check(annotation):
        raise _cannot_load(
            function,
            f'type of {parameter} binding in function.json "{binding["type"]}" does not match its Python annotation '
            f'"{annotation.__name__}"',
        )


def _cannot_load(function: str, text: str) -> AppLoadError:
    return AppLoadError(f"cannot load the {function} function: {text}")
